"""What consumers see of a log: the part below the high watermark."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from flux.errors import FluxError, OffsetOutOfRange
from flux.interfaces import ILog
from flux.model import Fetched, TopicPartition
from flux.watermark import Watermark

_REREAD_S = 0.01  # a fetch short of min_bytes reads again at most this often: a read per append would be quadratic


class VisibleLog:
    """A log read up to ``watermark``, which outlives every role this broker plays.

    *Action*: :meth:`fetch`, parked if nothing is there yet. *Transitions*: :meth:`release` begins a drain; :meth:`close` is final.
    """

    def __init__(self, tp: TopicPartition, log: ILog, clock: IReactorTime, high_watermark: int) -> None:
        self.watermark = Watermark(max(log.start_offset, min(high_watermark, log.end_offset)))
        self._tp = tp
        self._log = log
        self._clock = clock
        self._no_waiting: FluxError | None = None  # why nobody may be parked any more

    def fetch(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """See :meth:`flux.interfaces.IPartition.fetch`."""
        log, visible = self._log, self.watermark.value
        if not log.start_offset <= offset <= log.end_offset:
            return fail(
                OffsetOutOfRange(
                    f"{self._tp}: offset {offset} is outside the log, which starts at {log.start_offset}"
                    f" and ends at {log.end_offset}"
                )
            )
        if offset < visible and (min_bytes <= 1 or max_wait_s <= 0):
            return log.read(offset, max_bytes, visible).addCallback(self._fetched, offset, visible)
        if max_wait_s <= 0:
            return succeed(self._fetched(b"", offset, visible))
        return Deferred.fromCoroutine(self._fetch_when_there(offset, max_bytes, max_wait_s, min(min_bytes, max_bytes)))

    def offset_for(self, timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """See :meth:`flux.interfaces.IPartition.offset_for`."""
        return self._log.offset_for(timestamp_ms).addCallback(
            lambda found: None if found is None or found[0] >= self.watermark.value else found
        )

    def release(self, reason: FluxError) -> None:
        """Fail every parked fetch with *reason*, and park none from now on."""
        self._no_waiting = reason
        self.watermark.release(reason)

    def close(self, reason: FluxError) -> None:
        """The same, and the watermark rises no more."""
        self._no_waiting = reason
        self.watermark.fail(reason)

    def _fetched(self, data: bytes, offset: int, visible: int) -> Fetched:
        return Fetched(offset, data, visible, self._log.start_offset)

    async def _fetch_when_there(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> Fetched:
        deadline = self._clock.seconds() + max_wait_s
        data, short = b"", -1
        while True:
            visible = self.watermark.value
            if offset < visible:
                data = await self._log.read(offset, max_bytes, visible)
            left = deadline - self._clock.seconds()
            # A read that a longer log did not make longer stopped for the log's own reasons: waiting would not help.
            if len(data) >= max(min_bytes, 1) or left <= 0 or len(data) == short:
                return self._fetched(data, offset, visible)
            short = len(data) or -1
            try:
                await self._rise_above(max(visible, offset)).addTimeout(left, self._clock)
            except DeferredTimeout:
                return self._fetched(data, offset, self.watermark.value)
            if min_bytes > 1:
                await deferLater(self._clock, min(_REREAD_S, left))

    def _rise_above(self, offset: int) -> "Deferred[int]":
        if self._no_waiting is not None:
            return fail(self._no_waiting.with_traceback(None))
        return self.watermark.reach(offset + 1)
