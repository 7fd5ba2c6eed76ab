"""What a power cut leaves of a file and of a directory: the pure part of the model disk.

A node has what a reader sees now, what the medium is sure to hold, and between the two the changes since the last sync, in
order. A sync moves them to the medium; a cut decides about each by the dice. Nothing here knows of calls, handles or paths.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import TypeAlias

_SECTOR = 512


class FileNode:
    """The content of one file.

    *Action*: :meth:`write` and :meth:`truncate` change what is read. *Transitions*: :meth:`sync` makes that durable;
    :meth:`sync_failed` forgets that written bytes were still to be made durable, as Linux does; :meth:`drop_cache`
    reads again what the medium holds; :meth:`cut` is the power cut.
    """

    __slots__ = ("_medium", "_unsynced", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self._medium = bytearray()
        self._unsynced: list[tuple[int, bytes | None]] = []  # bytes written at a position; None: cut to that size

    def write(self, position: int, data: bytes) -> None:
        """Put *data* at *position*; a gap before it reads as zeros."""
        if data:
            _put(self.data, position, data)
            self._unsynced.append((position, data))

    def truncate(self, size: int) -> None:
        """Cut to *size* bytes."""
        if size < len(self.data):
            del self.data[size:]
            self._unsynced.append((size, None))

    def sync(self) -> None:
        """Make every change durable that is still meant to be."""
        for position, data in self._unsynced:
            self._to_medium(position, data)
        self._unsynced.clear()

    def sync_failed(self) -> None:
        """The written bytes stay readable, count as clean and never reach the medium; a later sync will not know of them.

        Truncations are no data: they stay to be synced.
        """
        self._unsynced = [change for change in self._unsynced if change[1] is None]

    def drop_cache(self) -> None:
        """Read what the medium holds; the size stays, and what was never written reads as zeros."""
        size = len(self.data)
        self.data = self._medium[:size]
        self.data.extend(bytes(size - len(self.data)))

    def cut(self, random: Random) -> None:
        """Any prefix of the unsynced bytes survives, at times followed by zeros up to where the file ended; truncations, or not.

        Of what was written over bytes that the medium has, sectors may survive without those before them: no size is written after them.
        """
        written = sum(len(data) for _, data in self._unsynced if data is not None)
        # Nothing and everything more often than by chance: that is where code goes wrong.
        left = random.choice((0, written, random.randint(0, written)))
        scattered = random.random() < 0.25
        for position, data in self._unsynced:
            if data is not None:
                if scattered:
                    self._scatter(position, data[: max(len(self._medium) - position, 0)], random)
                self._to_medium(position, data[:left])
                left = max(left - len(data), 0)
            elif random.random() < 0.5:
                self._to_medium(position, None)
        missing = len(self.data) - len(self._medium)
        if missing > 0 and random.random() < 0.25:  # the size was written, the data was not
            self._medium.extend(bytes(missing))
        self.settle(self._medium)

    def settle(self, content: bytearray) -> None:
        """Read *content* from now on, durably."""
        self.data = bytearray(content)
        self._medium = bytearray(content)
        self._unsynced.clear()

    def _scatter(self, position: int, data: bytes, random: Random) -> None:
        """Any of the sectors of *data*."""
        start, end = 0, _SECTOR - position % _SECTOR
        while start < len(data):
            if random.random() < 0.5:
                self._to_medium(position + start, data[start:end])
            start, end = end, end + _SECTOR

    def _to_medium(self, position: int, data: bytes | None) -> None:
        if data is None:
            del self._medium[position:]
        elif data:
            _put(self._medium, position, data)


class DirectoryNode:
    """The entries of one directory; a change names every entry it touches, and what each is afterwards (None: no more)."""

    __slots__ = ("_medium", "_unsynced", "entries")

    def __init__(self) -> None:
        self.entries: dict[str, Node] = {}
        self._medium: dict[str, Node] = {}
        self._unsynced: list[Mapping[str, Node | None]] = []

    def change(self, change: "Mapping[str, Node | None]") -> None:
        """Change one entry, or two at once: a renaming is atomic."""
        _apply(self.entries, change)
        self._unsynced.append(change)

    def sync(self) -> None:
        """Make every change of entries durable; the content of files is theirs to sync."""
        self._medium = dict(self.entries)
        self._unsynced.clear()

    def cut(self, random: Random) -> None:
        """Each unsynced change survives or not, but none survives an earlier one that touched a name of its own and did not."""
        lost: set[str] = set()
        for change in self._unsynced:
            if lost.isdisjoint(change) and random.random() < 0.5:
                _apply(self._medium, change)
            else:
                lost.update(change)
        self.entries = dict(self._medium)
        self._unsynced.clear()
        for node in self.entries.values():
            node.cut(random)

    def files(self) -> Iterator[FileNode]:
        """All files below, at any depth."""
        for node in self.entries.values():
            if isinstance(node, FileNode):
                yield node
            else:
                yield from node.files()


Node: TypeAlias = FileNode | DirectoryNode


def _put(content: bytearray, position: int, data: bytes) -> None:
    if position > len(content):
        content.extend(bytes(position - len(content)))
    content[position : position + len(data)] = data


def _apply(entries: dict[str, Node], change: Mapping[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node
