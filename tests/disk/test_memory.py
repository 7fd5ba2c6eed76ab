"""The model disk as a disk: the contract, the end of a process, room."""

import errno
from functools import partial
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.interfaces import Entry
from tests.disk import contract, file_contract
from tests.disk.contract import content, names, put


class ModelFilesKeepTheContract(file_contract.FileContract):
    """Files of the model."""

    def setUp(self) -> None:
        self.directory = MemoryDisk(Random(0)).root


class ModelDirectoriesKeepTheContract(contract.DirectoryContract):
    """Directories of the model."""

    def setUp(self) -> None:
        self.directory = MemoryDisk(Random(0)).root


class EndOfAProcess(SynchronousTestCase):
    """What a kill and a cut have in common, and what a kill leaves."""

    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0))
        self.root = self.disk.root

    def test_open_files_are_dead(self) -> None:
        """A handle from before a kill or a cut only closes."""
        for end in (self.disk.kill, self.disk.cut, self.disk.restart):
            file = put(self.root, f"file{self.disk.calls}", b"abc")
            end()
            for use in (
                partial(file.append, b"d"),
                partial(file.read_at, 0, 1),
                file.datasync,
                partial(file.truncate, 0),
            ):
                self.assertEqual(self.assertRaises(OSError, use).errno, errno.EBADF)
            file.close()

    def test_locks_are_free(self) -> None:
        """The next process gets the lock, and the last one's function does not take it away again."""
        for end in (self.disk.kill, self.disk.cut):
            let_go = self.root.lock("lock")
            self.assertRaises(BlockingIOError, self.root.lock, "lock")
            end()
            again = self.root.lock("lock")
            let_go()
            self.assertRaises(BlockingIOError, self.root.lock, "lock")
            again()

    def test_a_kill_loses_nothing_written(self) -> None:
        """Unsynced bytes, names, truncations: all there, whatever the dice."""
        for seed in range(20):
            disk = MemoryDisk(Random(seed))
            put(disk.root, "a", b"abcdef").truncate(4)
            put(disk.root, "b", b"xyz")
            disk.root.rename("b", "c")
            disk.root.child("topic").make()
            disk.kill()
            self.assertEqual(names(disk.root), ["a", "c", "topic"])
            self.assertEqual((content(disk.root, "a"), content(disk.root, "c")), (b"abcd", b"xyz"))

    def test_a_kill_makes_nothing_durable(self) -> None:
        """What was unsynced before it may still be lost by a cut after it."""
        left = set()
        for seed in range(40):
            disk = MemoryDisk(Random(seed))
            put(disk.root, "file", b"abc")
            disk.kill()
            disk.cut()
            left.add(content(disk.root, "file") if names(disk.root) else None)
        self.assertTrue({None, b"", b"abc"} <= left, left)

    def test_a_removed_file_ends_with_its_last_handle(self) -> None:
        """Its bytes take room until then."""
        file = put(self.root, "file", b"abc")
        self.root.remove("file")
        self.assertEqual(self.disk.used, 3)
        file.close()
        self.assertEqual(self.disk.used, 0)
        put(self.root, "other", b"abcd")
        self.root.remove("other")
        self.disk.kill()
        self.assertEqual((self.disk.used, len(self.disk.opened)), (0, 0))

    @settings(max_examples=50, deadline=None, database=None)
    @given(st.integers(0, 1 << 30))
    def test_the_same_dice_lose_the_same(self, seed: int) -> None:
        """The model is a function of its seed and its calls."""

        def scene() -> list[tuple[Entry, bytes]]:
            disk = MemoryDisk(Random(seed))
            for name in "abcdef":
                put(disk.root, name, name.encode() * 50)
            disk.cut()
            return [(entry, content(disk.root, entry.name)) for entry in disk.root.list()]

        self.assertEqual(scene(), scene())


class Room(SynchronousTestCase):
    """A disk of one hundred bytes."""

    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0), capacity=100)
        self.root = self.disk.root

    def test_an_append_beyond_it_leaves_nothing(self) -> None:
        """Part of it was written by then, and is cut back."""
        file = put(self.root, "file", b"x" * 90)
        error = self.assertRaises(OSError, file.append, b"y" * 8, b"z" * 8)
        self.assertEqual((error.errno, file.size, content(self.root, "file")), (errno.ENOSPC, 90, b"x" * 90))
        self.assertIn("rollback", [call.kind for call in self.disk.log])
        self.assertEqual((file.append(b"y" * 10), self.root.free()), (90, (0, 100)))

    def test_the_part_that_was_written_may_be_what_survives(self) -> None:
        """A cut may keep the torn part and lose the cutting back, both unsynced."""
        survived = set()
        for seed in range(60):
            disk = MemoryDisk(Random(seed), capacity=100)
            file = put(disk.root, "file", b"x" * 90)
            file.datasync()
            disk.root.sync()
            self.assertRaises(OSError, file.append, b"y" * 16)
            disk.cut()
            survived.add(content(disk.root, "file"))
        self.assertTrue({b"x" * 90, b"x" * 90 + b"y" * 10} <= survived, survived)

    def test_an_allocation_beyond_it_is_refused_whole(self) -> None:
        """The file keeps its size."""
        file = put(self.root, "file", b"abc")
        self.assertEqual(self.assertRaises(OSError, file.allocate, 101).errno, errno.ENOSPC)
        file.allocate(100)
        self.assertEqual((file.size, self.disk.room), (100, 0))

    def test_zeros_beyond_it_leave_the_file_as_it_was(self) -> None:
        """Nor is anything ready of what was before."""
        file = put(self.root, "file", b"abc")
        file.make_ready(50)
        self.assertEqual(self.assertRaises(OSError, file.make_ready, 101).errno, errno.ENOSPC)
        self.assertEqual((file.size, file.ready, content(self.root, "file"), self.disk.room), (3, 3, b"abc", 97))

    def test_room_returns(self) -> None:
        """Truncating, removing and more capacity make room; writing over what is there needs none."""
        file = put(self.root, "file", b"x" * 100)
        other = put(self.root, "empty")
        self.assertRaises(OSError, other.append, b"y")
        file.truncate(60)
        self.assertEqual((other.append(b"y" * 40), self.root.free()), (0, (0, 100)))
        file.close()
        self.root.remove("file")
        self.assertEqual(self.root.free(), (60, 100))
        self.disk.capacity = 200
        self.assertEqual(self.root.free(), (160, 200))

    def test_writing_over_needs_no_room(self) -> None:
        """An old handle that writes where there are bytes already is not refused."""
        old = put(self.root, "file")
        self.disk.root.open("file").append(b"x" * 100)
        self.assertEqual((old.append(b"y" * 100), content(self.root, "file")), (0, b"y" * 100))
