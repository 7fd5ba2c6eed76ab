"""One CONSUME's page: what to read for it, and what is shown of that."""

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from flux.batch import Columns, CorruptBatch, columns
from flux.commands.reading_on import read_on
from flux.errors import OffsetOutOfRange, StorageError
from flux.interfaces import IPartition
from flux.model import Fetched
from flux.wire.fetch import Consume, Consumed, Field

MAX_FETCH_BYTES = 4 << 20  # a larger max_bytes means this: an answer is built in memory, percent-encoding may triple it
MAX_WAIT_S = 300.0  # a longer wait_ms means this: a consumer that vanished is forgotten some time
_ALWAYS_READ_BYTES = 1 << 14


class Page:
    """One request's answer, read in one go as a rule.

    By callbacks: whoever gets records one by one asks once for each, and the coroutine it would take costs him 4 µs each time.
    """

    __slots__ = ("_values_only", "_wait_s", "at_once", "max_bytes", "partition", "request")

    def __init__(self, request: Consume, partition: IPartition) -> None:
        self.request = request
        self.partition = partition
        self.max_bytes = min(request.max_bytes, MAX_FETCH_BYTES)
        self.at_once = _enough_for(request.max_records, self.max_bytes, partition)
        self._wait_s = min(request.wait_s, MAX_WAIT_S)
        self._values_only = Field.KEYS not in request.fields and Field.TIMESTAMPS not in request.fields

    def begin(self, offset: int) -> "Deferred[Consumed]":
        """Fire with the answer, from *offset* on."""
        fetch = self.partition.fetch(offset, self.at_once, self._wait_s, self.request.min_bytes)
        if self.request.reset is None:
            return fetch.addCallback(self._show)
        return fetch.addCallbacks(self._show, self._begin_elsewhere)

    def _begin_elsewhere(self, failure: Failure) -> "Deferred[Consumed]":
        failure.trap(OffsetOutOfRange)
        partition = self.partition
        offset = partition.log_start if self.request.reset == "earliest" else partition.high_watermark
        fetch = partition.fetch(offset, self.at_once, self._wait_s, self.request.min_bytes)
        return fetch.addCallback(self._show)

    def _show(self, fetched: Fetched) -> "Consumed | Deferred[Consumed]":
        page = self.columns(fetched, fetched.offset, self.request.max_records, self.max_bytes)
        if self.is_full(page) or page.next_offset >= fetched.high_watermark:
            return self.consumed(page, fetched)
        return Deferred.fromCoroutine(read_on(self, page, fetched))

    def is_full(self, page: Columns) -> bool:
        """Whether it has all that may be shown."""
        found = len(page.offsets)
        return found > 0 and (self.at_once == self.max_bytes or found == self.request.max_records)

    def columns(self, fetched: Fetched, offset: int, max_records: int, max_bytes: int) -> Columns:
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
                f"{self.partition.tp}: damaged between offset {offset} and {fetched.high_watermark} ({error});"
                " read on behind it, or restart the broker, which then skips what is damaged"
            ) from error

    def consumed(self, page: Columns, fetched: Fetched) -> Consumed:
        """The answer that shows it."""
        fields = self.request.fields
        return Consumed(
            page.offsets,
            page.values,
            fetched.high_watermark,
            page.next_offset,
            fetched.log_start,
            self.request.enc,
            page.keys if Field.KEYS in fields else None,
            page.timestamps_ms if Field.TIMESTAMPS in fields else None,
            Field.TOMBSTONES in fields,
        )


def _enough_for(max_records: int, max_bytes: int, partition: IPartition) -> int:
    """Bytes that hold *max_records* of the partition's usual size, *max_bytes* at most.

    Ten records are not worth reading a mebibyte (1,240 → 100 µs).
    """
    if max_records >= max_bytes:
        return max_bytes  # no record is as small as a byte
    records = max(partition.log_end - partition.log_start, 1)
    usual = partition.size_bytes // records + 1
    return min(max_bytes, max_records * usual * 9 // 8 + _ALWAYS_READ_BYTES)
