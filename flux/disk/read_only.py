"""A directory that is only looked at, for tools: whatever they do, nothing in it changes, and its owner notices nothing."""

import errno
import fcntl
import os
from collections.abc import Callable
from typing import NoReturn

from zope.interface import implementer

from flux.disk.files import File, FilesDirectory
from flux.interfaces import IDirectory


@implementer(IDirectory)
class ReadOnlyDirectory(FilesDirectory):
    """The directory at *path*, whose files are opened for reading only. What would change it raises :class:`OSError` (``EROFS``)."""

    __slots__ = ()
    _ACCESS = os.O_RDONLY

    def child(self, name: str) -> "ReadOnlyDirectory":
        """See :meth:`IDirectory.child`."""
        return ReadOnlyDirectory(self._at(name))

    def make(self) -> bool:
        """Refused."""
        self._refuse()

    def create(self, name: str) -> File:
        """Refused."""
        self._refuse(name)

    def rename(self, old: str, new: str) -> None:
        """Refused."""
        self._refuse(old)

    def remove(self, name: str) -> None:
        """Refused."""
        self._refuse(name)

    def remove_directory(self, name: str) -> None:
        """Refused."""
        self._refuse(name)

    def sync(self) -> None:
        """Nothing was changed, so there is nothing to do."""

    def lock(self, name: str) -> Callable[[], None]:
        """Refused: it would keep the owner from starting. :meth:`is_locked` only asks."""
        self._refuse(name)

    def is_locked(self, name: str) -> bool:
        """Whether a process holds the lock *name*; not if there is no such file."""
        try:
            file = self.open(name)
        except FileNotFoundError:
            return False
        try:
            # Shared, and let go at once: an owner that starts in this very instant would be refused, and no later.
            fcntl.flock(file._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            file.close()
        return False

    def _refuse(self, name: str | None = None) -> NoReturn:
        path = self.path if name is None else self._at(name)
        raise OSError(errno.EROFS, "it is only looked at", path)
