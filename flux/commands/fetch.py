"""CONSUME and OFFSETS: records and where they are."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.batch import Columns, CorruptBatch, columns
from flux.errors import FluxError, OffsetOutOfRange, StorageError, UnknownTopic
from flux.interfaces import IBroker, ICommandFamily, IPartition, ISession
from flux.model import Fetched, TopicPartition
from flux.wire.fetch import Consume, Consumed, Field
from flux.wire.offsets import OffsetFound, Offsets

MAX_FETCH_BYTES = 4 << 20  # a larger max_bytes means this: an answer is built in memory, percent-encoding may triple it
MAX_WAIT_S = 300.0  # a longer wait_ms means this: a consumer that vanished is forgotten some time
_ALWAYS_READ_BYTES = 1 << 14
_MORE_READS = (
    64  # of one request, over gaps or for the records that are still wanted, before it answers with what it has
)


@implementer(ICommandFamily)
class FetchFamily:
    """Reads records."""

    name = "fetch"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The two commands."""
        fetching = Fetching(broker)
        return {Consume: fetching.consume, Offsets: fetching.offsets}


class Fetching:
    """Reads up to the high watermark, never past it."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    def consume(self, request: Consume, session: ISession) -> "Deferred[Consumed]":
        """Records from an offset on; parked for a while if there are none yet and the request says so.

        Fails with :class:`~flux.errors.OffsetOutOfRange`: the offset is outside the log, and the request does not say where to go
        instead.
        """
        try:
            partition = self._broker.partitions.get(TopicPartition(request.topic, request.partition))
        except UnknownTopic:
            return Deferred.fromCoroutine(self._consume_from_new(request))
        return _Page(request, partition).begin(request.offset)

    async def _consume_from_new(self, request: Consume) -> Consumed:
        partition = await self._partition(request.topic, request.partition)
        return await _Page(request, partition).begin(request.offset)

    async def offsets(self, request: Offsets, session: ISession) -> OffsetFound:
        """The log's start, its visible end, or the first visible record that is not older than a time."""
        partition = await self._partition(request.topic, request.partition)
        if request.at == "earliest":
            return OffsetFound(partition.log_start, -1)
        if request.at == "latest":
            return OffsetFound(partition.high_watermark, -1)
        found = await partition.offset_for(int(request.at))
        return OffsetFound(-1, -1) if found is None else OffsetFound(*found)

    async def _partition(self, topic: str, partition: int) -> IPartition:
        """:raises UnknownTopic: and it is not created on first use. :raises BadRequest: the topic has no such partition."""
        tp = TopicPartition(topic, partition)
        try:
            return self._broker.partitions.get(tp)
        except UnknownTopic:
            await self._broker.controller.create_on_first_use(topic)
            return self._broker.partitions.get(tp)


class _Page:
    """One request's answer, read in one go as a rule.

    By callbacks: whoever gets records one by one asks once for each, and the coroutine it would take costs him 4 µs each time.
    """

    __slots__ = ("_at_once", "_max_bytes", "_partition", "_request", "_values_only", "_wait_s")

    def __init__(self, request: Consume, partition: IPartition) -> None:
        self._request = request
        self._partition = partition
        self._max_bytes = min(request.max_bytes, MAX_FETCH_BYTES)
        self._at_once = _enough_for(request.max_records, self._max_bytes, partition)
        self._wait_s = min(request.wait_s, MAX_WAIT_S)
        self._values_only = Field.KEYS not in request.fields and Field.TIMESTAMPS not in request.fields

    def begin(self, offset: int) -> "Deferred[Consumed]":
        """Fire with the answer, from *offset* on."""
        fetch = self._partition.fetch(offset, self._at_once, self._wait_s, self._request.min_bytes)
        if self._request.reset is None:
            return fetch.addCallback(self._show)
        return fetch.addCallbacks(self._show, self._begin_elsewhere)

    def _begin_elsewhere(self, failure: Failure) -> "Deferred[Consumed]":
        failure.trap(OffsetOutOfRange)
        partition = self._partition
        offset = partition.log_start if self._request.reset == "earliest" else partition.high_watermark
        fetch = partition.fetch(offset, self._at_once, self._wait_s, self._request.min_bytes)
        return fetch.addCallback(self._show)

    def _show(self, fetched: Fetched) -> "Consumed | Deferred[Consumed]":
        page = self._columns(fetched, fetched.offset, self._request.max_records, self._max_bytes)
        if self._is_full(page) or page.next_offset >= fetched.high_watermark:
            return self._consumed(page, fetched)
        return Deferred.fromCoroutine(self._read_on(page, fetched))

    async def _read_on(self, page: Columns, fetched: Fetched) -> Consumed:
        """Over gaps, and for the records that are still wanted."""
        for _ in range(_MORE_READS):
            left = self._max_bytes - _size(page)
            if page.offsets and left <= 0:
                break
            try:
                fetched = await self._partition.fetch(page.next_offset, self._at_once, 0, 1)
                wanted = self._request.max_records - len(page.offsets)
                more = self._columns(fetched, page.next_offset, wanted, max(left, 1))
            except FluxError:
                if page.offsets:
                    break  # what is at hand is shown; whoever goes on from there is told
                raise
            if page.offsets and _size(more) > left:
                break  # one record is always shown, however large; a further one is not
            page = _joined(page, more)
            if self._is_full(page) or page.next_offset >= fetched.high_watermark:
                break
        return self._consumed(page, fetched)

    def _is_full(self, page: Columns) -> bool:
        found = len(page.offsets)
        return found > 0 and (self._at_once == self._max_bytes or found == self._request.max_records)

    def _columns(self, fetched: Fetched, offset: int, max_records: int, max_bytes: int) -> Columns:
        """The visible records of *fetched*, and where to go on: past what was looked at."""
        if not fetched.data:
            # Nothing begins between the offset and the watermark: the rest is a gap, or the offset is at the end.
            return Columns([], [], [], [], max(offset, fetched.high_watermark))
        try:
            return columns(
                fetched.data, offset, fetched.high_watermark, max_records, max_bytes, values_only=self._values_only
            )
        except CorruptBatch as error:
            raise StorageError(
                f"{self._partition.tp}: damaged between offset {offset} and {fetched.high_watermark} ({error});"
                " read on behind it, or restart the broker, which then skips what is damaged"
            ) from error

    def _consumed(self, page: Columns, fetched: Fetched) -> Consumed:
        fields = self._request.fields
        return Consumed(
            page.offsets,
            page.values,
            fetched.high_watermark,
            page.next_offset,
            fetched.log_start,
            self._request.enc,
            page.keys if Field.KEYS in fields else None,
            page.timestamps_ms if Field.TIMESTAMPS in fields else None,
            Field.TOMBSTONES in fields,
        )


def _joined(page: Columns, more: Columns) -> Columns:
    return Columns(
        [*page.offsets, *more.offsets],
        [*page.timestamps_ms, *more.timestamps_ms],
        [*page.keys, *more.keys],
        [*page.values, *more.values],
        more.next_offset,
    )


def _size(page: Columns) -> int:
    """Bytes of its values."""
    return sum(map(len, filter(None, page.values)))


def _enough_for(max_records: int, max_bytes: int, partition: IPartition) -> int:
    """Bytes that hold *max_records* of the partition's usual size, *max_bytes* at most.

    Ten records are not worth reading a mebibyte (1,240 → 100 µs).
    """
    if max_records >= max_bytes:
        return max_bytes  # no record is as small as a byte
    records = max(partition.log_end - partition.log_start, 1)
    usual = partition.size_bytes // records + 1
    return min(max_bytes, max_records * usual * 9 // 8 + _ALWAYS_READ_BYTES)
