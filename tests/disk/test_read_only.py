"""A directory that is only looked at."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.files import FilesDirectory
from flux.disk.read_only import ReadOnlyDirectory


class ReadOnlyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owner = FilesDirectory(self.mktemp())
        self.owner.make()
        file = self.owner.create("file")
        file.append(b"content")
        file.close()
        self.owner.child("below").make()
        self.directory = ReadOnlyDirectory(self.owner.path)

    def test_it_shows_what_is_there(self) -> None:
        """Names, sizes and bytes, below it too."""
        self.assertEqual(self.directory.list(), self.owner.list())
        file = self.directory.open("file")
        self.addCleanup(file.close)
        self.assertEqual((file.size, file.read_at(3, 10)), (7, b"tent"))
        file.drop_cache()
        self.assertIsInstance(self.directory.child("below"), ReadOnlyDirectory)
        self.directory.sync()

    def test_it_changes_nothing(self) -> None:
        """Whatever is asked of it, or of its files."""
        directory, file = self.directory, self.directory.open("file")
        self.addCleanup(file.close)
        for refused in (
            directory.make,
            lambda: directory.create("new"),
            lambda: directory.rename("file", "other"),
            lambda: directory.remove("file"),
            lambda: directory.remove_directory("below"),
            lambda: directory.lock("lock"),
        ):
            self.assertEqual(self.assertRaises(OSError, refused).errno, errno.EROFS)
        for kept in (lambda: file.append(b"more"), lambda: file.truncate(0)):
            self.assertRaises(OSError, kept)
        again = self.owner.open("file")
        self.addCleanup(again.close)
        self.assertEqual([entry.name for entry in self.owner.list()], ["below", "file"])
        self.assertEqual(again.read_at(0, 10), b"content")

    def test_it_sees_whether_the_owner_is_there(self) -> None:
        """Without becoming one."""
        self.assertFalse(self.directory.is_locked("lock"))
        self.assertNotIn("lock", [entry.name for entry in self.owner.list()])
        let_go = self.owner.lock("lock")
        self.assertTrue(self.directory.is_locked("lock"))
        let_go()
        self.assertFalse(self.directory.is_locked("lock"))
        self.owner.lock("lock")()
