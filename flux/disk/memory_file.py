"""An open file of the model disk."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from flux.disk.medium import FileNode
from flux.disk.tree import error
from flux.interfaces import IFile

if TYPE_CHECKING:
    from flux.disk.memory import MemoryDisk


@implementer(IFile)
class MemoryFile:
    """An open file of the model; dead once closed, or once its process has ended."""

    __slots__ = ("_broken", "_disk", "_path", "ready", "size")
    descriptor: int | None = None

    def __init__(self, disk: "MemoryDisk", node: FileNode, path: str) -> None:
        self._disk = disk
        self._path = path
        self._broken = False
        self.size: int = len(node.data)
        self.ready: int = self.size
        disk.opened[self] = node

    def append(self, *chunks: bytes) -> int:
        """See :meth:`IFile.append`. A power cut during it leaves any part of it, like one after it and before a sync."""
        position, data = self.size, b"".join(chunks)
        self._write("append", position, data)
        self._ends_at(position + len(data))
        return position

    def read_at(self, position: int, length: int) -> bytes:
        """See :meth:`IFile.read_at`."""
        node = self._node()
        if position < 0:
            raise error(errno.EINVAL, self._path)
        return self._disk.perform("read_at", self._path, lambda: bytes(node.data[position : position + max(length, 0)]))

    def allocate(self, size: int) -> None:
        """See :meth:`IFile.allocate`. A file that is larger already keeps its size."""
        self._write("allocate", self.size, bytes(max(size - self.size, 0)))
        self._ends_at(max(self.size, size))

    def make_ready(self, size: int) -> None:
        """See :meth:`IFile.make_ready`."""
        self._write("make_ready", self.ready, bytes(max(size - self.ready, 0)))
        self.ready = max(self.ready, size)

    def trim(self) -> None:
        """See :meth:`IFile.trim`."""
        node = self._whole_node()
        if self.ready > self.size:
            self._disk.perform("trim", self._path, lambda: node.truncate(self.size))
            self.ready = self.size

    def truncate(self, size: int) -> None:
        """See :meth:`IFile.truncate`. :raises ValueError: the file is smaller than *size*."""
        node = self._whole_node()
        if not 0 <= size <= self.size:
            raise ValueError(f"cannot cut {self._path} of {self.size} bytes to {size}")
        self._disk.perform("truncate", self._path, lambda: node.truncate(size))
        self.size = self.ready = size

    def datasync(self) -> None:
        """See :meth:`IFile.datasync`. After a failure the next one lies, as Linux does."""
        self._sync("datasync", self._node().sync)

    def drop_cache(self) -> None:
        """See :meth:`IFile.drop_cache`."""
        node = self._node()

        def sync_and_drop() -> None:
            node.sync()
            node.drop_cache()

        self._sync("drop_cache", sync_and_drop)

    def close(self) -> None:
        """See :meth:`IFile.close`. Always works, so that cleaning up after a power cut does not hide it."""
        self._disk.opened.pop(self, None)

    def _ends_at(self, size: int) -> None:
        self.size = size
        self.ready = max(self.ready, size)

    def _write(self, kind: str, position: int, data: bytes) -> None:
        disk = self._disk
        with disk.turn:
            node = self._whole_node()
            failure = disk.begin(kind, self._path)
            fits = len(data)
            if failure is not None:
                fits = disk.random.randint(0, fits)
            elif disk.capacity is not None and position + fits - len(node.data) > disk.room:
                fits = max(len(node.data) - position + disk.room, 0)
                failure = error(errno.ENOSPC, self._path)
            node.write(position, data[:fits])
            if failure is None:
                return
            if isinstance(failure, OSError):
                self._cut_back(node, failure)
            raise failure

    def _cut_back(self, node: FileNode, failure: OSError) -> None:
        try:
            self._disk.perform("rollback", self._path, lambda: node.truncate(self.size))
            self.ready = self.size
        except OSError:
            self._broken = True
            raise error(errno.EIO, self._path) from failure

    def _sync(self, kind: str, effect: Callable[[], None]) -> None:
        with self._disk.turn:
            node = self._node()
            try:
                self._disk.perform(kind, self._path, effect)
            except OSError:
                node.sync_failed()
                raise

    def _node(self) -> FileNode:
        try:
            return self._disk.opened[self]
        except KeyError:
            raise error(errno.EBADF, self._path) from None

    def _whole_node(self) -> FileNode:
        if self._broken:
            raise error(errno.EIO, self._path)
        return self._node()
