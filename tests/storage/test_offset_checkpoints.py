"""Recovery points and log starts: durable when told so, and never too high."""

import errno
from random import Random
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.storage.clean_shutdown import leave_mark, take_mark
from flux.storage.gaps import Gaps, Loss
from flux.storage.offset_checkpoints import OffsetCheckpoints
from flux.storage.opening import CleanEnd
from flux.testing import QueuedThread, run_now


class Offsets(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(1))
        self.thread = QueuedThread()
        self.offsets = OffsetCheckpoints(self.disk.root, self.thread)
        self.offsets.load()

    def after_a_cut(self) -> OffsetCheckpoints:
        self.disk.cut()
        again = OffsetCheckpoints(self.disk.root, run_now)
        again.load()
        return again

    def test_what_was_saved_is_there_after_a_power_cut(self) -> None:
        """Both kinds, each log its own."""
        saves = [self.offsets.save_points({"a-0": 5, "b-0": 7}), self.offsets.save_start("a-0", 3)]
        self.thread.perform_all()
        for save in saves:
            self.successResultOf(save)
        again = self.after_a_cut()
        self.assertEqual([again.point(name) for name in ("a-0", "b-0", "c-0")], [5, 7, 0])
        self.assertEqual([again.start(name) for name in ("a-0", "b-0")], [3, None])

    def test_points_that_did_not_move_are_not_saved(self) -> None:
        """Unless another save is under way, or one failed."""
        self.offsets.save_points({"a-0": 5})
        self.thread.perform_all()
        self.successResultOf(self.offsets.save_points({"a-0": 5}))
        self.assertEqual(len(self.thread), 0)
        self.disk.fail(errno.ENOSPC, "append")
        failed = self.offsets.save_points({"a-0": 6})
        self.thread.perform_all()
        self.failureResultOf(failed, OSError)
        again = self.offsets.save_points({"a-0": 6})
        self.assertNoResult(again)
        self.thread.perform_all()
        self.successResultOf(again)
        self.assertEqual(self.after_a_cut().point("a-0"), 6)

    def test_they_can_be_lowered(self) -> None:
        """Durably, also while a higher one is being saved, and not what was lower already."""
        self.offsets.save_points({"a-0": 5, "b-0": 9})
        self.offsets.save_start("a-0", 4)
        self.thread.perform_all()
        self.offsets.save_points({"a-0": 8})
        lowered = self.offsets.lower("a-0", 5)
        self.assertNoResult(lowered)
        self.thread.perform_all()
        self.successResultOf(lowered)
        again = self.after_a_cut()
        self.assertEqual((again.point("a-0"), again.point("b-0"), again.start("a-0")), (5, 9, 4))
        self.successResultOf(self.offsets.lower("a-0", 6))
        lowered = self.offsets.lower("a-0", 2)
        self.thread.perform_all()
        self.successResultOf(lowered)
        self.assertEqual((self.offsets.point("a-0"), self.offsets.start("a-0")), (2, 2))

    def test_a_name_can_be_forgotten(self) -> None:
        """At once for who asks, durably when told; the other names stay."""
        self.offsets.save_points({"a-0": 5, "b-0": 9})
        self.offsets.save_start("a-0", 4)
        self.thread.perform_all()
        forgotten = self.offsets.forget("a-0")
        self.assertEqual((self.offsets.point("a-0"), self.offsets.start("a-0")), (0, None))
        self.thread.perform_all()
        self.successResultOf(forgotten)
        again = self.after_a_cut()
        self.assertEqual((again.point("a-0"), again.point("b-0"), again.start("a-0")), (0, 9, None))

    def test_what_cannot_be_read_counts_as_lost(self) -> None:
        """Damaged twice, or a disk that fails."""
        self.offsets.save_points({"a-0": 5})
        self.thread.perform_all()
        self.disk.fail(errno.EIO, "read_at")
        self.assertEqual(self.after_a_cut().point("a-0"), 0)
        self.disk.flip_byte("recovery-points.json", 30)
        self.assertEqual(self.after_a_cut().point("a-0"), 0)


class TheMark(SynchronousTestCase):
    ENDS: ClassVar = {"a-0": CleanEnd(5, 0, 300), "b-1": CleanEnd(9, 7, 40)}

    def test_it_is_taken_away_before_it_is_used(self) -> None:
        """Durably: a power cut right after does not bring it back."""
        for seed in range(20):
            disk = MemoryDisk(Random(seed))
            self.assertIsNone(take_mark(disk.root))
            leave_mark(disk.root, self.ENDS)
            disk.cut()
            self.assertEqual(take_mark(disk.root), self.ENDS)
            disk.cut()
            self.assertIsNone(take_mark(disk.root))

    def test_one_that_cannot_be_taken_away_is_an_error(self) -> None:
        """It would be believed after a crash."""
        for kind in ("remove", "sync"):
            disk = MemoryDisk(Random(1))
            leave_mark(disk.root, self.ENDS)
            disk.fail(errno.EIO, kind)
            self.assertRaises(OSError, take_mark, disk.root)

    def test_one_that_cannot_be_read_is_none(self) -> None:
        """And goes."""
        disk = MemoryDisk(Random(1))
        leave_mark(disk.root, self.ENDS)
        disk.fail(errno.EIO, "read_at")
        self.assertIsNone(take_mark(disk.root))
        self.assertEqual(disk.root.list(), [])


class Known(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(1))
        self.gaps = Gaps(self.disk.root, 0)

    def loss(self, first: int, after: int) -> Loss:
        return Loss("x.log", 0, 10, first, after, "test")

    def test_a_gap_is_reported_once(self) -> None:
        """Also by the process after a power cut. Bytes without offsets are reported each time."""
        for gaps in (self.gaps, None):
            if gaps is None:
                self.disk.cut()
                gaps = Gaps(self.disk.root, 0)
            gaps.note(self.loss(3, 5))
            gaps.note(self.loss(3, 5))
            gaps.note(self.loss(8, 8))
            self.assertEqual(len(gaps.losses), 2 if gaps is self.gaps else 1)

    def test_whoever_stands_in_gaps_goes_on_behind_them(self) -> None:
        """However they follow each other."""
        for gap in ((10, 12), (3, 5), (5, 8)):
            self.gaps.note(self.loss(*gap))
        self.assertEqual([self.gaps.after(offset) for offset in (2, 3, 4, 5, 8, 10, 12)], [2, 8, 8, 8, 8, 12, 12])

    def test_gaps_that_nobody_can_meet_are_forgotten(self) -> None:
        """Below the start, and above the end of a log that was truncated."""
        for gap in ((3, 5), (10, 12), (20, 30)):
            self.gaps.note(self.loss(*gap))
        self.gaps.cut_end(15)
        again = Gaps(self.disk.root, 6)
        self.assertEqual([again.after(offset) for offset in (3, 10, 20)], [3, 12, 20])

    def test_on_a_full_disk_they_are_known_to_this_process_only(self) -> None:
        """Which then must not destroy what tells of them."""
        self.assertTrue(self.gaps.saved)
        self.disk.fail(errno.ENOSPC, "append")
        self.gaps.note(self.loss(3, 5))
        self.assertEqual((self.gaps.saved, self.gaps.after(3)), (False, 5))
        self.disk.fail(errno.EIO, "append")
        self.assertRaises(OSError, self.gaps.note, self.loss(7, 9))
