"""One file for all high watermarks, and who waits for it."""

import errno
from random import Random

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from flux.replication.watermarks import HighWatermarks, WatermarkCheckpoint
from flux.storage.checkpoint import Checkpoint
from flux.testing import MemoryDisk, QueuedThread


def marks(**partitions: int) -> HighWatermarks:
    """Partitions ``p0``, ``p1`` … of the topic ``t``."""
    return {"id": {"topic": "t", "high_watermarks": {name[1:]: offset for name, offset in partitions.items()}}}


class RememberingTests(SynchronousTestCase):
    """A disk thread that works when the test says so."""

    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0))
        self.clock = Clock()
        self.current: HighWatermarks = {}
        self.thread, self.marks = self.life()

    def life(self) -> tuple[QueuedThread, WatermarkCheckpoint]:
        """A process on what the disk holds."""
        thread = QueuedThread()
        checkpoint = Checkpoint(self.disk.root, "high-watermarks.json", thread)
        watermarks = WatermarkCheckpoint(checkpoint, self.clock, lambda: self.current)
        watermarks.load()
        return thread, watermarks

    def test_what_is_remembered_is_loaded(self) -> None:
        """As soon as the Deferred fires, even across a power cut; another topic of the same name knows nothing of it."""
        remembered = self.marks.remember("id", "t", 1, 7)
        assert remembered is not None
        self.clock.advance(0)
        self.assertNoResult(remembered)
        self.thread.perform_all()
        self.successResultOf(remembered)
        self.assertIsNone(self.marks.remember("id", "t", 1, 7))
        self.disk.cut()
        _, again = self.life()
        self.assertEqual((again.loaded("id", 1), again.loaded("id", 0), again.loaded("other", 1)), (7, 0, 0))

    def test_a_turns_watermarks_share_a_save_and_those_that_come_meanwhile_the_next(self) -> None:
        """Whoever asks for no more than what is being saved waits for that one only."""
        first = [self.marks.remember("id", "t", number, 5) for number in range(3)]
        self.clock.advance(0)
        self.assertEqual(len(self.thread), 1)
        same, next_one = self.marks.remember("id", "t", 0, 4), self.marks.remember("id", "t", 0, 6)
        self.clock.advance(0)
        self.assertEqual(len(self.thread), 1)
        assert same is not None
        assert next_one is not None
        self.thread.perform()
        for done in (*first, same):
            assert done is not None
            self.successResultOf(done)
        self.assertNoResult(next_one)
        self.assertEqual(len(self.thread), 1)
        self.thread.perform()
        self.successResultOf(next_one)
        self.assertEqual(len(self.thread), 0)

    def test_waiters_are_told_before_the_next_save_begins(self) -> None:
        """What they ask for then shares it."""
        first = self.marks.remember("id", "t", 0, 1)
        self.clock.advance(0)
        second = self.marks.remember("id", "t", 0, 2)
        assert first is not None
        thirds: list[object] = []
        first.addCallback(lambda _: thirds.append(self.marks.remember("id", "t", 1, 3)))
        self.thread.perform()
        self.thread.perform()
        assert second is not None
        self.successResultOf(second)
        self.assertIsNone(self.marks.remember("id", "t", 1, 3))
        self.assertEqual(len(self.thread), 0)

    def test_a_save_that_fails_is_told_and_reported_once(self) -> None:
        """Whoever waited may ask again; nothing is asked of the disk meanwhile."""
        self.disk.fail(errno.ENOSPC, "append", times=None)
        for _ in range(3):
            remembered = self.marks.remember("id", "t", 0, 1)
            assert remembered is not None
            self.clock.advance(0)
            self.thread.perform_all()
            self.failureResultOf(remembered, OSError)
            self.assertEqual((len(self.thread), self.clock.getDelayedCalls()), (0, []))
        self.disk.heal()
        remembered = self.marks.remember("id", "t", 0, 1)
        assert remembered is not None
        self.clock.advance(0)
        self.thread.perform_all()
        self.successResultOf(remembered)

    def test_the_timer_saves_what_nobody_waits_for(self) -> None:
        """If anything changed; and what is no more goes."""
        self.current = marks(p0=3)
        self.marks.save()
        self.thread.perform_all()
        self.marks.save()
        self.assertEqual(len(self.thread), 0)
        self.assertEqual(self.life()[1].loaded("id", 0), 3)
        self.current = {}
        self.marks.save()
        self.thread.perform_all()
        self.assertEqual(self.life()[1].loaded("id", 0), 0)

    def test_the_last_save_has_everything(self) -> None:
        """After the one under way; whoever still waits is told."""
        under_way = self.marks.remember("id", "t", 0, 1)
        self.clock.advance(0)
        waiting = self.marks.remember("id", "t", 0, 2)
        self.current = marks(p0=2, p1=9)
        closed = self.marks.close()
        self.assertNoResult(closed)
        self.thread.perform_all()
        self.successResultOf(closed)
        for done in (under_way, waiting):
            assert done is not None
            self.successResultOf(done)
        again = self.life()[1]
        self.assertEqual((again.loaded("id", 0), again.loaded("id", 1)), (2, 9))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_last_save_that_fails_is_one_line_of_the_log(self) -> None:
        """The stop goes on; whoever waits is told."""
        under_way = self.marks.remember("id", "t", 0, 1)
        self.clock.advance(0)
        waiting = self.marks.remember("id", "t", 0, 2)
        self.current = marks(p0=2)
        closed = self.marks.close()
        self.disk.fail(errno.EIO, "append", times=None)
        with capturedLogs() as events:
            self.thread.perform_all()
        self.successResultOf(closed)
        for done in (under_way, waiting):
            assert done is not None
            self.failureResultOf(done, OSError)
        self.assertIn("the next start knows those of the last save: [Errno 5]", str(formatEvent(events[-1])))

    def test_a_file_of_something_else_is_as_none(self) -> None:
        """Reported; the start goes on."""
        Checkpoint(self.disk.root, "high-watermarks.json", QueuedThread()).save_now({"version": 1, "topics": {"id": 3}})
        self.assertEqual(self.life()[1].loaded("id", 0), 0)
