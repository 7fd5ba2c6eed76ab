"""The model disk: a file system in memory that promises only what POSIX does.

It is as good as a disk until :meth:`MemoryDisk.cut`: then what was not synced is gone, in whole or in part, as the dice it
was given decide. Deterministic: the same dice and the same calls lose the same bytes.
"""

import errno
from collections.abc import Callable
from random import Random
from typing import TypeVar

from zope.interface import implementer

from flux.disk.faults import Calls, ProcessKilled
from flux.disk.medium import DirectoryNode, FileNode
from flux.disk.memory_file import MemoryFile
from flux.disk.names import single_component
from flux.disk.tree import Tree, create_in, error, file_in, rename_in
from flux.interfaces import Entry, IDirectory

T = TypeVar("T")

_ENDLESS = 1 << 40  # the size of a disk without a limit, for free()


class MemoryDisk(Calls, Tree):
    """A whole file system below :attr:`root`, which is there from the start and durable.

    *Action*: :meth:`cut` and :meth:`kill` end the process now, ``cut_at`` and ``kill_at`` at a call, after which only
    :meth:`restart` goes on. *Transitions*: whichever it was, open files are dead and locks are free afterwards; a cut
    also loses what was not synced. Files together hold at most *capacity* bytes.
    """

    def __init__(self, random: Random, capacity: int | None = None) -> None:
        Calls.__init__(self, random)
        Tree.__init__(self)
        self.capacity = capacity
        self.root = MemoryDirectory(self, ())
        self.opened: dict[MemoryFile, FileNode] = {}
        self.locked: dict[FileNode, object] = {}

    @property
    def used(self) -> int:
        """Bytes in files, removed ones included for as long as they are open."""
        return sum(len(file.data) for file in {*self.top.files(), *self.opened.values()})

    @property
    def room(self) -> int:
        """Bytes by which files may grow."""
        return _ENDLESS if self.capacity is None else max(self.capacity - self.used, 0)

    def cut(self) -> None:
        """The power goes and returns: unsynced bytes and names survive or not."""
        with self.turn:
            self.top.cut(self.random)
            self.kill()

    def kill(self) -> None:
        """The process is killed: everything written survives, and what was unsynced still is."""
        with self.turn:
            self.opened.clear()
            self.locked.clear()
            self._go_on()

    def restart(self) -> None:
        """Revive what ``cut_at`` or ``kill_at`` stopped; if neither did, the power goes now."""
        with self.turn:
            if self._go_on() is ProcessKilled:
                self.kill()
            else:
                self.cut()


@implementer(IDirectory)
class MemoryDirectory:
    """A directory of the model, by its path: it outlives cuts and kills, as a path does."""

    __slots__ = ("_disk", "_names", "path")

    def __init__(self, disk: MemoryDisk, names: tuple[str, ...]) -> None:
        self._disk = disk
        self._names = names
        self.path: str = "/" + "/".join(names)

    def child(self, name: str) -> "MemoryDirectory":
        """See :meth:`IDirectory.child`."""
        return MemoryDirectory(self._disk, (*self._names, single_component(name)))

    def make(self) -> bool:
        """See :meth:`IDirectory.make`. :raises FileExistsError: a file is in its place."""

        def make() -> bool:
            if not self._names:
                return False
            above = self._disk.directory_at(self._names[:-1])
            there = above.entries.get(self._names[-1])
            if isinstance(there, FileNode):
                raise error(errno.EEXIST, self.path)
            if there is None:
                above.change({self._names[-1]: DirectoryNode()})
            return there is None

        return self._disk.perform("make", self.path, make)

    def list(self) -> list[Entry]:
        """See :meth:`IDirectory.list`."""

        def look() -> list[Entry]:
            try:
                entries = self._node().entries
            except FileNotFoundError:
                return []
            return sorted(
                Entry(name, True, 0) if isinstance(node, DirectoryNode) else Entry(name, False, len(node.data))
                for name, node in entries.items()
            )

        return self._disk.perform("list", self.path, look)

    def open(self, name: str) -> MemoryFile:
        """See :meth:`IDirectory.open`."""
        path = self._at(name)
        return self._perform("open", path, lambda node: MemoryFile(self._disk, file_in(node, name, path), path))

    def create(self, name: str) -> MemoryFile:
        """See :meth:`IDirectory.create`."""
        path = self._at(name)
        return self._perform("create", path, lambda node: MemoryFile(self._disk, create_in(node, name, path), path))

    def rename(self, old: str, new: str) -> None:
        """See :meth:`IDirectory.rename`."""
        path = self._at(old)
        self._perform("rename", self._at(new), lambda node: rename_in(node, old, new, path))

    def remove(self, name: str) -> None:
        """See :meth:`IDirectory.remove`."""
        path = self._at(name)

        def remove(node: DirectoryNode) -> None:
            file_in(node, name, path)
            node.change({name: None})

        self._perform("remove", path, remove)

    def remove_directory(self, name: str) -> None:
        """See :meth:`IDirectory.remove_directory`."""
        path = self._at(name)

        def remove(node: DirectoryNode) -> None:
            if self.child(name)._node().entries:
                raise error(errno.ENOTEMPTY, path)
            node.change({name: None})

        self._perform("remove_directory", path, remove)

    def sync(self) -> None:
        """See :meth:`IDirectory.sync`."""
        self._perform("sync", self.path, DirectoryNode.sync)

    def free(self) -> tuple[int, int]:
        """See :meth:`IDirectory.free`."""
        disk = self._disk
        total = _ENDLESS if disk.capacity is None else disk.capacity
        return self._perform("free", self.path, lambda node: (max(total - disk.used, 0), total))

    def lock(self, name: str) -> Callable[[], None]:
        """See :meth:`IDirectory.lock`."""
        locked, path, token = self._disk.locked, self._at(name), object()

        def lock(directory: DirectoryNode) -> FileNode:
            node = file_in(directory, name, path) if name in directory.entries else create_in(directory, name, path)
            if node in locked:
                raise error(errno.EWOULDBLOCK, path)
            locked[node] = token
            return node

        node = self._perform("lock", path, lock)

        def let_go() -> None:
            if locked.get(node) is token:  # after a kill it may be somebody else's
                del locked[node]

        return let_go

    def _node(self) -> DirectoryNode:
        return self._disk.directory_at(self._names)

    def _at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{single_component(name)}"

    def _perform(self, kind: str, path: str, effect: Callable[[DirectoryNode], T]) -> T:
        return self._disk.perform(kind, path, lambda: effect(self._node()))
