"""Appends stop before the disk is full, and go on when there is room again."""

import errno
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.errors import DiskFull
from flux.storage.space import Space
from tests.storage.scene import Scene

RESERVE = 300


class Room(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(1), capacity=20_000)  # so the low mark is at most 1000
        self.space = Space(self.disk.root, 5000, RESERVE)

    def fill(self, left: int) -> None:
        """Let so many bytes be free."""
        names = [entry.name for entry in self.disk.root.list()]
        if "ballast" in names:
            self.disk.root.remove("ballast")
        file = self.disk.root.create("ballast")
        file.append(bytes(self.disk.room - left))
        file.close()

    def held(self) -> int:
        return sum(entry.size for entry in self.disk.root.list() if entry.name == "reserve")

    def test_the_reserve_is_taken_and_given_up_below_the_mark(self) -> None:
        """The mark is a twentieth of the disk at most; appends go on at twice the mark, not sooner."""
        self.space.check()
        self.assertEqual((self.space.low, self.held()), (False, RESERVE))
        for free, low in ((1001, False), (999, True), (1500, True), (1999, True), (2300, False), (1500, False)):
            self.fill(free)
            self.space.check()
            self.assertEqual((self.space.low, bool(self.held())), (low, not low), free)

    def test_a_write_that_found_no_room_stops_all_appends(self) -> None:
        """What the reserve frees is for the stop; it is taken again when there is room."""
        self.space.check()
        self.space.exhausted()
        self.assertEqual((self.space.low, self.held()), (True, 0))
        self.space.exhausted()
        self.space.check()
        self.assertEqual((self.space.low, self.held()), (False, RESERVE))

    def test_the_reserve_of_an_earlier_run_is_known(self) -> None:
        """And given up if the disk is low at the start."""
        self.space.check()
        self.fill(500)
        again = Space(self.disk.root, 5000, RESERVE)
        again.check()
        self.assertEqual((again.low, self.held()), (True, 0))

    def test_no_room_for_the_reserve_is_no_reason_to_stop(self) -> None:
        """It is left out, and tried again."""
        space = Space(self.disk.root, 0, 50_000)
        space.check()
        self.assertEqual((space.low, self.held()), (False, 0))
        self.disk.fail(errno.ENOSPC, "create")
        space.check()
        self.assertEqual(self.held(), 0)

    def test_a_disk_that_cannot_be_looked_at_is_left_as_it_was(self) -> None:
        """The next look counts."""
        self.disk.fail(errno.EIO, "free")
        self.space.check()
        self.assertFalse(self.space.low)
        self.space.check()
        self.disk.fail(errno.EIO, "remove")
        self.space.exhausted()
        self.assertTrue(self.space.low)
        self.assertEqual(self.held(), RESERVE)


class Appends(SynchronousTestCase):
    def test_below_the_mark_appends_are_refused_until_there_is_room(self) -> None:
        """Before a byte is written, and the stop is clean all the same."""
        scene = Scene(disk_low_bytes=800, disk_reserve_bytes=100)
        scene.disk.capacity = 16_000
        scene.start()
        scene.put(b"a")
        scene.turn()
        file = scene.root.create("ballast")
        file.append(bytes(scene.disk.room - 500))
        scene.advance(2)
        self.assertRaises(DiskFull, scene.put, b"b")
        self.assertRaises(DiskFull, scene.log.begin_epoch, 7)
        scene.restart()
        self.assertFalse(scene.manager.unclean)
        self.assertRaises(DiskFull, scene.put, b"b")
        scene.root.remove("ballast")
        file.close()
        scene.advance(2)
        self.assertEqual((scene.put(b"c"), scene.values()), (1, {0: b"a", 1: b"c"}))
