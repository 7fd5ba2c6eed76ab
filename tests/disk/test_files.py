"""The real directory: the contract, and what only the system can show."""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import stat
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.files import File, FilesDirectory
from flux.interfaces import IDirectory, IFile
from tests.disk import contract, file_contract

LIMIT = 1 << 30  # far beyond what anything else in this process writes


class RealDirectory(SynchronousTestCase):
    """A directory that exists, and no file in it larger than LIMIT where a test says so."""

    directory: IDirectory

    def setUp(self) -> None:
        self.directory = FilesDirectory(self.mktemp())
        self.directory.make()

    def limited(self, room: int) -> IFile:
        """A sparse file that may still grow by *room* bytes; then the system says EFBIG."""
        path = os.path.join(self.directory.path, "limited")
        with open(path, "wb") as sparse:
            sparse.truncate(LIMIT - room)
        self.limit_sizes()
        file = self.directory.open("limited")
        self.addCleanup(file.close)
        return file

    def limit_sizes(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)


class FilesKeepTheContract(RealDirectory, file_contract.FileContract):
    """Real files."""


class DirectoriesKeepTheContract(RealDirectory, contract.DirectoryContract):
    """Real directories."""


class FilesTests(RealDirectory):
    """Modes, links, and writes the system does not finish."""

    def test_only_we_may_look(self) -> None:
        """Files are made 0600, directories 0700, whatever their kind."""
        self.directory.child("topic").make()
        self.directory.create("file").close()
        self.directory.lock("lock")()
        modes = {
            name: stat.S_IMODE(os.stat(os.path.join(self.directory.path, name)).st_mode)
            for name in ("topic", "file", "lock")
        }
        self.assertEqual(modes, {"topic": 0o700, "file": 0o600, "lock": 0o600})

    def test_a_symbolic_link_is_not_followed(self) -> None:
        """Neither opened nor locked, and listed as what it is."""
        outside = self.mktemp()
        with open(outside, "wb") as file:
            file.write(b"secret")
        os.symlink(os.path.abspath(outside), os.path.join(self.directory.path, "link"))
        for use in (self.directory.open, self.directory.lock):
            self.assertEqual(self.assertRaises(OSError, use, "link").errno, errno.ELOOP)
        self.assertRaises(FileExistsError, self.directory.create, "link")
        [entry] = self.directory.list()
        self.assertEqual((entry.name, entry.is_directory), ("link", False))

    def test_a_child_process_inherits_nothing(self) -> None:
        """The descriptor is closed on exec."""
        before = set(os.listdir("/dev/fd"))
        file = self.directory.create("file")
        self.addCleanup(file.close)
        new = [int(name) for name in os.listdir("/dev/fd") if name not in before]
        inheritable = [fd for fd in new if _is_open(fd) and os.get_inheritable(fd)]
        self.assertEqual(inheritable, [])

    def test_a_short_write_is_taken_back(self) -> None:
        """The system takes 1,000 of 10,000 bytes, then refuses: the file is as it was, and goes on when there is room."""
        for chunks in ([b"x" * 10_000], [b"x" * 700] * 10, [b"x"] * 5_000):
            file = self.limited(room=1_000)
            error = self.assertRaises(OSError, file.append, *chunks)
            self.assertEqual((error.errno, file.size), (errno.EFBIG, LIMIT - 1_000))
            self.assertEqual(self.directory.list()[0].size, LIMIT - 1_000)
            self.assertEqual(file.append(b"y" * 1_000), LIMIT - 1_000)
            self.assertEqual(file.read_at(LIMIT - 1_000, 2_000), b"y" * 1_000)

    def test_an_allocation_there_is_no_room_for_leaves_the_file_as_it_was(self) -> None:
        """Nothing is kept of it."""
        file = self.limited(room=1_000)
        self.assertRaises(OSError, file.allocate, LIMIT + 1)
        self.assertEqual((file.size, self.directory.list()[0].size), (LIMIT - 1_000, LIMIT - 1_000))

    def test_zeros_there_is_no_room_for_leave_the_file_as_it_was(self) -> None:
        """Nothing is ready then, and what was appended before is there."""
        file = self.limited(room=2_000_000)
        file.append(b"abc")
        error = self.assertRaises(OSError, file.make_ready, LIMIT + 1)
        self.assertEqual((error.errno, file.size, file.ready), (errno.EFBIG, LIMIT - 1_999_997, LIMIT - 1_999_997))
        self.assertEqual(self.directory.list()[0].size, LIMIT - 1_999_997)
        self.assertEqual(file.read_at(LIMIT - 2_000_000, 10), b"abc")

    def test_a_write_that_cannot_be_taken_back_is_the_last(self) -> None:
        """The error is EIO, what is beyond the tracked end does not count, and the file refuses to be written again."""
        descriptor = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
        os.truncate(descriptor, LIMIT - 1_000)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        file = File(descriptor, "sealed")
        self.addCleanup(file.close)
        self.limit_sizes()
        error = self.assertRaises(OSError, file.append, b"x" * 10_000)
        self.assertEqual((error.errno, file.size), (errno.EIO, LIMIT - 1_000))
        uses: list[Callable[[], object]] = [
            lambda: file.append(b"y"),
            lambda: file.truncate(0),
            lambda: file.allocate(LIMIT),
            lambda: file.make_ready(LIMIT),
            file.trim,
        ]
        for use in uses:
            self.assertEqual(self.assertRaises(OSError, use).errno, errno.EIO)

    def test_dropping_the_cache_empties_it(self) -> None:
        """No page stays resident, so that the next read asks the medium; before, all of them were."""
        file = self.directory.create("file")
        self.addCleanup(file.close)
        file.append(b"x" * (1 << 20))
        before = _resident_pages(os.path.join(self.directory.path, "file"))
        file.drop_cache()
        after = _resident_pages(os.path.join(self.directory.path, "file"))
        self.assertEqual((before, after), ((1 << 20) // mmap.PAGESIZE, 0))
        self.assertEqual(file.read_at((1 << 20) - 3, 9), b"xxx")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _resident_pages(path: str) -> int:
    """How many pages of a file the kernel has in memory, by mincore(2)."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        found = (ctypes.c_ubyte * (len(mapped) // mmap.PAGESIZE))()
        libc = ctypes.CDLL(None, use_errno=True)
        status = libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(mapped)), found)
        del first  # or the map cannot be closed
    if status:
        raise OSError(ctypes.get_errno(), "mincore")
    return sum(page & 1 for page in found)
