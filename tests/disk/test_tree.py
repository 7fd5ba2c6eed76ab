"""The language of damage."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from tests.disk.contract import content, names, put


class Damage(SynchronousTestCase):
    """Done to ``topic/file``, which holds ``abcdef``."""

    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0))
        self.topic = self.disk.root.child("topic")
        self.topic.make()
        self.disk.root.sync()
        put(self.topic, "file", b"abcdef").datasync()
        self.topic.sync()

    def left(self) -> bytes:
        """What a process finds, now and after a cut."""
        found = content(self.topic, "file")
        self.disk.cut()
        self.assertEqual(content(self.topic, "file"), found)
        return found

    def test_a_byte_is_flipped(self) -> None:
        """All its bits."""
        self.disk.flip_byte("topic/file", 1)
        self.assertEqual(self.left(), b"a" + bytes([ord("b") ^ 0xFF]) + b"cdef")

    def test_a_bit_is_flipped(self) -> None:
        """The one asked for; twice is never."""
        for bit in range(8):
            self.disk.flip_bit("/topic/file", 5, bit)
            self.assertEqual(self.left(), b"abcde" + bytes([ord("f") ^ (1 << bit)]))
            self.disk.flip_bit("/topic/file", 5, bit)
        self.assertEqual(self.left(), b"abcdef")

    def test_bytes_are_overwritten(self) -> None:
        """The rest and the size stay."""
        self.disk.overwrite("topic/file", 2, b"XY")
        self.assertEqual(self.left(), b"abXYef")

    def test_a_file_is_shortened(self) -> None:
        """By so many bytes, also by all or none."""
        self.disk.shorten("topic/file", 0)
        self.disk.shorten("topic/file", 2)
        self.assertEqual(self.left(), b"abcd")
        self.disk.shorten("topic/file", 4)
        self.assertEqual(self.left(), b"")

    def test_a_file_is_lost(self) -> None:
        """For good, and its neighbours stay."""
        put(self.topic, "other")
        self.disk.lose("topic/file")
        self.disk.cut()
        self.assertEqual(names(self.topic), ["other"])

    def test_a_directory_is_lost(self) -> None:
        """With all it held."""
        self.disk.lose("/topic")
        self.disk.cut()
        self.assertEqual((names(self.disk.root), self.topic.list()), ([], []))

    def test_unsynced_bytes_of_a_damaged_file_count_as_synced(self) -> None:
        """Damage is done to a disk at rest."""
        self.topic.open("file").append(b"ghi")
        self.disk.overwrite("topic/file", 0, b"X")
        self.assertEqual(self.left(), b"Xbcdefghi")

    def test_what_is_not_there_cannot_be_damaged(self) -> None:
        """No such file, no such byte: a mistake of the test, said at once."""
        for position in (6, -1):
            self.assertRaises(ValueError, self.disk.flip_byte, "topic/file", position)
        self.assertRaises(ValueError, self.disk.overwrite, "topic/file", 5, b"XY")
        self.assertRaises(ValueError, self.disk.shorten, "topic/file", 7)
        self.assertRaises(FileNotFoundError, self.disk.lose, "topic/other")
        self.assertRaises(FileNotFoundError, self.disk.flip_byte, "other/file", 0)
        self.assertRaises(IsADirectoryError, self.disk.flip_byte, "topic", 0)
        self.assertRaises(NotADirectoryError, self.disk.lose, "topic/file/deeper")
        self.assertEqual((self.left(), self.disk.calls > 0), (b"abcdef", True))

    def test_damage_is_no_call(self) -> None:
        """It is neither counted nor made to fail."""
        before = self.disk.calls
        self.disk.flip_byte("topic/file", 0)
        self.disk.lose("topic/file")
        self.assertEqual(self.disk.calls, before)
