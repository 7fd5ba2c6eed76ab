"""Logs that become shorter, at the start and at the end."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.errors import OffsetOutOfRange, StorageError
from flux.model import FsyncMode
from flux.testing import Stopped
from tests.storage.scene import DIRECTORY, FIRST, Scene


def filled(mode: FsyncMode = FsyncMode.ALWAYS, *, queued: bool = False, seed: int = 0) -> Scene:
    """Twelve batches of two records in several segments and two epochs."""
    scene = Scene(mode, seed, queued=queued, segment_max_bytes=700, index_interval_bytes=150).start()
    for number in range(12):
        scene.put(b"%d " % number + b"v" * 100, b"second", epoch=number // 6)
        scene.turn()
    return scene


class TheStart(SynchronousTestCase):
    def test_what_is_below_is_out_of_range(self) -> None:
        """Files go when all they hold is forgotten, and their room with them; the rest stays."""
        scene = filled()
        before, files = scene.values(), scene.names(".log")
        for start in (1, 7, 13, 24):
            scene.done(scene.log.move_start(start))
            self.assertEqual(scene.log.start_offset, start)
            self.assertEqual(scene.values(), {o: value for o, value in before.items() if o >= start})
            self.failureResultOf(scene.log.read(start - 1, 10, 99), OffsetOutOfRange)
            bases = [int(path.split("/")[1][:20]) for path in scene.names(".log")]
            self.assertTrue(len(bases) == 1 or bases[1] > start)
        self.assertLess(len(scene.names(".log")), len(files))
        left = {path.split("/")[1][:20] for path in scene.names() if path.split("/")[1][:20].isdigit()}
        self.assertEqual(len(left), 1)
        self.assertEqual(scene.put(b"next", epoch=1), 24)

    def test_it_stays_where_it_is_over_a_power_cut(self) -> None:
        """From the moment it is told."""
        for start in (1, 7, 24):
            scene = filled()
            scene.done(scene.log.move_start(start))
            scene.cut()
            self.assertEqual((scene.log.start_offset, scene.manager.losses), (start, []))

    def test_room_is_freed_though_the_segments_were_being_read(self) -> None:
        """No descriptor keeps it."""
        scene = filled()
        scene.records(0)
        used = scene.disk.used
        scene.done(scene.log.move_start(20))
        self.assertLess(scene.disk.used, used - 1500)

    def test_it_never_moves_back(self) -> None:
        """Neither by order nor by two orders at once, now or after a restart."""
        scene = filled(queued=True)
        first, second, third = (scene.log.move_start(offset) for offset in (9, 4, 99))
        scene.turn()
        for order in (first, second, third):
            self.successResultOf(order)
        self.assertEqual(scene.log.start_offset, 24)
        self.assertEqual(scene.kill().log.start_offset, 24)

    def test_a_start_that_cannot_be_saved_is_not_moved(self) -> None:
        """Nothing was forgotten; it can be tried again."""
        scene = filled()
        before = scene.values()
        scene.disk.fail(errno.ENOSPC, "append")
        with self.assertRaises(StorageError):
            scene.done(scene.log.move_start(9))
        self.assertEqual((scene.log.start_offset, scene.values()), (0, before))
        scene.done(scene.log.move_start(9))
        self.assertEqual(scene.kill().log.start_offset, 9)

    def test_files_that_cannot_be_removed_go_at_the_next_start(self) -> None:
        """The start has moved all the same."""
        scene = filled()
        scene.disk.fail(errno.EIO, "rename", where=lambda path: "deleted" in path)
        scene.done(scene.log.move_start(20))
        self.assertIn(FIRST, scene.names())
        scene.kill()
        self.assertNotIn(FIRST, scene.names())
        self.assertEqual((scene.log.start_offset, scene.manager.losses), (20, []))

    def test_the_epochs_go_with_it(self) -> None:
        """The one it begins in begins with it."""
        scene = filled()
        scene.done(scene.log.move_start(5))
        self.assertEqual(scene.log.end_offset_for_epoch(0), (0, 12))
        scene.done(scene.log.move_start(14))
        self.assertEqual((scene.log.end_offset_for_epoch(0), scene.log.end_offset_for_epoch(1)), ((-1, -1), (1, 24)))


class TheEnd(SynchronousTestCase):
    def test_what_is_above_is_forgotten(self) -> None:
        """To the batch that holds the offset; in every mode, with syncs pending; and the log goes on there."""
        for mode in FsyncMode:
            for offset in (24, 23, 22, 13, 12, 7, 1, 0):
                scene = filled(mode)
                before = scene.values()
                scene.put(b"unsynced", epoch=1)
                scene.done(scene.log.truncate(offset))
                end = offset // 2 * 2 if offset < 24 else offset
                left = {o: value for o, value in before.items() if o < end}
                self.assertEqual((scene.values(), scene.log.end_offset), (left, end))
                self.assertEqual((scene.log.flushed.value, scene.log.promised.value), (end, end))
                self.assertEqual(scene.log.last_epoch, -1 if end == 0 else (end - 1) // 12)
                self.assertEqual(scene.put(b"another", epoch=5), end)
                scene.turn()
                for again in (scene.kill, scene.cut, scene.restart):
                    self.assertEqual(again().values(), {**left, end: b"another"})
                    self.assertEqual((scene.manager.losses, scene.log.end_offset), ([], end + 1))

    def test_no_crash_leaves_a_hole_or_goes_on_above(self) -> None:
        """At whichever call: the log is as before, or shorter, down to where it was cut; and appends go on at its end."""
        scene = filled()
        scene.advance(60)  # recovery points, which must not call what is cut away lost
        scene.values()
        first = scene.disk.calls
        scene.done(scene.log.truncate(9))
        last = scene.disk.calls
        for lost_power in (True, False):
            for call in range(first + 1, last + 1):
                scene = filled(seed=call)
                scene.advance(60)
                before = scene.values()
                scene.disk.cut_at(call) if lost_power else scene.disk.kill_at(call)
                scene.log.truncate(9).addErrback(lambda failure: None)
                scene.turn()
                scene.reboot()
                try:
                    scene.start()
                except Stopped:
                    self.fail("it stopped once")
                found = scene.values()
                self.assertEqual(sorted(found), list(range(len(found))), call)
                self.assertEqual(found, {o: before[o] for o in found})
                self.assertGreaterEqual(len(found), 8)
                self.assertEqual(scene.log.end_offset, len(found), (call, scene.manager.losses))
                self.flushLoggedErrors()  # of the process that ended in the middle of it

    def test_appends_are_refused_meanwhile(self) -> None:
        """And so is a new epoch; syncs that were due come before."""
        scene = filled(queued=True)
        scene.put(b"unsynced", epoch=1)
        cut = scene.log.truncate(9)
        self.assertRaises(StorageError, scene.put, b"x", epoch=1)
        self.assertRaises(StorageError, scene.log.begin_epoch, 9)
        moved = scene.log.move_start(3)  # waits for its turn
        scene.turn(20)
        self.successResultOf(cut)
        self.successResultOf(moved)
        self.assertEqual((scene.log.start_offset, scene.log.end_offset), (3, 8))
        self.assertEqual(scene.put(b"x", epoch=2), 8)

    def test_a_flush_asked_for_meanwhile_is_answered(self) -> None:
        """When it is over."""
        scene = filled(queued=True)
        cut = scene.log.truncate(9)
        scene.turn(1)
        flushed = scene.log.flush()
        scene.turn(20)
        self.successResultOf(cut)
        self.successResultOf(flushed)

    def test_a_segment_rolled_by_age_is_no_obstacle(self) -> None:
        """It is empty, and its name is provisional."""
        scene = Scene(queued=True, segment_max_age_seconds=60, retention_interval_ms=1000).start()
        scene.put(b"a")
        scene.put(b"b")
        scene.turn()
        scene.clock.advance(61)
        self.assertEqual(len(scene.names(".rolling")), 1)
        cut = scene.log.truncate(1)
        scene.turn(20)
        self.successResultOf(cut)
        self.assertEqual((scene.values(), scene.log.end_offset), ({0: b"a"}, 1))
        self.assertEqual(scene.put(b"c", epoch=1), 1)
        self.assertEqual(scene.kill().values(), {0: b"a", 1: b"c"})

    def test_damage_in_what_stays_is_no_obstacle(self) -> None:
        """And damage just below the end goes with what is cut."""
        for flipped, left in ((1, [0, 1, 4, 5, 6, 7]), (3, [0, 1, 2, 3, 4, 5])):
            scene = Scene(index_interval_bytes=100).start()
            scene.fill(8)
            scene.flip_byte(FIRST, scene.batches()[flipped][0] + 90)
            scene.done(scene.log.truncate(8))
            self.assertEqual(sorted(scene.values()), left)
            self.assertEqual(scene.log.end_offset, left[-1] + 1)

    def test_a_failing_disk_is_final(self) -> None:
        """Half a truncation is none that anybody could go on from; but a checkpoint that cannot be lowered leaves all as it was."""
        scene = filled()
        scene.advance(60)
        scene.disk.fail(errno.ENOSPC, "append", where=lambda path: "recovery-points" in path)
        with self.assertRaises(StorageError):
            scene.done(scene.log.truncate(9))
        self.assertIsNone(scene.log.failure)
        self.assertEqual((scene.log.end_offset, scene.put(b"x", epoch=1)), (24, 24))
        scene.turn()
        self.assertEqual(scene.log.flushed.value, 25)
        scene.disk.fail(errno.EIO, "truncate")
        with self.assertRaises(StorageError):
            scene.done(scene.log.truncate(9))
        self.assertIsNotNone(scene.log.failure)
        self.assertRaises(StorageError, scene.put, b"y")
        self.assertEqual(scene.kill().manager.losses, [])

    def test_below_the_start_the_start_comes_along(self) -> None:
        """What is durable of it too."""
        scene = filled()
        scene.done(scene.log.move_start(15))
        scene.done(scene.log.truncate(14))
        self.assertEqual((scene.log.start_offset, scene.log.end_offset), (14, 14))
        scene.put(b"new", epoch=3)
        scene.turn()
        self.assertEqual(scene.cut().values(), {14: b"new"})


class Following(SynchronousTestCase):
    def batch(self, offset: int, *values: bytes, epoch: int = 0) -> bytes:
        encoded = encode([None] * len(values), list(values), 1000)
        return encoded.prefix(offset, epoch) + encoded.body

    def test_batches_keep_their_place(self) -> None:
        """As their leader stamped them, epochs included."""
        scene = Scene().start()
        data = self.batch(0, b"a", b"b") + self.batch(2, b"c", epoch=4)
        self.assertEqual(scene.log.append_as_follower(data), 3)
        self.assertEqual((scene.values(), scene.log.last_epoch), ({0: b"a", 1: b"b", 2: b"c"}, 4))
        scene.turn()
        self.assertEqual(scene.read(0), data)
        self.assertEqual(scene.cut().read(0), data)

    def test_a_gap_of_the_leaders_is_kept(self) -> None:
        """In a file of its own; over kills, power cuts and restarts nothing after it counts as damaged."""
        for synced in (True, False):
            scene = Scene(FsyncMode.NEVER).start()
            scene.log.append_as_follower(self.batch(0, b"a"))
            scene.log.append_as_follower(self.batch(10, b"b", epoch=1) + self.batch(11, b"c", epoch=1))
            if synced:
                scene.done(scene.log.flush())
            values = {0: b"a", 10: b"b", 11: b"c"}
            self.assertEqual(scene.values(), values)
            self.assertEqual(scene.kill().values(), values)
            self.assertEqual(scene.cut().values(), values)
            self.assertEqual(scene.restart().values(), values)
            self.assertEqual(scene.read(5), scene.read(10))

    def test_what_does_not_go_on_at_the_end_is_refused(self) -> None:
        """Below the end, an epoch that falls, a damaged batch; nothing of it is kept."""
        scene = Scene().start()
        scene.log.append_as_follower(self.batch(0, b"a", epoch=3))
        damaged = bytearray(self.batch(1, b"b", epoch=3))
        damaged[-1] ^= 1
        for bad in (self.batch(0, b"x", epoch=3), self.batch(1, b"x", epoch=2), bytes(damaged)):
            self.assertRaises(StorageError, scene.log.append_as_follower, bad)
        self.assertEqual((scene.values(), scene.log.end_offset), ({0: b"a"}, 1))

    def test_a_refused_gap_leaves_the_end_where_it_was(self) -> None:
        """The disk was full."""
        scene = Scene().start()
        scene.log.append_as_follower(self.batch(0, b"a"))
        for kind in ("create", "append"):
            scene.disk.fail(errno.ENOSPC, kind)
            self.assertRaises(StorageError, scene.log.append_as_follower, self.batch(9, b"b"))
            self.assertEqual(scene.log.end_offset, 1)
        self.assertEqual(scene.log.append_as_follower(self.batch(9, b"b")), 10)
        scene.turn()
        self.assertEqual(scene.values(), {0: b"a", 9: b"b"})
        self.assertIn(DIRECTORY, FIRST)
