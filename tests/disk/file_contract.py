"""What both providers of files promise: one suite, run against each."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.interfaces import IDirectory, IFile
from tests.disk.contract import content, names, put


class FileContract(SynchronousTestCase):
    """A file of :attr:`directory`, which exists and is empty."""

    directory: IDirectory

    def new(self, name: str = "file", data: bytes = b"") -> IFile:
        file = put(self.directory, name, data)
        self.addCleanup(file.close)
        return file

    def opened(self, name: str = "file") -> IFile:
        file = self.directory.open(name)
        self.addCleanup(file.close)
        return file

    def test_it_is_a_file(self) -> None:
        """The promise is kept by name and shape."""
        self.assertTrue(verifyObject(IFile, self.new()))

    def test_an_append_tells_where_it_went(self) -> None:
        """Appends follow each other, and the tracked end follows them."""
        file = self.new()
        self.assertEqual([file.append(b"abc"), file.append(b"de"), file.size], [0, 3, 5])
        self.assertEqual(file.read_at(0, 5), b"abcde")

    def test_chunks_are_written_one_after_the_other(self) -> None:
        """Several chunks, empty ones among them, are one stretch."""
        file = self.new()
        self.assertEqual(file.append(b"abc", b"", b"de", b"f"), 0)
        self.assertEqual((file.size, file.read_at(0, 9)), (6, b"abcdef"))

    def test_more_chunks_than_one_system_call_takes(self) -> None:
        """Five thousand chunks are written like five."""
        chunks = [b"%d," % number for number in range(5000)]
        file = self.new()
        file.append(*chunks)
        self.assertEqual(file.read_at(0, file.size), b"".join(chunks))

    def test_nothing_may_be_appended(self) -> None:
        """No chunks, or empty ones, change nothing."""
        file = self.new(data=b"abc")
        self.assertEqual([file.append(), file.append(b""), file.append(b"", b""), file.size], [3, 3, 3, 3])

    def test_a_read_ends_at_the_end(self) -> None:
        """What is asked for beyond the end is not there."""
        file = self.new(data=b"abcde")
        asked = [(0, 2), (3, 9), (5, 1), (9, 1), (2, 0)]
        self.assertEqual([file.read_at(*each) for each in asked], [b"ab", b"de", b"", b"", b""])

    def test_there_is_nothing_before_the_beginning(self) -> None:
        """A negative position is refused."""
        self.assertRaises(OSError, self.new(data=b"abc").read_at, -1, 2)

    def test_an_opened_file_goes_on_at_its_end(self) -> None:
        """The tracked end of an existing file is its present end."""
        self.new(data=b"abc").close()
        file = self.opened()
        self.assertEqual((file.size, file.append(b"d"), file.read_at(0, 9)), (3, 3, b"abcd"))

    def test_the_tracked_end_decides_not_the_system(self) -> None:
        """What somebody else wrote meanwhile is written over, as it must be to undo a short write."""
        ours = self.new(data=b"abc")
        self.opened().append(b"XYZ")
        self.assertEqual((ours.append(b"de"), ours.read_at(0, 9)), (3, b"abcdeZ"))

    def test_the_next_append_goes_where_it_was_cut(self) -> None:
        """Truncating moves the tracked end."""
        file = self.new(data=b"abcdef")
        file.truncate(2)
        self.assertEqual((file.size, file.append(b"X"), file.read_at(0, 9)), (2, 2, b"abX"))
        file.truncate(3)
        file.truncate(0)
        self.assertEqual((file.size, self.directory.list()[0].size), (0, 0))

    def test_truncating_never_grows(self) -> None:
        """A size beyond the end, or below zero, is a mistake of the caller."""
        file = self.new(data=b"abc")
        for size in (4, -1):
            self.assertRaises(ValueError, file.truncate, size)
        self.assertEqual((file.size, file.read_at(0, 9)), (3, b"abc"))

    def test_allocated_bytes_are_zeros_and_the_end_is_behind_them(self) -> None:
        """Allocating grows the file to exactly the size asked for."""
        file = self.new(data=b"abc")
        file.allocate(10_000)
        self.assertEqual((file.size, self.directory.list()[0].size), (10_000, 10_000))
        self.assertEqual((file.append(b"d"), file.read_at(0, 10_001)), (10_000, b"abc" + bytes(9_997) + b"d"))

    def test_allocating_what_is_there_changes_nothing(self) -> None:
        """A file that is large enough keeps its size and content."""
        file = self.new(data=b"abcdef")
        for size in (6, 3, 0):
            file.allocate(size)
        self.assertEqual((file.size, file.read_at(0, 9)), (6, b"abcdef"))

    def test_what_was_made_ready_is_written_over(self) -> None:
        """Zeros behind the tracked end, which stays where it was; the file grows when they are used up."""
        file = self.new(data=b"abc")
        file.make_ready(8)
        self.assertEqual((file.size, file.ready, self.directory.list()[0].size), (3, 8, 8))
        self.assertEqual((file.append(b"d"), file.size, file.ready, file.read_at(0, 99)), (3, 4, 8, b"abcd" + bytes(4)))
        file.append(b"efghij")
        self.assertEqual((file.size, file.ready, file.read_at(0, 99)), (10, 10, b"abcdefghij"))

    def test_ready_is_made_more_of(self) -> None:
        """From where it ended; what is less changes nothing, and nothing that was written is lost."""
        file = self.new(data=b"abc")
        for size in (6, 9, 4, 0):
            file.make_ready(size)
        file.append(b"def")
        file.make_ready(3_000_000)
        self.assertEqual((file.size, file.ready, self.directory.list()[0].size), (6, 3_000_000, 3_000_000))
        self.assertEqual(file.read_at(0, 3_000_001), b"abcdef" + bytes(2_999_994))

    def test_trimming_ends_the_file_where_it_is_written_to(self) -> None:
        """What was ready is gone; where nothing is, nothing happens."""
        file = self.new(data=b"abc")
        file.make_ready(5000)
        file.trim()
        file.trim()
        self.assertEqual((file.size, file.ready, self.directory.list()[0].size), (3, 3, 3))
        self.assertEqual((file.append(b"d"), file.read_at(0, 9)), (3, b"abcd"))

    def test_truncating_takes_what_was_ready_along(self) -> None:
        """It is no longer behind the end."""
        file = self.new(data=b"abcdef")
        file.make_ready(100)
        file.truncate(2)
        self.assertEqual((file.size, file.ready, self.directory.list()[0].size), (2, 2, 2))

    def test_what_is_ready_counts_for_whoever_opens_the_file(self) -> None:
        """Nothing tells the zeros from others."""
        self.new(data=b"abc").make_ready(9)
        self.assertEqual((self.opened().size, self.opened().ready), (9, 9))

    def test_syncing_changes_nothing_to_be_seen(self) -> None:
        """After datasync and drop_cache the same bytes are read, and appends go on."""
        file = self.new(data=b"abc")
        file.datasync()
        file.append(b"de")
        file.drop_cache()
        self.assertEqual((file.read_at(0, 9), file.append(b"f")), (b"abcde", 5))

    def test_a_closed_file_is_closed(self) -> None:
        """Whatever is asked of it fails, but for closing it again."""
        file = self.new(data=b"abc")
        file.close()
        file.close()
        uses: list[Callable[[], object]] = [
            lambda: file.append(b"d"),
            lambda: file.read_at(0, 1),
            lambda: file.truncate(1),
            lambda: file.allocate(9),
            lambda: file.make_ready(9),
            file.trim,
            file.datasync,
            file.drop_cache,
        ]
        for use in uses:
            self.assertRaises(OSError, use)
        self.assertEqual(content(self.directory, "file"), b"abc")

    def test_a_removed_file_lives_until_it_is_closed(self) -> None:
        """A reader keeps what it has open."""
        file = self.new(data=b"abc")
        self.directory.remove("file")
        self.assertEqual((file.read_at(0, 9), names(self.directory)), (b"abc", []))
