"""The segments of one log, oldest first: closed ones, then *hot* ones, the last of which is appended to.

Hot segments are rolled but not yet durable, or active; their files stay open and their indexes in memory, and they are read on the
reactor's thread: what was just written is in the page cache. Closed ones are read in the reader's thread.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.closed import ClosedSegment
from flux.storage.epochs import EpochCache
from flux.storage.segment import LOG, MAX_RELATIVE, Segment, file_name
from flux.storage.settings import LogSettings
from flux.storage.tail import Tail

ROLLING = LOG + ".rolling"  # a segment whose predecessor may not be durable yet


def rolling_name(base_offset: int, follows: int) -> str:
    """The provisional name of a segment; where offsets jump it says at which one the segment before it ends."""
    return file_name(base_offset, ROLLING) + ("" if follows == base_offset else f"-{follows}")


class Remainder(NamedTuple):
    """What is left of a log that was cut at its end."""

    closed: list[ClosedSegment]
    active: Segment
    epochs: EpochCache
    end_offset: int


class Segments:
    """What a log consists of: files, the offsets it starts and ends with, the leader epochs of what lies between, and its tail in memory.

    *Transitions*: :meth:`roll`, then :meth:`settle` once durable, then :meth:`forget`. While ``frozen`` nothing may be appended.
    """

    def __init__(
        self,
        directory: IDirectory,
        closed: list[ClosedSegment],
        active: Segment,
        epochs: EpochCache,
        start_offset: int,
        end_offset: int,
        index_interval: int,
        tail: Tail,
    ) -> None:
        self.directory = directory
        self.tail = tail
        self.closed = closed
        self.hot: list[Segment] = [active]
        self.rolling: list[Segment] = []  # hot ones whose file still has its rolling name
        self.epochs = epochs
        self.start_offset = start_offset
        self.end_offset = end_offset
        self.frozen = False
        self._index_interval = index_interval

    @property
    def active(self) -> Segment:
        """The one appended to."""
        return self.hot[-1]

    @property
    def size_bytes(self) -> int:
        """Bytes in all of them."""
        return sum(segment.size_bytes for segment in self.closed) + sum(segment.file.size for segment in self.hot)

    def closed_at(self, offset: int) -> ClosedSegment | None:
        """The closed segment in which, or after which, a reader of *offset* begins; None if that is a hot one."""
        at = bisect_right(self.closed, offset, key=lambda segment: segment.next_offset)
        return self.closed[at] if at < len(self.closed) else None

    def must_roll(
        self, settings: LogSettings, base_offset: int, next_offset: int, size: int, timestamp_ms: int
    ) -> bool:
        """Whether a batch of those offsets, *size* bytes and that timestamp belongs into a new segment."""
        active = self.hot[-1]
        if base_offset != active.next_offset:
            return True  # within a file offsets are dense
        if not active.file.size:
            return False
        first = active.first_timestamp_ms
        return (
            active.file.size + size > settings.segment_bytes
            or next_offset - active.base_offset > MAX_RELATIVE
            or (first is not None and timestamp_ms - first >= settings.segment_ms)
        )

    def roll(self, base_offset: int) -> Segment:
        """Go on in a new segment at *base_offset*. See :mod:`flux.storage.syncing` for why its name is provisional.

        :raises OSError: nothing changed.
        """
        follows = self.active.next_offset
        file = self.directory.create(rolling_name(base_offset, follows))
        fresh = Segment(base_offset, file, self._index_interval, follows)
        self.active.seal()
        self.hot.append(fresh)
        self.rolling.append(fresh)
        return fresh

    def settle(self, durable: Sequence[Segment], renamed: Sequence[Segment]) -> None:
        """*durable* will not change any more, *renamed* have their names."""
        self.rolling = [segment for segment in self.rolling if segment not in renamed]
        for segment in durable:
            self.hot.remove(segment)
            size = segment.file.size
            segment.file.close()
            self.closed.append(ClosedSegment(segment.base_offset, segment.next_offset, size, segment.max_timestamp_ms))

    def forget(self, offset: int) -> list[ClosedSegment]:
        """The log starts at *offset*. Return the closed segments that hold nothing of it any more, for the caller to remove their files."""
        self.start_offset = offset
        self.epochs = EpochCache(self.epochs.entries)
        self.epochs.cut_start(offset)
        gone = [segment for segment in self.closed if segment.next_offset <= offset]
        del self.closed[: len(gone)]
        return gone

    def replace(self, left: Remainder) -> None:
        """The log was cut: this is what is left of it."""
        for segment in self.hot:
            segment.file.close()
        self.tail.clear()
        self.closed, self.hot, self.rolling = left.closed, [left.active], []
        self.epochs, self.end_offset = left.epochs, left.end_offset
        self.start_offset = min(self.start_offset, left.end_offset)
