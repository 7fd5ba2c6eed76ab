"""A layer before the disk that watches, changes or leaves out what it is asked to do."""

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from flux.interfaces import Entry, IDirectory, IFile


class Layer:
    """Passes every call on. Whoever extends it overrides some of them.

    ``recovering`` is whether logs are being opened; the test says so.
    """

    def __init__(self) -> None:
        self.recovering = False

    def __call__(self, directory: IDirectory) -> IDirectory:
        """*directory* with this layer before it."""
        return _Directory(self, directory)

    def datasync(self, file: IFile, path: str) -> None:
        """A file's bytes are to become durable."""
        file.datasync()

    def drop_cache(self, file: IFile, path: str) -> None:
        """A file is to be read from the medium."""
        file.drop_cache()

    def sync(self, directory: IDirectory) -> None:
        """A directory's names are to become durable."""
        directory.sync()

    def rename(self, directory: IDirectory, old: str, new: str) -> None:
        """A name is to be replaced."""
        directory.rename(old, new)

    def remove(self, directory: IDirectory, name: str) -> None:
        """A file is to go."""
        directory.remove(name)


@implementer(IFile)
class _File:
    def __init__(self, layer: Layer, file: Any, path: str) -> None:
        self._layer = layer
        self._file = file
        self._path = path

    @property
    def size(self) -> int:
        return int(self._file.size)

    @property
    def ready(self) -> int:
        return int(self._file.ready)

    @property
    def descriptor(self) -> int | None:
        return None  # or nothing would be asked of the layer

    def append(self, *chunks: bytes) -> int:
        return int(self._file.append(*chunks))

    def read_at(self, position: int, length: int) -> bytes:
        return bytes(self._file.read_at(position, length))

    def allocate(self, size: int) -> None:
        self._file.allocate(size)

    def make_ready(self, size: int) -> None:
        self._file.make_ready(size)

    def trim(self) -> None:
        self._file.trim()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def datasync(self) -> None:
        self._layer.datasync(self._file, self._path)

    def drop_cache(self) -> None:
        self._layer.drop_cache(self._file, self._path)

    def close(self) -> None:
        self._file.close()


@implementer(IDirectory)
class _Directory:
    def __init__(self, layer: Layer, directory: Any) -> None:
        self._layer = layer
        self._directory = directory
        self.path: str = directory.path

    def child(self, name: str) -> "_Directory":
        return _Directory(self._layer, self._directory.child(name))

    def make(self) -> bool:
        return bool(self._directory.make())

    def list(self) -> list[Entry]:
        found: list[Entry] = self._directory.list()
        return found

    def open(self, name: str) -> _File:
        return _File(self._layer, self._directory.open(name), f"{self.path}/{name}")

    def create(self, name: str) -> _File:
        return _File(self._layer, self._directory.create(name), f"{self.path}/{name}")

    def rename(self, old: str, new: str) -> None:
        self._layer.rename(self._directory, old, new)

    def remove(self, name: str) -> None:
        self._layer.remove(self._directory, name)

    def remove_directory(self, name: str) -> None:
        self._directory.remove_directory(name)

    def sync(self) -> None:
        self._layer.sync(self._directory)

    def free(self) -> tuple[int, int]:
        found: tuple[int, int] = self._directory.free()
        return found

    def lock(self, name: str) -> Callable[[], None]:
        let_go: Callable[[], None] = self._directory.lock(name)
        return let_go
