"""Who waits for the disk, and who is told when it fails."""

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import FsyncMode, TopicPartition
from tests.storage.scene import Scene


class Waiting(SynchronousTestCase):
    def test_a_flush_without_anything_to_sync_fires_at_once(self) -> None:
        """No round for nothing."""
        scene = Scene().start()
        calls = scene.disk.calls
        self.successResultOf(scene.log.flush())
        self.assertEqual(scene.disk.calls, calls)

    def test_a_flush_waits_for_the_round_that_took_its_bytes_along(self) -> None:
        """Asked before it, during it, or when a round without them is under way."""
        scene = Scene(queued=True).start()
        scene.put(b"a")
        scene.clock.advance(0)  # the round with a is in the thread
        during = scene.log.flush()
        scene.put(b"b")
        later = scene.log.flush()
        scene.syncer.perform()  # type: ignore[attr-defined]  # this scene's threads are queued
        self.assertNoResult(during)
        self.assertEqual(scene.log.flushed.value, 1)
        scene.turn()
        self.successResultOf(during)
        self.successResultOf(later)
        self.assertEqual(scene.log.flushed.value, 2)

    def test_a_flush_waits_for_a_segment_to_settle(self) -> None:
        """One that was rolled by age has no bytes, but a name that is provisional."""
        scene = Scene(queued=True, segment_max_age_seconds=60, retention_interval_ms=1000).start()
        scene.put(b"a")
        scene.turn()
        scene.clock.advance(61)
        flushed = scene.log.flush()
        self.assertNoResult(flushed)
        scene.turn()
        self.successResultOf(flushed)
        self.assertEqual(scene.names(".rolling"), [])

    def test_a_flush_waits_for_a_new_epoch(self) -> None:
        """It is part of what the log is."""
        scene = Scene(queued=True).start()
        scene.log.begin_epoch(3)
        flushed = scene.log.flush()
        scene.turn()
        self.successResultOf(flushed)
        self.assertEqual(scene.cut().log.last_epoch, -1)  # nothing was written in it
        scene.put(b"a", epoch=3)
        scene.turn()
        self.assertEqual(scene.cut().log.last_epoch, 3)

    def test_waiters_are_resumed_in_the_order_of_their_offsets(self) -> None:
        """All of one round, before the next begins."""
        scene = Scene().start()
        told: list[int] = []
        for _ in range(3):
            offset = scene.put(b"x") + 1
            scene.log.promised.reach(offset).addCallback(told.append)
        scene.turn()
        self.assertEqual(told, [3, 3, 3])


class Failing(SynchronousTestCase):
    def test_everybody_is_told_of_a_failed_sync(self) -> None:
        """Those of that round, those of the next, those who come later; it is not tried again."""
        for mode in FsyncMode:
            scene = Scene(mode, queued=True).start()
            scene.disk.fail(errno.EIO, "datasync", where=lambda path: path.endswith(".log"))
            scene.put(b"a")
            waiting: list[Deferred[Any]] = [scene.log.flush()]
            scene.clock.advance(0)
            scene.put(b"b")
            waiting += [scene.log.flush(), scene.log.flushed.reach(2)]
            scene.turn()
            waiting += [scene.log.flush(), scene.log.flushed.reach(2)]
            for waiter in waiting:
                self.failureResultOf(waiter, StorageError)
            self.assertRaises(StorageError, scene.put, b"c")
            syncs = [call for call in scene.disk.log if call.kind == "datasync" and call.path.endswith(".log")]
            self.assertEqual(len(syncs), 1)
            self.assertEqual(scene.values(), {0: b"a", 1: b"b"})

    def test_what_may_not_be_on_the_medium_is_not_served_by_the_next_process(self) -> None:
        """It reads the medium, not the page cache; what is served then stays."""
        for seed in range(20):
            scene = Scene(seed=seed).start()
            scene.put(b"durable")
            scene.turn()
            scene.disk.fail(errno.EIO, "datasync", where=lambda path: path.endswith(".log"))
            scene.put(b"doubtful")
            scene.turn()
            self.assertEqual(scene.log.promised.value, 1)
            served = scene.kill().values()
            self.assertEqual(served, {0: b"durable"})
            self.assertEqual(scene.cut().values(), served)

    def test_one_logs_failure_is_its_own(self) -> None:
        """Others of the same round go on."""
        other = TopicPartition("events", 0)
        scene = Scene(tps=[TopicPartition("orders", 0), other]).start()
        scene.disk.fail(errno.EIO, "datasync", where=lambda path: "orders-0" in path, times=None)
        scene.put(b"a")
        scene.put(b"b", tp=other)
        scene.turn()
        self.assertIsNotNone(scene.log.failure)
        self.assertEqual((scene.logs[other].failure, scene.logs[other].flushed.value), (None, 1))

    def test_a_write_that_could_not_be_undone_is_final(self) -> None:
        """Nobody knows what the file ends with."""
        scene = Scene().start()
        scene.put(b"a")
        scene.turn()
        scene.disk.fail(errno.ENOSPC, "append")
        scene.disk.fail(errno.EIO, "rollback")
        self.assertRaises(StorageError, scene.put, b"b")
        self.assertIsNotNone(scene.log.failure)
        self.assertRaises(StorageError, scene.put, b"c")
        self.assertEqual(scene.kill().values(), {0: b"a"})

    def test_an_epoch_that_could_not_be_written_has_not_begun(self) -> None:
        """A batch of it would count as damaged after a kill: so the next append writes the epoch first."""
        for mode in FsyncMode:
            scene = Scene(mode).start()
            scene.put(b"a", epoch=1)
            scene.turn()
            scene.disk.fail(errno.ENOSPC, "append", where=lambda path: "epoch" in path)
            self.assertRaises(StorageError, scene.put, b"b", epoch=2)
            self.assertEqual(scene.log.last_epoch, 1)
            scene.put(b"c", epoch=2)
            self.assertEqual((scene.kill().values(), scene.log.last_epoch), ({0: b"a", 1: b"c"}, 2))

    def test_epochs_do_not_fall(self) -> None:
        """Whoever asks is told so; nothing is written."""
        scene = Scene().start()
        scene.put(b"a", epoch=3)
        self.assertRaises(StorageError, scene.put, b"b", epoch=2)
        self.assertRaises(StorageError, scene.log.begin_epoch, 1)
        self.assertEqual((scene.log.end_offset, scene.log.last_epoch), (1, 3))

    def test_a_roll_that_is_refused_changes_nothing(self) -> None:
        """The next append rolls."""
        scene = Scene(segment_max_bytes=300).start()
        scene.put(b"a" * 200)
        scene.turn()
        scene.disk.fail(errno.EMFILE, "create")
        self.assertRaises(StorageError, scene.put, b"b" * 200)
        self.assertIsNone(scene.log.failure)
        scene.put(b"c" * 200)
        scene.turn()
        self.assertEqual(list(scene.kill().values()), [0, 1])
        self.assertEqual(len(scene.names(".log")), 2)
