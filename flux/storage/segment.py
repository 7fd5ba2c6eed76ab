"""One file of record batches and its indexes. Pure: it is handed an open file."""

from collections.abc import Collection
from typing import NamedTuple

from flux.batch import HEADER_SIZE, BatchHeader, CorruptBatch, check, read_header
from flux.interfaces import IFile
from flux.storage.index import OffsetIndex, TimeIndex

LOG, INDEX, TIME_INDEX, DIGEST = ".log", ".index", ".timeindex", ".digest"
MAX_RELATIVE = (1 << 31) - 1  # offsets and positions are 32-bit in the index files
_READ_AHEAD = 16384  # bytes read beyond what was asked, so that the batch before the offset costs no second call

Jump = tuple[int, int]
"""A reported gap: the offset that was expected, and the one the log goes on with."""


def file_name(base_offset: int, suffix: str = LOG) -> str:
    """As Kafka names it: 20 digits."""
    return f"{base_offset:020d}{suffix}"


def end_of(data: bytes) -> int:
    """One past the last offset of whole batches *data*, which holds at least one."""
    position = 0
    while True:
        header = read_header(data, position)
        position += header.length
        if position >= len(data):
            return header.next_offset


class Found(NamedTuple):
    """What a read found: whole batches, and the position of a damaged one if that is where it had to stop."""

    data: bytes
    damaged_at: int | None
    expected_offset: int


class Segment:
    """A file, the offsets it begins and ends with, and where to look for those between.

    *Action*: whoever appends to ``file`` calls :meth:`note` for each batch. *Transition*: ``next_offset`` and the indexes move on.
    """

    __slots__ = (
        "_index_interval",
        "_indexed_to",
        "_last_relative",
        "base_offset",
        "file",
        "first_timestamp_ms",
        "index",
        "max_timestamp_ms",
        "next_offset",
        "time_index",
    )

    def __init__(self, base_offset: int, file: IFile, index_interval: int) -> None:
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.file = file
        self.index = OffsetIndex()
        self.time_index = TimeIndex()
        self.first_timestamp_ms: int | None = None
        self.max_timestamp_ms = -1
        self._last_relative = 0
        self._index_interval = index_interval
        self._indexed_to = 0

    def note(self, base_offset: int, next_offset: int, position: int, max_timestamp_ms: int) -> None:
        """A batch now stands at *position*."""
        relative = base_offset - self.base_offset
        if self.first_timestamp_ms is None:
            self.first_timestamp_ms = max_timestamp_ms
        if max_timestamp_ms > self.max_timestamp_ms:
            self.max_timestamp_ms = max_timestamp_ms
        if position - self._indexed_to >= self._index_interval:
            self.index.add(relative, position)
            self.time_index.add(self.max_timestamp_ms, relative)
            self._indexed_to = position
        self._last_relative = relative
        self.next_offset = next_offset

    def seal(self) -> None:
        """No more batches will come: the time index must know the youngest of them all."""
        self.time_index.add(self.max_timestamp_ms, self._last_relative)

    def adopt(self, index: OffsetIndex, time_index: TimeIndex, next_offset: int) -> None:
        """Take over indexes read from files instead of noting every batch again."""
        self.index, self.time_index, self.next_offset = index, time_index, next_offset
        self.first_timestamp_ms = time_index.first_timestamp_ms
        self.max_timestamp_ms = time_index.max_timestamp_ms
        last = index.last()
        self._indexed_to = last[1] if last else 0

    def cut(self, offset: int, position: int) -> None:
        """The file was cut at *position*, where the batch with base *offset* stood."""
        self.index.cut(position)
        self.time_index.cut(offset - self.base_offset)
        self.next_offset = offset
        last = self.index.last()
        self._indexed_to = last[1] if last else 0

    def read(self, offset: int, max_bytes: int, end: int, jumps: Collection[Jump]) -> Found:
        """Whole batches from the one holding *offset*, at most *max_bytes* unless the first alone is longer, none at or above *end*.

        Each is checked: CRC, and an offset that goes on where the one before ended (or over one of *jumps*).
        """
        relative, position = self.index.floor(offset - self.base_offset)
        return read_batches(self.file, position, self.base_offset + relative, offset, max_bytes, end, jumps)


class Window:
    """A stretch of a file kept in memory, so that small batches cost no call each."""

    def __init__(self, file: IFile, length: int) -> None:
        self._file = file
        self._length = length
        self._start = 0
        self._data = b""

    def header(self, position: int) -> BatchHeader:
        """The header at *position*, of a batch that ends within the file. :raises CorruptBatch: there is none."""
        at = self._cover(position, HEADER_SIZE)
        header = read_header(self._data, at)
        if position + header.length > self._file.size:
            raise CorruptBatch(f"a length of {header.length} bytes reaches past the end of the file")
        return header

    def batch(self, position: int, length: int) -> BatchHeader:
        """The batch of *length* bytes at *position*, its CRC checked. :raises CorruptBatch: it is damaged."""
        at = self._cover(position, length)
        return check(self._data, at)

    def find(self, byte: bytes, position: int, least: int) -> int | None:
        """Where *byte* comes next from *position* on, within what is at hand: at least *least* bytes before it and all after."""
        at = self._cover(position - least, least + 1) + least
        at = self._data.find(byte, at)
        return None if at < 0 else self._start + at

    @property
    def end(self) -> int:
        """One past the last byte at hand."""
        return self._start + len(self._data)

    def slice(self, start: int, end: int) -> bytes:
        """The bytes from *start* to *end*."""
        at = self._cover(start, end - start)
        return self._data[at : at + end - start]

    def _cover(self, position: int, length: int) -> int:
        if not self._start <= position <= position + length <= self._start + len(self._data):
            self._start = position
            self._data = self._file.read_at(position, max(length, self._length))
        return position - self._start


def read_batches(
    file: IFile, position: int, expected: int, offset: int, max_bytes: int, end: int, jumps: Collection[Jump]
) -> Found:
    """:meth:`Segment.read` from *position*, where the batch that begins with offset *expected* stands."""
    window = Window(file, max_bytes + _READ_AHEAD)
    first = damaged_at = None
    while position < file.size:
        try:
            header = window.header(position)
            if header.base_offset >= end or (first is not None and position + header.length - first > max_bytes):
                break
            if header.base_offset != expected and (expected, header.base_offset) not in jumps:
                raise CorruptBatch(f"base offset {header.base_offset} where {expected} was due")
            window.batch(position, header.length)
        except CorruptBatch:
            damaged_at = position
            break
        expected = header.next_offset
        if first is None and expected > offset:
            first = position
        position += header.length
    return Found(b"" if first is None else window.slice(first, position), damaged_at, expected)
