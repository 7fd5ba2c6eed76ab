"""All logs of a data directory: opened once, marked clean, deleted whole, kept by timers that go on."""

import errno

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError, UnknownTopic
from flux.model import FsyncMode, TopicPartition
from flux.storage.checkpoint import parse
from tests.storage.scene import DIRECTORY, FIRST, TP, Scene

OTHER = TopicPartition("orders", 1)
DAY_S = 86400


class Opening(SynchronousTestCase):
    def test_a_log_is_opened_once(self) -> None:
        """The second time its settings are the new ones."""
        scene = Scene().start()
        log = scene.log
        scene.topic = {"segment.bytes": "1"}
        self.assertIs(scene.open(TP), log)
        for _ in range(3):
            scene.put(b"x")
            scene.turn()
        self.assertEqual(len(scene.names(".log")), 3)

    def test_what_exists_is_listed(self) -> None:
        """By topic and number; what cannot be a partition's directory is not."""
        scene = Scene(
            tps=[TopicPartition("b", 10), TopicPartition("b", 9), TopicPartition("a-b", 0), TopicPartition("__x", 3)]
        ).start()
        for name in ("a", "a-", "-1", "a-01", "a-x", "a--1", "x.5-delete"):
            scene.root.child(name).make()
        scene.put_file("c-1", b"a file")
        expected = [TopicPartition("__x", 3), TopicPartition("a-b", 0), TopicPartition("b", 9), TopicPartition("b", 10)]
        self.assertEqual([tp for tp in scene.manager.existing() if tp.topic != "a-"], expected)

    def test_one_that_cannot_be_opened_is_named_and_others_can(self) -> None:
        """It can be tried again; as long as it is broken no stop is clean."""
        scene = Scene(tps=[TP, OTHER]).start()
        scene.stop()
        scene.prepare().startService()
        scene.disk.fail(errno.EIO, where=lambda path: path.startswith("/orders-0/"))
        error = self.assertRaises(StorageError, scene.open, TP)
        self.assertIn("orders-0 cannot be opened", str(error))
        scene.open(OTHER)
        scene.stop()
        scene.start()
        self.assertTrue(scene.manager.unclean)
        scene.stop()
        scene.prepare().startService()
        scene.disk.fail(errno.EIO, where=lambda path: path.startswith("/orders-0/"))
        self.assertRaises(StorageError, scene.open, TP)
        scene.open(TP)
        scene.open(OTHER)
        scene.restart()
        self.assertFalse(scene.manager.unclean)

    def test_a_directory_whose_names_cannot_be_changed_is_refused(self) -> None:
        """The mark could not be taken away, or nothing new would be durable."""
        for kind in ("remove", "sync", "list"):
            scene = Scene().start()
            scene.stop()
            scene.disk.fail(errno.EIO, kind)
            self.assertRaises(OSError, scene.prepare().startService)
            scene.die()
            self.assertEqual(scene.start().log.end_offset, 0)


class Stopping(SynchronousTestCase):
    def test_a_clean_stop_is_marked_once(self) -> None:
        """The mark is gone as soon as it was read."""
        scene = Scene().start()
        self.assertTrue(scene.manager.unclean)
        scene.put(b"x")
        scene.restart()
        self.assertFalse(scene.manager.unclean)
        self.assertNotIn("clean-shutdown", [entry.name for entry in scene.root.list()])
        self.assertTrue(scene.cut().manager.unclean)

    def test_a_stop_makes_everything_durable_in_every_mode(self) -> None:
        """Then the power may go."""
        for mode in FsyncMode:
            scene = Scene(mode).start()
            for number in range(30):
                scene.put(b"%d" % number * 40)
            scene.stop()
            values = scene.cut().values()
            self.assertEqual(len(values), 30)
            self.assertFalse(scene.manager.unclean)

    def test_a_log_that_failed_is_not_marked(self) -> None:
        """The next start checks it."""
        scene = Scene(tps=[TP, OTHER]).start()
        scene.disk.fail(errno.EIO, "datasync")
        scene.put(b"x")
        scene.turn()
        scene.put(b"y", tp=OTHER)
        scene.restart()
        self.assertTrue(scene.manager.unclean)
        self.assertEqual(scene.values(OTHER), {0: b"y"})

    def test_a_mark_that_cannot_be_written_is_no_reason_to_fail(self) -> None:
        """The stop ends; the next start checks."""
        for error in (errno.EIO, errno.ENOSPC):
            scene = Scene().start()
            scene.put(b"x")
            scene.turn()
            scene.disk.fail(error, "create", where=lambda path: "clean" in path)
            scene.restart()
            self.assertTrue(scene.manager.unclean)
            self.assertEqual(scene.values(), {0: b"x"})

    def test_a_stop_waits_for_what_was_asked_before(self) -> None:
        """Deletions, checkpoints, removals of segments: the directory is another's when it has fired."""
        scene = Scene(queued=True, tps=[TP, OTHER], segment_max_bytes=300).start()
        scene.fill(6)
        deleted, moved = scene.manager.delete(OTHER), scene.log.move_start(7)
        scene.stop()
        self.successResultOf(deleted)
        self.successResultOf(moved)
        self.assertEqual(len(scene.disk.opened), 0)
        self.assertEqual(scene.start().log.start_offset, 7)
        self.assertFalse(scene.manager.unclean)

    def test_nothing_is_left_open(self) -> None:
        """No file, no timer."""
        scene = Scene(segment_max_bytes=300).start()
        scene.fill(10)
        scene.stop()
        self.assertEqual((len(scene.disk.opened), scene.clock.getDelayedCalls()), (0, []))


class Deleting(SynchronousTestCase):
    def filled(self, seed: int = 0) -> Scene:
        scene = Scene(seed=seed, segment_max_bytes=300).start()
        scene.fill(8)
        scene.done(scene.log.move_start(9))
        scene.advance(61)
        return scene

    def test_nothing_of_it_is_left(self) -> None:
        """No file, no checkpoint; whoever waited is told."""
        scene = self.filled()
        scene.put(b"x")
        waiting = [scene.log.flush(), scene.log.promised.reach(99)]
        scene.done(scene.manager.delete(TP))
        for waiter in waiting:
            self.failureResultOf(waiter, UnknownTopic)
        self.assertRaises(StorageError, scene.put, b"y")
        self.failureResultOf(scene.log.flush(), StorageError)
        self.failureResultOf(scene.log.move_start(12), StorageError)
        names = [entry.name for entry in scene.root.list()]
        self.assertFalse([name for name in names if "orders" in name])
        for name in ("recovery-points.json", "log-start-offsets.json"):
            self.assertEqual(parse(scene.contents(name))[0], {})

    def test_a_log_of_the_same_name_begins_anew(self) -> None:
        """In this process, after a kill and after a power cut: no start, no recovery point and no open file of the old one counts."""
        for after in (lambda scene: scene, Scene.kill, Scene.cut, Scene.restart):
            scene = self.filled()
            scene.records(9)  # so that closed segments are held open
            scene.done(scene.manager.delete(TP))
            scene.open(TP)
            self.assertEqual((scene.log.start_offset, scene.log.end_offset, scene.log.last_epoch), (0, 0, -1))
            after(scene)
            for number in range(20):
                scene.put(b"new %d" % number + b"." * 60)
                scene.turn()
            after(scene)
            self.assertEqual(
                [record.value[:6].strip(b".") for record in scene.records() if record.value],
                [b"new %d" % n for n in range(20)],
            )
            self.assertEqual(scene.manager.losses, [])

    def test_no_file_of_the_old_one_is_read_for_the_new_one(self) -> None:
        """Though its segments have the same names, sizes and timestamps."""
        scene = Scene(segment_max_bytes=300).start()
        for value in (b"old", b"new"):
            for _ in range(4):
                scene.put(value * 60)
                scene.turn()
            self.assertEqual(set(scene.values().values()), {value * 60})
            scene.done(scene.manager.delete(TP))
            self.assertEqual(len(scene.disk.opened), 0)
            scene.open(TP)

    def test_it_is_gone_whenever_the_power_goes(self) -> None:
        """Once delete() has fired; before that it is whole, or gone, never half there."""
        scene = self.filled()
        scene.values()
        calls = scene.disk.calls
        for call in range(1, 60):
            scene = self.filled(seed=call)
            before = scene.values()
            scene.disk.cut_at(calls + call)
            deleted: Deferred[None] = scene.manager.delete(TP)
            scene.turn()
            if not scene.stopped:
                self.successResultOf(deleted)
                self.assertGreater(call, 10)
                return
            deleted.addErrback(lambda _: None)
            scene.reboot()
            scene.prepare().startService()
            found = scene.manager.existing()
            scene.open(TP)
            if found:
                values = scene.values()
                self.assertEqual({o: values.get(o) for o in before}, before)
            else:
                self.assertEqual((scene.log.start_offset, scene.log.end_offset, scene.values()), (0, 0, {}))
            self.assertFalse([entry.name for entry in scene.root.list() if entry.name.endswith("-delete")])

    def test_what_an_earlier_run_left_of_it_is_removed_at_the_start(self) -> None:
        """With all that lies in it, and without harm to a log that has taken the name since."""
        scene = Scene().start()
        scene.put(b"new")
        scene.turn()
        scene.die()
        scene.put_file("orders-0.123-delete/00000000000000000000.log", b"old")
        scene.put_file("orders-0.123-delete/a/b/c", b"old")
        scene.put_file("orders-7.5-delete/x", b"old")
        self.assertEqual(scene.start().values(), {0: b"new"})
        self.assertFalse([entry.name for entry in scene.root.list() if entry.name.endswith("-delete")])

    def test_what_cannot_be_removed_is_tried_again_at_the_next_start(self) -> None:
        """And keeps nobody from starting."""
        scene = Scene().start()
        scene.die()
        scene.put_file("orders-0.123-delete/x", b"old")
        scene.disk.fail(errno.EIO, "remove", where=lambda path: "delete" in path)
        scene.start()
        self.assertIn("orders-0.123-delete", [entry.name for entry in scene.root.list()])
        scene.kill()
        self.assertNotIn("orders-0.123-delete", [entry.name for entry in scene.root.list()])

    def test_a_full_disk_can_be_emptied(self) -> None:
        """Checkpoints do not fit before the files are gone; they do afterwards."""
        scene = self.filled()
        scene.disk.fail(errno.ENOSPC, "append", where=lambda path: path.endswith(".json.new"), times=1)
        scene.done(scene.manager.delete(TP))
        self.assertEqual(scene.kill().log.start_offset, 0)

    def test_while_it_is_being_deleted_it_cannot_be_opened(self) -> None:
        """Its directory is still the old one's."""
        scene = Scene(queued=True).start()
        deleted = scene.manager.delete(TP)
        self.assertRaises(StorageError, scene.open, TP)
        scene.turn()
        self.successResultOf(deleted)
        self.assertEqual(scene.open(TP).end_offset, 0)

    def test_a_failing_disk_is_told(self) -> None:
        """The log stays on the disk, and can be deleted later."""
        scene = self.filled()
        scene.disk.fail(errno.EIO, "rename")
        with self.assertRaises(OSError):
            scene.done(scene.manager.delete(TP))
        self.assertEqual(scene.manager.existing(), [TP])
        scene.done(scene.manager.delete(TP))
        self.assertEqual(scene.manager.existing(), [])

    def test_what_was_never_there_can_be_deleted(self) -> None:
        """A deletion that a crash interrupted is repeated."""
        scene = Scene().start()
        scene.done(scene.manager.delete(OTHER))


class Timers(SynchronousTestCase):
    def test_retention_forgets_old_segments(self) -> None:
        """Not the active one; that is closed when it is old, and goes the next time."""
        scene = Scene(retention_max_age_seconds=DAY_S, segment_max_age_seconds=3600, segment_max_bytes=500).start()
        scene.fill(6)
        self.assertGreater(len(scene.names(".log")), 2)
        scene.advance(DAY_S - 60)
        scene.put(b"young")
        scene.turn()
        scene.advance(90)
        self.assertEqual(scene.values(), {12: b"young"})
        self.assertEqual(scene.restart().values(), {12: b"young"})
        self.assertEqual(len(scene.names(".log")), 1)
        self.assertEqual(scene.put(b"next"), 13)

    def test_a_step_of_the_wall_clock_forgets_nothing(self) -> None:
        """Age is counted by time that passed; hours and years forward or back do not."""
        for step in (3600, -3600, 20 * 365 * DAY_S, -1_700_000_000):
            scene = Scene(retention_max_age_seconds=DAY_S, segment_max_bytes=500).start()
            before = scene.fill(6)
            scene.wall += step
            scene.advance(600)
            self.assertEqual(scene.values(), before, step)

    def test_retention_by_size(self) -> None:
        """The topic's own setting, taken up when the log is opened again."""
        scene = Scene(segment_max_bytes=500).start()
        scene.fill(10)
        scene.topic = {"retention.bytes": "1200"}
        scene.open(TP)
        scene.advance(30)
        self.assertLess(scene.log.size_bytes, 1800)
        self.assertGreaterEqual(scene.log.size_bytes, 1200)

    def test_retention_stays_below_the_limit_of_the_owner(self) -> None:
        """The high watermark."""
        scene = Scene(segment_max_bytes=500).start()
        scene.fill(10)
        scene.log.retention_limit = lambda: 5
        scene.topic = {"retention.bytes": "0"}
        scene.open(TP)
        scene.advance(30)
        self.assertEqual(scene.log.start_offset, 4)

    def test_a_timer_that_failed_once_goes_on(self) -> None:
        """The disk refused a new segment, a checkpoint, a look at the space: it is reported, and tried again."""
        scene = Scene(
            FsyncMode.INTERVAL, retention_max_age_seconds=DAY_S, segment_max_age_seconds=60, segment_max_bytes=500
        ).start()
        scene.fill(4)
        for kind in ("create", "free", "rename"):
            scene.disk.fail(errno.ENOSPC, kind)
            scene.advance(61)
            scene.disk.heal()
        self.flushLoggedErrors(OSError, StorageError)
        scene.put(b"x", timestamp_ms=int(scene.now() * 1000))
        scene.advance(2 * DAY_S)
        scene.advance(60)
        self.assertEqual(scene.values(), {})
        self.assertEqual(scene.log.flushed.value, 9)
        scene.restart()
        self.assertFalse(scene.manager.unclean)

    def test_recovery_points_spare_the_next_start_work(self) -> None:
        """Closed segments below are not read again; they are saved only when they moved."""
        scene = Scene(segment_max_bytes=500, checkpoint_interval_ms=1000).start()
        scene.fill(12)
        scene.advance(1)
        saves = [call for call in scene.disk.log if call.path == "/recovery-points.json" and call.kind == "rename"]
        scene.advance(5)
        self.assertEqual([c for c in scene.disk.log if c.path == "/recovery-points.json" and c.kind == "rename"], saves)
        before = scene.values()
        calls = scene.disk.calls
        scene.kill()
        read = {call.path for call in scene.disk.log[calls:] if call.kind == "read_at" and call.path.endswith(".log")}
        self.assertEqual(read, {"/" + scene.names(".log")[-1]})
        self.assertEqual(scene.values(), before)

    def test_interval_syncs_by_time_and_by_bytes(self) -> None:
        """Whichever comes first."""
        scene = Scene(FsyncMode.INTERVAL, flush_interval_ms=1000, flush_bytes=1500, segment_max_bytes=1 << 20).start()
        scene.put(b"x" * 1000)
        scene.turn()
        self.assertEqual(scene.log.flushed.value, 0)
        scene.put(b"x" * 1000)
        scene.turn()
        self.assertEqual(scene.log.flushed.value, 2)
        scene.put(b"x")
        scene.advance(1)
        self.assertEqual(scene.log.flushed.value, 3)


class Losses(SynchronousTestCase):
    def test_what_was_dropped_is_told_with_offsets_and_bytes(self) -> None:
        """For each log, as the logs are opened."""
        scene = Scene(tps=[TP, OTHER]).start()
        for number in range(3):
            scene.put(b"%d" % number, b"two")
        scene.put(b"whole", tp=OTHER)
        scene.turn()
        scene.die()
        start, end = scene.batches()[1]
        scene.flip_byte(FIRST, start + 70)
        scene.start()
        ((tp, loss),) = scene.manager.losses
        self.assertEqual((tp, loss.file), (TP, FIRST.removeprefix(DIRECTORY + "/")))
        self.assertEqual((loss.first, loss.next, loss.position, loss.size_bytes), (2, 4, start, end - start))
        self.assertIn("CRC", loss.why)
