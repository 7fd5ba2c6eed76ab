"""All logs of a data directory: opened once, marked clean, deleted whole, kept by timers that go on."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import FsyncMode, TopicPartition
from flux.storage.checkpoint import parse
from tests.storage.scene import DIRECTORY, FIRST, TP, Scene

OTHER = TopicPartition("orders", 1)
DAY_S = 86400


class Opening(SynchronousTestCase):
    def test_a_log_is_opened_once(self) -> None:
        """The second time its settings are the new ones."""
        scene = Scene().start()
        self.assertTrue(scene.manager.running)
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

    def test_a_stop_saves_the_recovery_points(self) -> None:
        """A crash of the next run is the sooner recovered from."""
        scene = Scene(segment_max_bytes=300).start()
        scene.fill(6)
        scene.stop()
        self.assertEqual(parse(scene.contents("recovery-points.json"))[0], {"orders-0": 12})

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

    def test_damage_at_the_end_of_a_closed_segment_is_told_with_its_bytes(self) -> None:
        """Not only as offsets that are missing before the next."""
        scene = Scene(segment_max_bytes=600).start()
        scene.fill(8)
        scene.die()
        start, end = scene.batches()[-1]
        scene.flip_byte(FIRST, end - 5)
        scene.start()
        ((_, loss),) = scene.manager.losses
        self.assertEqual((loss.position, loss.size_bytes, loss.next - loss.first), (start, end - start, 2))
