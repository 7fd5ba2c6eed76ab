"""Reading a log's files: hot segments at once, closed ones in the reader's thread, so that a cold disk stalls nobody else.

Damage is passed over wherever it lies: what comes after it is served, what it was is reported, once a place.
"""

from collections.abc import Iterator

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from flux.batch import decode
from flux.interfaces import InThread
from flux.model import TopicPartition
from flux.storage.closed import ClosedSegment, OpenSegments
from flux.storage.recovery import Damage, Sound, scan
from flux.storage.segment import Segment, end_of, file_name, read_batches
from flux.storage.segments import Segments

_PIECE = 1 << 20


class Reader:
    """Reads *segments*, which roll, settle and go meanwhile: after each wait it looks again at what there is."""

    _log = Logger()

    def __init__(
        self, tp: TopicPartition, segments: Segments, open_segments: OpenSegments, in_reader: InThread
    ) -> None:
        self._tp = tp
        self._segments = segments
        self._open_segments = open_segments
        self._in_reader = in_reader
        self._reported: set[tuple[int, int]] = set()

    def read(self, offset: int, max_bytes: int, end: int) -> Deferred[bytes]:
        """Whole batches from the one holding *offset*, at most *max_bytes* but one at least, none that begins at or above *end*.

        Fails with :class:`OSError`.
        """
        if self._segments.closed_at(offset) is not None:
            return Deferred.fromCoroutine(self._read(offset, max_bytes, end))
        try:
            return succeed(self._read_hot(offset, max_bytes, end))
        except OSError:
            return fail()

    async def _read(self, offset: int, max_bytes: int, end: int) -> bytes:
        while offset < end and (closed := self._segments.closed_at(offset)) is not None:
            data = await self._in_reader(self._read_closed, closed, offset, max_bytes, end)
            if data:
                return data
            offset = closed.next_offset
        return self._read_hot(offset, max_bytes, end)

    def scan(self, offset: int, end: int) -> Iterator[bytes]:
        """All batches from the one holding *offset*, in pieces, on this thread. :raises OSError: the disk failed."""
        while offset < end and (closed := self._segments.closed_at(offset)) is not None:
            data = self._read_closed(closed, offset, _PIECE, end)
            if data:
                yield data
            offset = end_of(data) if data else closed.next_offset
        while data := self._read_hot(offset, _PIECE, end):
            yield data
            offset = end_of(data)

    def offset_for(self, timestamp_ms: int, start: int) -> Deferred[tuple[int, int] | None]:
        """Offset and timestamp of the first record from offset *start* on that is not older than *timestamp_ms*, or None.

        Fails with :class:`OSError`.
        """
        return Deferred.fromCoroutine(self._offset_for(timestamp_ms, start))

    async def _offset_for(self, timestamp_ms: int, start: int) -> tuple[int, int] | None:
        offset = start
        while (closed := self._segments.closed_at(offset)) is not None:
            if closed.max_timestamp_ms >= timestamp_ms:
                found = await self._in_reader(self._first_in_closed, closed, timestamp_ms, start)
                if found is not None:
                    return found
            offset = closed.next_offset
        for segment in self._segments.hot:
            if segment.max_timestamp_ms >= timestamp_ms:
                found = self._first_in(segment, timestamp_ms, start)
                if found is not None:
                    return found
        return None

    # --- one segment

    def _read_hot(self, offset: int, max_bytes: int, end: int) -> bytes:
        for segment in self._segments.hot:
            if segment.next_offset > offset:
                data = self._read_segment(segment, offset, max_bytes, end)
                if data:
                    return data
                offset = segment.next_offset
        return b""

    def _read_closed(self, closed: ClosedSegment, offset: int, max_bytes: int, end: int) -> bytes:
        return self._read_segment(self._open(closed), offset, max_bytes, end)

    def _first_in_closed(self, closed: ClosedSegment, timestamp_ms: int, start: int) -> tuple[int, int] | None:
        return self._first_in(self._open(closed), timestamp_ms, start)

    def _first_in(self, segment: Segment, timestamp_ms: int, start: int) -> tuple[int, int] | None:
        offset = segment.base_offset + segment.time_index.before(timestamp_ms)
        while data := self._read_segment(segment, offset, _PIECE, segment.next_offset):
            for record in decode(data, start):
                if record.timestamp_ms >= timestamp_ms:
                    return record.offset, record.timestamp_ms
            offset = end_of(data)
        return None

    def _open(self, closed: ClosedSegment) -> Segment:
        return self._open_segments.get(self._segments.directory, closed)

    def _read_segment(self, segment: Segment, offset: int, max_bytes: int, end: int) -> bytes:
        epochs = self._segments.epochs
        found = segment.read(offset, max_bytes, end, epochs)
        while found.damaged_at is not None and not found.data:
            after = self._pass_over(segment, found.damaged_at, found.expected_offset)
            if after is None:
                return b""
            base = after.header.base_offset
            found = read_batches(segment.file, after.position, base, offset, max_bytes, end, epochs)
        return found.data

    def _pass_over(self, segment: Segment, position: int, expected: int) -> Sound | None:
        """The first valid batch from *position* on, where a damaged one was found; None if there is none."""
        for found in scan(segment.file, position, expected, self._segments.epochs, segment.next_offset):
            if isinstance(found, Sound):
                return found
            self._report(segment.base_offset, found)
        return None

    def _report(self, base_offset: int, damage: Damage) -> None:
        """Also from the reader's thread, where twisted.logger may be called."""
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
