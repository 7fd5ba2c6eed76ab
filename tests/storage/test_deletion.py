"""A log is deleted whole, and one of the same name begins anew."""

import errno

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError, UnknownTopic
from flux.model import TopicPartition
from flux.storage.checkpoint import parse
from tests.storage.scene import TP, Scene

OTHER = TopicPartition("orders", 1)


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

    def test_what_the_new_one_acknowledges_survives_a_power_cut(self) -> None:
        """Its directory is a new one too, of which the data directory knows nothing yet."""
        for seed in range(20):
            scene = Scene(seed=seed).start()
            scene.fill(2)
            scene.restart()
            scene.done(scene.manager.delete(TP))
            scene.open(TP)
            scene.put(b"new")
            scene.turn()
            self.assertEqual((scene.log.flushed.value, scene.cut().values()), (1, {0: b"new"}))

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

    def test_files_stay_open_for_the_round_that_uses_them(self) -> None:
        """A descriptor closed under it could be another file's by the time it is synced."""
        scene = Scene(queued=True).start()
        scene.put(b"a")
        scene.clock.advance(0)  # the round is under way
        deleted = scene.manager.delete(TP)
        for thread in (scene.reader, scene.flusher):
            thread.perform_all()  # type: ignore[attr-defined]  # this scene's threads are queued
        self.assertNotEqual(scene.disk.opened, {})
        self.assertIn(str(TP), [entry.name for entry in scene.root.list()])
        scene.turn()
        self.successResultOf(deleted)
        self.assertEqual([name for name in (entry.name for entry in scene.root.list()) if name.startswith(str(TP))], [])

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
