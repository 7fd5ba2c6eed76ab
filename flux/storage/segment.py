"""One file of record batches and its indexes. Pure: it is handed an open file.

Within a file offsets are dense: where they jump, a new file begins. So a batch that is not at the offset that is due is damaged,
and which offsets were never given, or are lost, is told by the names of the files alone.
"""

import re
from typing import NamedTuple

from flux.batch import HEADER_SIZE, BatchHeader, CorruptBatch, read_header
from flux.envelope import verify
from flux.interfaces import IFile
from flux.storage.epochs import EpochCache
from flux.storage.index import OffsetIndex, TimeIndex

LOG, INDEX, TIME_INDEX, DIGEST = ".log", ".index", ".timeindex", ".digest"
MAX_RELATIVE = (1 << 31) - 1  # offsets and positions are 32-bit in the index files
_READ_AHEAD = 16384  # bytes read beyond what was asked, so that the batch before the offset costs no second call


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
    ``follows`` is the offset at which the segment before it ends: less than ``base_offset`` if offsets jump between the two.
    """

    __slots__ = (
        "_index_interval",
        "_indexed_to",
        "_last_relative",
        "base_offset",
        "file",
        "first_timestamp_ms",
        "follows",
        "index",
        "max_timestamp_ms",
        "next_offset",
        "preallocates",
        "time_index",
    )

    def __init__(self, base_offset: int, file: IFile, index_interval: int, follows: int | None = None) -> None:
        self.base_offset = base_offset
        self.follows = base_offset if follows is None else follows
        self.next_offset = base_offset
        self.file = file
        self.index = OffsetIndex()
        self.time_index = TimeIndex()
        self.first_timestamp_ms: int | None = None
        self.max_timestamp_ms = -1
        self.preallocates = True  # zeros behind its end, until there is no room for them
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
        """Nothing is appended for now: the time index must know the youngest batch of them all."""
        self.time_index.add(self.max_timestamp_ms, self._last_relative)

    def adopt(self, index: OffsetIndex, time_index: TimeIndex, next_offset: int) -> None:
        """Take over indexes read from files instead of noting every batch again."""
        self.index, self.time_index, self.next_offset = index, time_index, next_offset
        self.first_timestamp_ms = time_index.first_timestamp_ms
        self.max_timestamp_ms = time_index.max_timestamp_ms
        last = index.last()
        self._indexed_to = last[1] if last else 0

    def read(self, offset: int, max_bytes: int, end: int, epochs: EpochCache) -> Found:
        """Whole batches from the one holding *offset*, at most *max_bytes* unless the first alone is longer, none at or above *end*.

        Each is checked: CRC, an offset that goes on where the one before ended, and the leader epoch. The index is a hint: an entry that
        points to no valid batch of its offset is forgotten, and the one before it tells where to begin.
        """
        while True:
            relative, position = self.index.floor(offset - self.base_offset)
            found = read_batches(self.file, position, self.base_offset + relative, offset, max_bytes, end, epochs)
            if found.damaged_at != position or not position:
                return found
            self.index.forget(position)


class Window:
    """A stretch of a file kept in memory, so that small batches cost no call each.

    ``data`` is what is at hand, from position ``start`` of the file on.
    """

    __slots__ = ("_file", "_length", "data", "start")

    def __init__(self, file: IFile, length: int) -> None:
        self._file = file
        self._length = length
        self.start = 0
        self.data = b""

    def cover(self, position: int, length: int) -> int:
        """Have *length* bytes from *position* at hand, as far as the file holds them; return where in ``data`` they begin."""
        at = position - self.start
        if at < 0 or at + length > len(self.data):
            self.start = position
            # No more than there is: the system would be asked for a buffer of the whole length, and give most of it back.
            self.data = self._file.read_at(position, min(max(length, self._length), max(self._file.size - position, 0)))
            return 0
        return at

    def batch(self, position: int) -> BatchHeader:
        """The batch at *position*. :raises CorruptBatch: there is none, it goes on past the end of the file, or its CRC is wrong."""
        at = self.cover(position, HEADER_SIZE)
        header = read_header(self.data, at)
        if position + header.length > self._file.size:
            raise CorruptBatch(f"a length of {header.length} bytes reaches past the end of the file")
        at = self.cover(position, header.length)
        verify(header, self.data, at)
        return header

    def search(self, pattern: "re.Pattern[bytes]", position: int, size: int) -> int | None:
        """Where *pattern*, which matches *size* bytes, next begins in the file, at *position* or later."""
        while position + size <= self._file.size:
            at = self.cover(position, size)  # first: it may replace the data
            found = pattern.search(self.data, at)
            if found is not None:
                return self.start + found.start()
            if self.start + len(self.data) < position + size:
                return None  # the file has become shorter meanwhile
            position = self.start + len(self.data) - size + 1
        return None

    def slice(self, start: int, end: int) -> bytes:
        """The bytes from *start* to *end*."""
        at = self.cover(start, end - start)
        return self.data[at : at + end - start]


def check_place(header: BatchHeader, expected: int, epochs: EpochCache) -> None:
    """Return if a batch is what is due at offset *expected*: what it says of its place is not covered by its CRC.

    Where *epochs* knows nothing, any epoch goes. :raises CorruptBatch: it is another, or damaged.
    """
    if header.base_offset != expected:
        raise CorruptBatch(f"base offset {header.base_offset} where {expected} was due")
    due = epochs.epoch_of(expected)
    if due not in (-1, header.leader_epoch):
        raise CorruptBatch(f"leader epoch {header.leader_epoch} where {due} was due")


def read_batches(
    file: IFile, position: int, expected: int, offset: int, max_bytes: int, end: int, epochs: EpochCache
) -> Found:
    """:meth:`Segment.read` from *position*, where the batch that begins with offset *expected* stands."""
    window = Window(file, max_bytes + _READ_AHEAD)
    first = damaged_at = None
    while position < file.size:
        try:
            header = window.batch(position)
            check_place(header, expected, epochs)  # before its offset is believed: a damaged one may look like the end
            if expected >= end or (first is not None and position + header.length - first > max_bytes):
                break
        except CorruptBatch:
            damaged_at = position
            break
        expected = header.next_offset
        if first is None and expected > offset:
            first = position
        position += header.length
    return Found(b"" if first is None else window.slice(first, position), damaged_at, expected)
