"""What both providers of directories promise: one suite, run against each. Files have theirs in :mod:`tests.disk.file_contract`."""

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
