"""The real directory and its files.

Linux is what the promises were measured on. macOS works too, by the few fallbacks below; there nothing forgets cached pages.
"""

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Sequence

from zope.interface import implementer

from flux.disk.names import single_component
from flux.interfaces import Entry, IDirectory, IFile

_MOST_CHUNKS = 1024  # IOV_MAX: pwritev refuses more in one call
_ZEROS = bytes(1 << 20)

if sys.platform == "darwin":

    def _datasync(descriptor: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's own cache

else:
    _datasync = os.fdatasync
_BY_DESCRIPTOR = _datasync is os.fdatasync


@implementer(IFile)
class File:
    """One open file, written at a tracked position and never with ``O_APPEND``: that is what makes cutting back possible."""

    __slots__ = ("_broken", "_descriptor", "_path", "ready", "size")

    def __init__(self, descriptor: int, path: str) -> None:
        """Own *descriptor*, open for reading and writing; *path* is for messages."""
        self._descriptor = descriptor
        self._path = path
        self._broken = False
        self.size: int = os.fstat(descriptor).st_size
        self.ready: int = self.size

    @property
    def descriptor(self) -> int | None:
        """See :attr:`IFile.descriptor`."""
        return self._descriptor if _BY_DESCRIPTOR and self._descriptor >= 0 else None

    def append(self, *chunks: bytes) -> int:
        """See :meth:`IFile.append`."""
        self._must_be_whole()
        position, length = self.size, sum(map(len, chunks))
        try:
            self._write(chunks, position, length)
        except BaseException as error:
            self._cut_back(error)
            raise
        self.size = end = position + length
        if end > self.ready:
            self.ready = end
        return position

    def read_at(self, position: int, length: int) -> bytes:
        """See :meth:`IFile.read_at`."""
        pieces = []
        while length > 0 and (piece := os.pread(self._open(), length, position)):
            pieces.append(piece)
            position += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def allocate(self, size: int) -> None:
        """See :meth:`IFile.allocate`. A file that is larger already keeps its size."""
        self._must_be_whole()
        if size <= 0:
            return
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._descriptor, 0, size)
            else:
                self._write_zeros(self.size, size)
        except BaseException as error:
            self._cut_back(error)  # the kernel may have grown the file as far as there was room
            raise
        self.size = max(self.size, size)
        self.ready = max(self.ready, size)

    def make_ready(self, size: int) -> None:
        """See :meth:`IFile.make_ready`. Not ``fallocate``: to write over what was never written is a change of metadata too."""
        self._must_be_whole()
        try:
            self._write_zeros(self.ready, size)
        except BaseException as error:
            self._cut_back(error)
            raise
        self.ready = max(self.ready, size)

    def trim(self) -> None:
        """See :meth:`IFile.trim`."""
        self._must_be_whole()
        if self.ready > self.size:
            os.ftruncate(self._descriptor, self.size)
            self.ready = self.size

    def truncate(self, size: int) -> None:
        """See :meth:`IFile.truncate`. :raises ValueError: the file is smaller than *size*."""
        self._must_be_whole()
        if not 0 <= size <= self.size:
            raise ValueError(f"cannot cut {self._path} of {self.size} bytes to {size}")
        os.ftruncate(self._descriptor, size)
        self.size = self.ready = size

    def datasync(self) -> None:
        """See :meth:`IFile.datasync`."""
        _datasync(self._open())

    def drop_cache(self) -> None:
        """See :meth:`IFile.drop_cache`. Dirty pages would stay, hence the sync first."""
        os.fsync(self._open())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """See :meth:`IFile.close`. Closing again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, chunks: Sequence[bytes], position: int, length: int) -> None:
        """Write all of *chunks*, *length* bytes, at *position*: in one call as a rule, in more when the system writes less."""
        written = 0
        if 1 < len(chunks) <= _MOST_CHUNKS and hasattr(os, "pwritev"):
            written = os.pwritev(self._descriptor, chunks, position)
        if written == length:
            return
        rest = memoryview(b"".join(chunks))
        while written < length:
            count = os.pwrite(self._descriptor, rest[written:], position + written)
            if not count:
                raise OSError(errno.EIO, "the system wrote nothing and reported no error", self._path)
            written += count

    def _write_zeros(self, start: int, end: int) -> None:
        for position in range(start, end, len(_ZEROS)):
            length = min(len(_ZEROS), end - position)
            self._write([_ZEROS if length == len(_ZEROS) else bytes(length)], position, length)

    def _cut_back(self, error: BaseException) -> None:
        """Undo a write that *error* ended."""
        try:
            os.ftruncate(self._descriptor, self.size)
            self.ready = self.size
        except OSError as again:
            self._broken = True
            message = f"a failed write could not be cut back to {self.size} bytes ({again.strerror})"
            raise OSError(errno.EIO, message, self._path) from error

    def _must_be_whole(self) -> None:
        self._open()
        if self._broken:
            raise OSError(errno.EIO, "an earlier write failed and could not be undone", self._path)

    def _open(self) -> int:
        if self._descriptor < 0:
            raise OSError(errno.EBADF, "the file is closed", self._path)
        return self._descriptor


@implementer(IDirectory)
class FilesDirectory:
    """The directory at *path*. Holds no descriptor; files are 0600, directories 0700, and no symbolic link is followed to a file."""

    __slots__ = ("path",)
    _ACCESS = os.O_RDWR

    def __init__(self, path: str) -> None:
        self.path: str = path

    def child(self, name: str) -> "FilesDirectory":
        """See :meth:`IDirectory.child`."""
        return FilesDirectory(self._at(name))

    def make(self) -> bool:
        """See :meth:`IDirectory.make`. :raises FileExistsError: a file is in its place."""
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            if not os.path.isdir(self.path):
                raise
            return False
        return True

    def list(self) -> list[Entry]:
        """See :meth:`IDirectory.list`. An entry that goes while we look is left out."""
        found = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    try:
                        is_directory = entry.is_dir(follow_symlinks=False)
                        size = 0 if is_directory else entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:
                        continue
                    found.append(Entry(entry.name, is_directory, size))
        except FileNotFoundError:
            return []
        return sorted(found)

    def open(self, name: str) -> File:
        """See :meth:`IDirectory.open`."""
        return self._open(name, 0)

    def create(self, name: str) -> File:
        """See :meth:`IDirectory.create`."""
        return self._open(name, os.O_CREAT | os.O_EXCL)

    def rename(self, old: str, new: str) -> None:
        """See :meth:`IDirectory.rename`."""
        os.rename(self._at(old), self._at(new))

    def remove(self, name: str) -> None:
        """See :meth:`IDirectory.remove`."""
        os.unlink(self._at(name))

    def remove_directory(self, name: str) -> None:
        """See :meth:`IDirectory.remove_directory`."""
        os.rmdir(self._at(name))

    def sync(self) -> None:
        """See :meth:`IDirectory.sync`."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self) -> tuple[int, int]:
        """See :meth:`IDirectory.free`. What is kept back for root does not count as free."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize

    def lock(self, name: str) -> Callable[[], None]:
        """See :meth:`IDirectory.lock`. The kernel lets go when the process ends, however it ends."""
        file = self._open(name, os.O_CREAT)
        try:
            fcntl.flock(file._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise BlockingIOError(error.errno, "another process holds the lock", self._at(name)) from None
        except BaseException:
            file.close()
            raise
        return file.close

    def _at(self, name: str) -> str:
        return os.path.join(self.path, single_component(name))

    def _open(self, name: str, flags: int) -> File:
        path = self._at(name)
        return File(os.open(path, self._ACCESS | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600), path)
