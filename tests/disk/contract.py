"""What both providers of directories and files promise: one suite, run against each."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.interfaces import Entry, IDirectory, IFile


def put(directory: IDirectory, name: str, content: bytes = b"") -> IFile:
    """A new file that holds *content*, open and unsynced."""
    file = directory.create(name)
    file.append(content)
    return file


def content(directory: IDirectory, name: str) -> bytes:
    """All of a file."""
    file = directory.open(name)
    try:
        return file.read_at(0, file.size)
    finally:
        file.close()


def names(directory: IDirectory) -> list[str]:
    """What a directory holds."""
    return [entry.name for entry in directory.list()]


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
        for size in (0, 3, 6):
            file.allocate(size)
        self.assertEqual((file.size, file.read_at(0, 9)), (6, b"abcdef"))

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


class DirectoryContract(SynchronousTestCase):
    """:attr:`directory` exists and is empty."""

    directory: IDirectory

    def test_it_is_a_directory(self) -> None:
        """The promise is kept by name and shape."""
        self.assertTrue(verifyObject(IDirectory, self.directory))

    def test_naming_a_child_does_nothing(self) -> None:
        """A child need not exist, and does not by being named."""
        child = self.directory.child("topic").child("deeper")
        self.assertTrue(child.path.endswith("/topic/deeper"))
        self.assertEqual((child.list(), self.directory.list()), ([], []))

    def test_making_a_directory_tells_whether_it_was_missing(self) -> None:
        """It is made once."""
        child = self.directory.child("topic")
        self.assertEqual([child.make(), child.make()], [True, False])
        self.assertEqual(self.directory.list(), [Entry("topic", True, 0)])

    def test_a_directory_is_not_made_in_nowhere_nor_over_a_file(self) -> None:
        """The directory above must be there, the name must be free."""
        put(self.directory, "file").close()
        self.assertRaises(FileNotFoundError, self.directory.child("missing").child("topic").make)
        self.assertRaises(FileExistsError, self.directory.child("file").make)
        self.assertRaises(NotADirectoryError, self.directory.child("file").child("topic").make)

    def test_entries_come_in_order_of_name_with_their_sizes(self) -> None:
        """Files with bytes, directories without."""
        put(self.directory, "b", b"abc").close()
        self.directory.child("c").make()
        put(self.directory, "a").close()
        put(self.directory, "B", b"x").close()
        expected = [Entry("B", False, 1), Entry("a", False, 0), Entry("b", False, 3), Entry("c", True, 0)]
        self.assertEqual(self.directory.list(), expected)

    def test_what_is_missing_is_not_found(self) -> None:
        """Each call that needs something says so, with the path."""
        missing = self.directory.child("missing")
        uses: list[Callable[[], object]] = [
            lambda: self.directory.open("file"),
            lambda: self.directory.remove("file"),
            lambda: self.directory.remove_directory("file"),
            lambda: self.directory.rename("file", "other"),
            lambda: missing.create("file"),
            lambda: missing.lock("file"),
            missing.sync,
            missing.free,
        ]
        for use in uses:
            self.assertIsNotNone(self.assertRaises(FileNotFoundError, use).filename)

    def test_a_file_is_created_once(self) -> None:
        """A taken name, by a file or a directory, is refused."""
        put(self.directory, "file", b"abc").close()
        self.directory.child("topic").make()
        for name in ("file", "topic"):
            self.assertRaises(FileExistsError, self.directory.create, name)
        self.assertEqual(content(self.directory, "file"), b"abc")

    def test_a_directory_is_no_file(self) -> None:
        """Neither opened nor removed nor locked as one, and a file is no directory."""
        self.directory.child("topic").make()
        put(self.directory, "file").close()
        for use in (self.directory.open, self.directory.lock):
            self.assertRaises(IsADirectoryError, use, "topic")
        self.assertRaises(OSError, self.directory.remove, "topic")
        self.assertRaises(NotADirectoryError, self.directory.remove_directory, "file")
        self.assertRaises(NotADirectoryError, self.directory.child("file").list)
        self.assertEqual(names(self.directory), ["file", "topic"])

    def test_renaming_replaces(self) -> None:
        """The old name is gone, the new one has its content, and a handle on what was replaced still reads."""
        put(self.directory, "new", b"new").close()
        old = put(self.directory, "name", b"old")
        self.addCleanup(old.close)
        self.directory.rename("new", "name")
        self.assertEqual((names(self.directory), content(self.directory, "name")), (["name"], b"new"))
        self.assertEqual(old.read_at(0, 9), b"old")

    def test_renaming_to_itself_changes_nothing(self) -> None:
        """The same name twice is fine."""
        put(self.directory, "file", b"abc").close()
        self.directory.rename("file", "file")
        self.assertEqual(content(self.directory, "file"), b"abc")

    def test_a_directory_is_renamed_with_what_it_holds(self) -> None:
        """Its files are found below the new name."""
        topic = self.directory.child("topic")
        topic.make()
        put(topic, "file", b"abc").close()
        self.directory.rename("topic", "gone")
        self.assertEqual((topic.list(), content(self.directory.child("gone"), "file")), ([], b"abc"))

    def test_only_an_empty_directory_is_removed(self) -> None:
        """What holds something stays."""
        topic = self.directory.child("topic")
        topic.make()
        put(topic, "file").close()
        self.assertRaises(OSError, self.directory.remove_directory, "topic")
        topic.remove("file")
        self.directory.remove_directory("topic")
        self.assertEqual(self.directory.list(), [])

    def test_a_name_stays_inside(self) -> None:
        """What could lead elsewhere is refused by every call that takes a name."""
        put(self.directory, "file").close()
        uses: list[Callable[[str], object]] = [
            self.directory.child,
            self.directory.open,
            self.directory.create,
            self.directory.remove,
            self.directory.remove_directory,
            self.directory.lock,
            lambda name: self.directory.rename("file", name),
            lambda name: self.directory.rename(name, "file"),
        ]
        for use in uses:
            for name in ("", ".", "..", "/", "a/b", "../file", "/etc", "file/", "a\0b"):
                self.assertRaises(ValueError, use, name)
        self.assertEqual(names(self.directory), ["file"])

    def test_syncing_a_directory_changes_nothing_to_be_seen(self) -> None:
        """It lists what it did."""
        put(self.directory, "file", b"abc").close()
        self.directory.sync()
        self.assertEqual(self.directory.list(), [Entry("file", False, 3)])

    def test_free_is_part_of_all(self) -> None:
        """There is some space, and not more of it free than there is."""
        free, total = self.directory.free()
        self.assertTrue(0 < free <= total, (free, total))

    def test_a_lock_is_held_once(self) -> None:
        """The second asker is refused until the first lets go; letting go twice does not let go of another's."""
        first = self.directory.lock("lock")
        self.assertRaises(BlockingIOError, self.directory.lock, "lock")
        first()
        second = self.directory.lock("lock")
        first()
        self.assertRaises(BlockingIOError, self.directory.lock, "lock")
        second()
        self.assertEqual(names(self.directory), ["lock"])

    def test_locking_leaves_the_content(self) -> None:
        """A file locked is a file like any other; two files are two locks."""
        put(self.directory, "a", b"abc").close()
        for name in ("a", "b"):
            self.addCleanup(self.directory.lock(name))
        self.assertEqual((content(self.directory, "a"), content(self.directory, "b")), (b"abc", b""))
