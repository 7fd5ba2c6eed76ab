"""Sparse indexes of one segment, in Kafka's formats.

``.index`` is pairs of big-endian 32-bit integers, offset relative to the segment's base and position in the ``.log``;
``.timeindex`` is a 64-bit timestamp in milliseconds and a 32-bit relative offset. Both ascend. They are hints
(:mod:`flux.storage.hints`): a wrong one is found out and rebuilt from the log.
"""

import operator
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, islice

_TIME_ENTRY_SIZE = 12


class BadIndex(ValueError):
    """These bytes are not an index of this segment."""


class OffsetIndex:
    """Relative offset → position of the batch that begins there."""

    __slots__ = ("_offsets", "_positions")

    def __init__(self) -> None:
        self._offsets = array("I")
        self._positions = array("I")

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._offsets, self._positions, strict=True)

    def add(self, relative_offset: int, position: int) -> None:
        """Remember a batch; they come in ascending order."""
        self._offsets.append(relative_offset)
        self._positions.append(position)

    def floor(self, relative_offset: int) -> tuple[int, int]:
        """Offset and position of the last remembered batch at or below *relative_offset*; (0, 0), the first batch, if there is none."""
        at = bisect_right(self._offsets, relative_offset)
        return (self._offsets[at - 1], self._positions[at - 1]) if at else (0, 0)

    def last(self) -> tuple[int, int] | None:
        """The last entry: relative offset and position."""
        return (self._offsets[-1], self._positions[-1]) if self._offsets else None

    def forget(self, position: int) -> None:
        """No batch stands at *position*, or not the one that was remembered."""
        at = self._positions.index(position)
        del self._offsets[at], self._positions[at]

    def to_bytes(self) -> bytes:
        """As the file holds it."""
        return struct.pack(f">{2 * len(self)}I", *chain(*zip(self._offsets, self._positions, strict=True)))

    @classmethod
    def parse(cls, data: bytes, log_size: int) -> "OffsetIndex":
        """:raises BadIndex: wrong size, not ascending, or pointing past *log_size*."""
        if len(data) % 8:
            raise BadIndex(f"{len(data)} bytes is no multiple of 8")
        numbers = struct.unpack(f">{len(data) // 4}I", data)
        index = cls()
        index._offsets, index._positions = array("I", numbers[0::2]), array("I", numbers[1::2])
        if not (_ascend(index._offsets) and _ascend(index._positions)):
            raise BadIndex("entries do not ascend")
        if index._positions and index._positions[-1] >= max(log_size, 1):
            raise BadIndex(f"an entry points to {index._positions[-1]}, the log has {log_size} bytes")
        return index


class TimeIndex:
    """Timestamp → relative offset: no record up to and including that batch is younger."""

    __slots__ = ("_offsets", "_timestamps")

    def __init__(self) -> None:
        self._timestamps = array("q")
        self._offsets = array("I")

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._timestamps, self._offsets, strict=True)

    @property
    def max_timestamp_ms(self) -> int:
        """The largest timestamp remembered, -1 if none is."""
        return self._timestamps[-1] if self._timestamps else -1

    @property
    def first_timestamp_ms(self) -> int | None:
        """The oldest timestamp remembered, None if none is."""
        return self._timestamps[0] if self._timestamps else None

    def add(self, timestamp_ms: int, relative_offset: int) -> None:
        """No record up to the batch at *relative_offset* is younger than *timestamp_ms*. Kept only if it says something new."""
        if timestamp_ms > self.max_timestamp_ms:
            self._timestamps.append(timestamp_ms)
            self._offsets.append(relative_offset)

    def before(self, timestamp_ms: int) -> int:
        """A relative offset below which every record is older than *timestamp_ms*."""
        at = bisect_left(self._timestamps, timestamp_ms)
        return self._offsets[at - 1] if at else 0

    def to_bytes(self) -> bytes:
        """As the file holds it."""
        return struct.pack(">" + "qi" * len(self), *chain(*zip(self._timestamps, self._offsets, strict=True)))

    @classmethod
    def parse(cls, data: bytes) -> "TimeIndex":
        """:raises BadIndex: wrong size or not ascending."""
        if len(data) % _TIME_ENTRY_SIZE:
            raise BadIndex(f"{len(data)} bytes is no multiple of {_TIME_ENTRY_SIZE}")
        numbers = struct.unpack(">" + "qi" * (len(data) // _TIME_ENTRY_SIZE), data)
        if not (_ascend(numbers[0::2]) and _ascend(numbers[1::2])) or any(number < 0 for number in numbers[:2]):
            raise BadIndex("entries do not ascend")
        index = cls()
        index._timestamps, index._offsets = array("q", numbers[0::2]), array("I", numbers[1::2])
        return index


def _ascend(numbers: Sequence[int]) -> bool:
    return all(map(operator.lt, numbers, islice(numbers, 1, None)))
