"""What consumers see of a log: the part below the high watermark."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from flux.errors import FluxError, OffsetOutOfRange
from flux.interfaces import ILog
from flux.model import Fetched, TopicPartition
from flux.replication.gathering import gather
from flux.watermark import Watermark

_SOON_S = 1e-6  # a clock's rounding


class _Parked:
    """A fetch that waits for the watermark to rise above ``above``; whatever is there then will do."""

    __slots__ = ("above", "deadline_s", "max_bytes", "offset")

    def __init__(self, offset: int, max_bytes: int, above: int, deadline_s: float) -> None:
        self.offset = offset
        self.max_bytes = max_bytes
        self.above = above
        self.deadline_s = deadline_s


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
        self._parked: dict[Deferred[Fetched], _Parked] = {}
        # One for all who are parked. It runs on when they are served, for most come back soon, to wait as long: to cancel it and
        # begin another for each record takes 4 µs.
        self._timer: IDelayedCall | None = None
        self.watermark.observe(self._rose)

    def fetch(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """See :meth:`flux.interfaces.IPartition.fetch`."""
        log, visible, at_least = self._log, self.watermark.value, min(min_bytes, max_bytes)
        if not log.start_offset <= offset <= log.end_offset:
            return fail(
                OffsetOutOfRange(
                    f"{self._tp}: offset {offset} is outside the log, which starts at {log.start_offset}"
                    f" and ends at {log.end_offset}"
                )
            )
        if offset < visible and (at_least <= 1 or max_wait_s <= 0):
            # Most follow the log's end, and get their records one by one: without a Deferred for the read each costs 4 µs less.
            if data := log.read_newest(offset, max_bytes, visible):
                return succeed(self._fetched(data, offset, visible))
            return log.read(offset, max_bytes, visible).addCallback(self._fetched, offset, visible)
        if max_wait_s <= 0:
            return succeed(self._fetched(b"", offset, visible))
        if at_least <= 1:
            now_s = self._clock.seconds()
            parked = _Parked(offset, max_bytes, max(visible, offset), now_s + max_wait_s)
            return self._park(parked, Deferred(self._forget), now_s)
        return Deferred.fromCoroutine(
            gather(log, self.watermark, self._clock, self._rise_above, offset, max_bytes, max_wait_s, at_least)
        )

    def offset_for(self, timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """See :meth:`flux.interfaces.IPartition.offset_for`."""
        return self._log.offset_for(timestamp_ms).addCallback(
            lambda found: None if found is None or found[0] >= self.watermark.value else found
        )

    def release(self, reason: FluxError) -> None:
        """Fail every parked fetch with *reason*, and park none from now on."""
        self._park_nobody(reason)
        self.watermark.release(reason)

    def close(self, reason: FluxError) -> None:
        """The same, and the watermark rises no more."""
        self._park_nobody(reason)
        self.watermark.fail(reason)

    def _fetched(self, data: bytes, offset: int, visible: int) -> Fetched:
        return Fetched(offset, data, visible, self._log.start_offset)

    # --- parked until anything is there

    def _park(self, parked: _Parked, fetch: "Deferred[Fetched]", now_s: float) -> "Deferred[Fetched]":
        """Have *fetch* fire when the watermark has risen, or in time."""
        if self._no_waiting is not None:
            fetch.errback(self._no_waiting.with_traceback(None))
        else:
            self._parked[fetch] = parked
            self._wake_by(parked.deadline_s, now_s)
        return fetch

    def _rose(self, visible: int) -> None:
        if not self._parked:
            return
        for fetch in [fetch for fetch, parked in self._parked.items() if parked.above < visible]:
            parked = self._parked.pop(fetch, None)  # one served before it may have cancelled it
            if parked is None:
                continue
            try:
                if data := self._log.read_newest(parked.offset, parked.max_bytes, visible):
                    fetch.callback(self._fetched(data, parked.offset, visible))
                    continue
                reading = self._log.read(parked.offset, parked.max_bytes, visible)
            except Exception:  # it costs this fetch, not those behind it, nor whoever raised the watermark
                fetch.errback()
            else:
                reading.addCallbacks(self._read, self._unread, (fetch, parked, visible), {}, (fetch,))

    def _read(self, data: bytes, fetch: "Deferred[Fetched]", parked: _Parked, visible: int) -> None:
        if fetch.called:  # cancelled meanwhile
            return
        if data or parked.deadline_s <= (now_s := self._clock.seconds()):
            fetch.callback(self._fetched(data, parked.offset, visible))
        else:  # the log has a gap there
            self._park(_Parked(parked.offset, parked.max_bytes, visible, parked.deadline_s), fetch, now_s)
            self._rose(self.watermark.value)

    def _unread(self, failure: Failure, fetch: "Deferred[Fetched]") -> None:
        if not fetch.called:
            fetch.errback(failure)

    def _time_is_over(self) -> None:
        self._timer = None
        over_s = self._clock.seconds() + _SOON_S
        for fetch in [fetch for fetch, parked in self._parked.items() if parked.deadline_s <= over_s]:
            parked = self._parked.pop(fetch, None)
            if parked is not None:
                fetch.callback(self._fetched(b"", parked.offset, self.watermark.value))
        if self._parked:  # also if one who came back has begun a timer: his time may be over later than theirs
            self._wake_by(min(parked.deadline_s for parked in self._parked.values()), self._clock.seconds())

    def _wake_by(self, deadline_s: float, now_s: float) -> None:
        """Have the timer run no later than that."""
        if self._timer is None:
            self._timer = self._clock.callLater(max(deadline_s - now_s, 0), self._time_is_over)
        elif deadline_s < self._timer.getTime():
            self._timer.reset(max(deadline_s - now_s, 0))

    def _forget(self, fetch: "Deferred[Fetched]") -> None:
        self._parked.pop(fetch, None)
        if not self._parked:
            self._stop_timer()

    def _park_nobody(self, reason: FluxError) -> None:
        self._no_waiting = reason
        self._stop_timer()
        parked, self._parked = self._parked, {}
        for fetch in parked:
            if not fetch.called:  # one told before it may have cancelled it
                fetch.errback(Failure(reason))

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # --- parked until so much is there

    def _rise_above(self, offset: int) -> "Deferred[int]":
        if self._no_waiting is not None:
            return fail(self._no_waiting.with_traceback(None))
        return self.watermark.reach(offset + 1)
