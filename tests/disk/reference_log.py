"""A tiny log and a small file beside it, written by the rules: what the model disk is calibrated with.

The log is records of a number and its checksum, acknowledged when synced. The small file holds one number and is replaced
whole. Each rule can be left out by name, see :data:`DEFECTS`; with all of them nothing acknowledged is ever lost.
"""

import struct
from zlib import crc32

from flux.interfaces import IDirectory, IFile

DEFECTS = (
    "no datasync",
    "no directory sync",
    "rename without file sync",
    "no directory sync after rename",
    "sync retried after failure",
    "page cache trusted at recovery",
    "nothing synced at recovery",
    "small file overwritten in place",
)

_RECORD = struct.Struct(">QI")


def encode(number: int) -> bytes:
    body = struct.pack(">Q", number)
    return body + struct.pack(">I", crc32(body, 1))


def decode(data: bytes) -> list[int]:
    """The numbers up to the first record that is torn."""
    numbers = []
    for number, checksum in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        if crc32(struct.pack(">Q", number), 1) != checksum:
            break
        numbers.append(number)
    return numbers


class ReferenceLog:
    """Recovers when made.

    :ivar numbers: what the log holds.
    :ivar value: what the small file held then, None if there was none.
    """

    def __init__(self, directory: IDirectory, defect: str | None = None) -> None:
        self._directory = directory
        self._defect = defect
        self.failed = False
        names = [entry.name for entry in directory.list()]
        if "small.new" in names:
            directory.remove("small.new")
        if "log" in names:
            self._file = directory.open("log")
            if defect != "page cache trusted at recovery":
                self._file.drop_cache()
            self.numbers = decode(self._file.read_at(0, self._file.size))
            self._file.truncate(len(self.numbers) * _RECORD.size)
        else:
            self._file = directory.create("log")
            self.numbers = []
        self.value = self._load() if "small" in names else None
        if defect != "nothing synced at recovery":
            self._sync(self._file)
            self._sync_directory()

    def append(self, number: int) -> None:
        """Written; acknowledged by :meth:`sync`."""
        self._file.append(encode(number))
        self.numbers.append(number)

    def sync(self) -> None:
        """Return when what was appended is durable. :raises OSError: nobody knows, and this log is not to be used any more."""
        try:
            self._sync(self._file)
        except OSError:
            if self._defect != "sync retried after failure":
                self.failed = True
                raise
            self._file.datasync()

    def save(self, value: int) -> None:
        """Return when the small file durably holds *value*. :raises OSError: it may hold either."""
        if self._defect == "small file overwritten in place":
            self._overwrite(value)
            return
        file = self._directory.create("small.new")
        try:
            file.append(encode(value))
            if self._defect != "rename without file sync":
                self._sync(file)
        except OSError:
            self._directory.remove("small.new")
            raise
        finally:
            file.close()
        self._directory.rename("small.new", "small")
        if self._defect != "no directory sync after rename":
            self._sync_directory()

    def _overwrite(self, value: int) -> None:
        names = [entry.name for entry in self._directory.list()]
        file = self._directory.open("small") if "small" in names else self._directory.create("small")
        file.truncate(0)
        file.append(encode(value))
        self._sync(file)
        file.close()
        self._sync_directory()

    def _load(self) -> int | None:
        file = self._directory.open("small")
        file.drop_cache()
        numbers = decode(file.read_at(0, file.size))
        file.close()
        return numbers[0] if numbers else None

    def _sync(self, file: IFile) -> None:
        if self._defect != "no datasync":
            file.datasync()

    def _sync_directory(self) -> None:
        if self._defect != "no directory sync":
            self._directory.sync()
