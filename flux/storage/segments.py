"""The segments of one log, oldest first: closed ones, then *hot* ones, the last of which is appended to.

Hot segments are rolled but not yet durable, or active; their files stay open and their indexes in memory, and they are read on the
reactor's thread: what was just written is in the page cache. Closed ones are read in the reader's thread.
"""

from collections.abc import Iterator, Sequence

from twisted.logger import Logger

from flux.batch import decode
from flux.interfaces import IDirectory
from flux.model import TopicPartition
from flux.storage.closed import ClosedSegment, OpenSegments, first_at_or_after, read_segment
from flux.storage.opening import ROLLING, Opened
from flux.storage.recovery import Damage
from flux.storage.segment import Segment, end_of, file_name

_PIECE = 1 << 20


class Segments:
    """What a log consists of. *Transitions*: :meth:`roll`, then :meth:`settle` once durable, then :meth:`forget`."""

    _log = Logger()

    def __init__(self, tp: TopicPartition, opened: Opened, open_segments: OpenSegments) -> None:
        self.directory: IDirectory = opened.directory
        self.closed: list[ClosedSegment] = opened.closed
        self.hot: list[Segment] = [opened.active]
        self.rolling: list[Segment] = []  # hot ones whose file still has its rolling name
        self.jumps = opened.jumps
        self.index_interval = open_segments.index_interval
        self._tp = tp
        self._open_segments = open_segments
        self._reported: set[tuple[int, int]] = set()

    @property
    def active(self) -> Segment:
        """The one appended to."""
        return self.hot[-1]

    @property
    def size_bytes(self) -> int:
        """Bytes in all of them."""
        return sum(segment.size_bytes for segment in self.closed) + sum(segment.file.size for segment in self.hot)

    def roll(self, end_offset: int) -> Segment:
        """Go on in a new segment at *end_offset*. See :mod:`flux.storage.syncing` for why its name is provisional."""
        file = self.directory.create(file_name(end_offset, ROLLING))
        fresh = Segment(end_offset, file, self.index_interval)
        self.active.seal()
        self.active.next_offset = end_offset
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
            self.closed.append(
                ClosedSegment(segment.base_offset, segment.next_offset, size, segment.max_timestamp_ms)
            )

    def forget(self, offset: int) -> list[ClosedSegment]:
        """Take out the closed segments that hold nothing at or above *offset*; their files are the caller's to remove."""
        gone = [segment for segment in self.closed if segment.next_offset <= offset]
        del self.closed[: len(gone)]
        return gone

    # --- reading

    def read_hot(self, offset: int, max_bytes: int, end: int) -> bytes:
        """Whole batches from the one holding *offset*, which is not in a closed segment."""
        for segment in self.hot:
            if segment.next_offset > offset or segment is self.active:
                data = read_segment(segment, offset, max_bytes, end, self.jumps, self._report)
                if data:
                    return data
                offset = max(offset, segment.next_offset)
        return b""

    def read_closed(self, closed: ClosedSegment, offset: int, max_bytes: int, end: int) -> bytes:
        """In the reader's thread: the same from a closed one, empty if there is nothing more in it."""
        segment = self._open_segments.get(self.directory, closed)
        return read_segment(segment, offset, max_bytes, end, self.jumps, self._report)

    def everything(self, offset: int, end: int) -> Iterator[bytes]:
        """All batches from the one holding *offset*, in pieces, on this thread."""
        for closed in [segment for segment in self.closed if segment.next_offset > offset]:
            while data := self.read_closed(closed, offset, _PIECE, end):
                yield data
                offset = end_of(data)
        while data := self.read_hot(offset, _PIECE, end):
            yield data
            offset = end_of(data)

    def first_since_closed(self, closed: ClosedSegment, timestamp_ms: int, start: int) -> tuple[int, int] | None:
        """In the reader's thread: :meth:`first_since` in a closed one."""
        return self.first_since(self._open_segments.get(self.directory, closed), timestamp_ms, start)

    def first_since(self, segment: Segment, timestamp_ms: int, start: int) -> tuple[int, int] | None:
        """Offset and timestamp of the first record from *start* on that is not older than *timestamp_ms*."""
        for data in first_at_or_after(segment, timestamp_ms, self.jumps, self._report):
            for record in decode(data, start):
                if record.timestamp_ms >= timestamp_ms:
                    return record.offset, record.timestamp_ms
        return None

    def _report(self, base_offset: int, damage: Damage) -> None:
        """Said once a place; also from the reader's thread, where twisted.logger may be called."""
        if (base_offset, damage.position) not in self._reported:
            self._reported.add((base_offset, damage.position))
            self._log.error(
                "{tp}: damage in {file} from byte {position} to {end}, at offset {offset}: {why}; passed over",
                tp=self._tp,
                file=file_name(base_offset),
                position=damage.position,
                end=damage.end,
                offset=damage.expected_offset,
                why=damage.why,
            )
