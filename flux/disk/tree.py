"""The model disk's nodes by path, and the language of damage: what disks do to them without being asked."""

import errno
from collections.abc import Sequence
from os import strerror

from flux.disk.medium import DirectoryNode, FileNode


class Tree:
    """Everything below the top. Paths have slashes; one at the start changes nothing.

    Damage is done to a disk at rest: what it touches counts as synced, so that a power cut afterwards leaves it as it is.
    """

    def __init__(self) -> None:
        self.top = DirectoryNode()

    def directory_at(self, names: Sequence[str]) -> DirectoryNode:
        """:raises OSError: there is none, or something else on the way."""
        node = self.top
        for name in names:
            below = node.entries.get(name)
            if not isinstance(below, DirectoryNode):
                raise error(errno.ENOENT if below is None else errno.ENOTDIR, "/" + "/".join(names))
            node = below
        return node

    def flip_byte(self, path: str, position: int) -> None:
        """Invert the byte at *position*."""
        self._flip(path, position, 0xFF)

    def flip_bit(self, path: str, position: int, bit: int) -> None:
        """Invert one bit, 0 the lowest, of the byte at *position*."""
        self._flip(path, position, 1 << bit)

    def overwrite(self, path: str, position: int, data: bytes) -> None:
        """Put *data* in place of what is at *position*; the size stays. :raises ValueError: it would not."""
        node = self._file_at(path)
        end = position + len(data)
        if not 0 <= position <= end <= len(node.data):
            raise ValueError(f"{path} has {len(node.data)} bytes, none at {position} to {end}")
        node.settle(node.data[:position] + data + node.data[end:])

    def shorten(self, path: str, count: int) -> None:
        """Cut the last *count* bytes off. :raises ValueError: there are fewer."""
        node = self._file_at(path)
        if not 0 <= count <= len(node.data):
            raise ValueError(f"{path} has {len(node.data)} bytes, not {count}")
        node.settle(node.data[: len(node.data) - count])

    def lose(self, path: str) -> None:
        """Lose a file, or a directory and all below it."""
        *above, name = _names(path)
        directory = self.directory_at(above)
        if name not in directory.entries:
            raise error(errno.ENOENT, path)
        directory.change({name: None})
        directory.sync()

    def _flip(self, path: str, position: int, mask: int) -> None:
        data = self._file_at(path).data
        if not 0 <= position < len(data):
            raise ValueError(f"{path} has {len(data)} bytes, none at {position}")
        self.overwrite(path, position, bytes([data[position] ^ mask]))

    def _file_at(self, path: str) -> FileNode:
        *above, name = _names(path)
        return file_in(self.directory_at(above), name, path)


def file_in(directory: DirectoryNode, name: str, path: str) -> FileNode:
    """The file *name*. :raises OSError: there is none, or it is a directory."""
    node = directory.entries.get(name)
    if node is None:
        raise error(errno.ENOENT, path)
    if isinstance(node, DirectoryNode):
        raise error(errno.EISDIR, path)
    return node


def create_in(directory: DirectoryNode, name: str, path: str) -> FileNode:
    """A new, empty file *name*. :raises OSError: the name is taken."""
    if name in directory.entries:
        raise error(errno.EEXIST, path)
    node = FileNode()
    directory.change({name: node})
    return node


def rename_in(directory: DirectoryNode, old: str, new: str, path: str) -> None:
    """Give the entry *old* the name *new*. :raises OSError: there is none, or what has the name cannot be replaced by it."""
    node, replaced = directory.entries.get(old), directory.entries.get(new)
    if node is None:
        raise error(errno.ENOENT, path)
    if node is replaced:
        return
    if isinstance(replaced, DirectoryNode):
        if not isinstance(node, DirectoryNode):
            raise error(errno.EISDIR, path)
        if replaced.entries:
            raise error(errno.ENOTEMPTY, path)
    elif replaced is not None and isinstance(node, DirectoryNode):
        raise error(errno.ENOTDIR, path)
    directory.change({old: None, new: node})


def error(number: int, path: str) -> OSError:
    """What the system would raise; :class:`OSError` picks the subclass."""
    return OSError(number, strerror(number), path)


def _names(path: str) -> list[str]:
    return path.strip("/").split("/")
