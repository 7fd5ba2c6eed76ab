"""The newest batches of logs, kept in memory: whoever follows a log's end is served without a read and without a checksum.

They may be shown because they are the very bytes the file was given: put here once it had taken them, in the order in which they
stand there, and never outside this process's memory since. Which of them a reader may see is said by offsets, as for any read. When
a log is cut at its end, its tail is forgotten with what was cut. What the medium does to a batch meanwhile is found by whoever
reads it from the file, later.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

_MOST_BYTES = 128 << 10  # of one log: who is further behind reads so much at once that the read hardly counts
_MOST_BATCHES = 64  # of one log: they are looked through one by one
_AROUND_A_BATCH = 300  # bytes of memory beyond its own: eight objects, each rounded up to 16 (tracemalloc: 240 to 270)


class _Batch(NamedTuple):
    base_offset: int
    next_offset: int
    size: int
    chunks: Sequence[bytes]


class Tail:
    """The newest batches of one log, each beginning where the one before it ends.

    *Action*: :meth:`append` what was written, :meth:`read` it. *Transition*: :meth:`clear`.
    """

    __slots__ = ("_batches", "_tails", "memory_bytes")

    def __init__(self, tails: "Tails") -> None:
        self.memory_bytes = 0
        self._batches: list[_Batch] = []  # no deque: an empty one takes 700 bytes, and most logs of many are idle
        self._tails = tails

    def append(self, base_offset: int, next_offset: int, size: int, chunks: Sequence[bytes]) -> None:
        """A batch now stands at the end of the log: *chunks*, *size* bytes together."""
        batches = self._batches
        if batches and batches[-1].next_offset != base_offset:
            self.clear()
        batches.append(_Batch(base_offset, next_offset, size, chunks))
        grown = size + _AROUND_A_BATCH
        while self.memory_bytes + grown > _MOST_BYTES or len(batches) > _MOST_BATCHES:
            grown -= batches.pop(0).size + _AROUND_A_BATCH
        self.memory_bytes += grown
        self._tails.changed(self, grown)

    def read(self, offset: int, max_bytes: int, end: int) -> bytes:
        """As :meth:`flux.interfaces.ILog.read`; empty if the batch that holds *offset* is not here."""
        batches = self._batches
        if not batches or not batches[0].base_offset <= offset < min(batches[-1].next_offset, end):
            return b""
        first = len(batches) - 1
        while batches[first].base_offset > offset:
            first -= 1
        chunks, size = [*batches[first].chunks], batches[first].size
        for batch in batches[first + 1 :]:
            size += batch.size
            if batch.base_offset >= end or size > max_bytes:
                break
            chunks += batch.chunks
        return b"".join(chunks)

    def clear(self) -> None:
        """Forget them all."""
        held, self.memory_bytes = self.memory_bytes, 0
        self._batches.clear()
        self._tails.changed(self, -held)


class Tails:
    """The tails of all logs of a data directory: at most *limit* bytes of memory. The log not written to longest loses its own first."""

    def __init__(self, limit: int) -> None:
        self.memory_bytes = 0
        self._limit = limit
        self._held: OrderedDict[Tail, None] = OrderedDict()

    def changed(self, tail: Tail, grown: int) -> None:
        """*tail* takes *grown* bytes more."""
        self.memory_bytes += grown
        self._held[tail] = None
        self._held.move_to_end(tail)
        if not tail.memory_bytes:
            del self._held[tail]
        while self.memory_bytes > self._limit:
            next(iter(self._held)).clear()
