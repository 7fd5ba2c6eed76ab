"""CONSUME and OFFSETS: records and where they are."""

from collections.abc import Callable, Mapping
from typing import Any

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

    async def consume(self, request: Consume, session: ISession) -> Consumed:
        """Records from an offset on; parked for a while if there are none yet and the request says so.

        :raises OffsetOutOfRange: the offset is outside the log, and the request does not say where to go instead.
        """
        partition = await self._partition(request.topic, request.partition)
        max_bytes = min(request.max_bytes, MAX_FETCH_BYTES)
        at_once = min(max_bytes, _enough_for(request.max_records, partition))
        offset = request.offset
        wait_s = min(request.wait_s, MAX_WAIT_S)
        try:
            fetched = await partition.fetch(offset, at_once, wait_s, request.min_bytes)
        except OffsetOutOfRange:
            if request.reset is None:
                raise
            offset = partition.log_start if request.reset == "earliest" else partition.high_watermark
            fetched = await partition.fetch(offset, at_once, wait_s, request.min_bytes)
        values_only = Field.KEYS not in request.fields and Field.TIMESTAMPS not in request.fields
        page = _page(partition, fetched, offset, request.max_records, max_bytes, values_only)
        for _ in range(_MORE_READS):
            wanted = request.max_records - len(page.offsets)
            is_full = bool(page.offsets) and (at_once == max_bytes or not wanted)
            if is_full or page.next_offset >= fetched.high_watermark:
                break
            left = max_bytes - _size(page)
            if page.offsets and left <= 0:
                break
            try:
                fetched = await partition.fetch(page.next_offset, at_once, 0, 1)
                more = _page(partition, fetched, page.next_offset, wanted, max(left, 1), values_only)
            except FluxError:
                if page.offsets:
                    break  # what is at hand is shown; whoever goes on from there is told
                raise
            if page.offsets and _size(more) > left:
                break  # one record is always shown, however large; a further one is not
            page = _joined(page, more)
        return Consumed(
            page.offsets,
            page.values,
            fetched.high_watermark,
            page.next_offset,
            fetched.log_start,
            request.enc,
            page.keys if Field.KEYS in request.fields else None,
            page.timestamps_ms if Field.TIMESTAMPS in request.fields else None,
            Field.TOMBSTONES in request.fields,
        )

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


def _enough_for(max_records: int, partition: IPartition) -> int:
    """Bytes that hold *max_records* of the partition's usual size: ten records are not worth reading a mebibyte (1,240 → 100 µs)."""
    records = max(partition.log_end - partition.log_start, 1)
    usual = partition.size_bytes // records + 1
    return max_records * usual * 9 // 8 + _ALWAYS_READ_BYTES


def _page(
    partition: IPartition, fetched: Fetched, offset: int, max_records: int, max_bytes: int, values_only: bool
) -> Columns:
    """The visible records of *fetched*, and where to go on: past what was looked at."""
    if not fetched.data:
        # Nothing begins between the offset and the watermark: the rest is a gap, or the offset is at the end.
        return Columns([], [], [], [], max(offset, fetched.high_watermark))
    try:
        return columns(fetched.data, offset, fetched.high_watermark, max_records, max_bytes, values_only=values_only)
    except CorruptBatch as error:
        raise StorageError(
            f"{partition.tp}: damaged between offset {offset} and {fetched.high_watermark} ({error});"
            " read on behind it, or restart the broker, which then skips what is damaged"
        ) from error
