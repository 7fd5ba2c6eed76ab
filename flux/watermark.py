"""An offset that only rises, and the Deferreds waiting for it."""

import heapq
from collections.abc import Callable
from itertools import count

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure


class Watermark:
    """An offset others wait for: a log's flushed end, a partition's high watermark.

    *Action*: :meth:`reach` asks to be told. *Transitions*: :meth:`advance` raises the value and fires whoever it has reached, in
    order of offset, then of asking; :meth:`fail` is final: everybody waiting, and everybody who asks later for an offset
    not yet reached, gets the failure. A waiter may be cancelled. :meth:`observe` is for the one who must follow every rise
    and cannot pay a Deferred each.
    """

    __slots__ = ("_failure", "_observers", "_order", "_waiting", "value")

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._waiting: list[tuple[int, int, Deferred[int]]] = []
        self._order = count()
        self._observers: tuple[Callable[[int], None], ...] = ()
        self._failure: BaseException | None = None

    @property
    def waiting(self) -> int:
        """How many Deferreds are parked."""
        return len(self._waiting)

    def reach(self, offset: int) -> Deferred[int]:
        """Fire with the value as soon as it is at least *offset*."""
        if self.value >= offset:
            return succeed(self.value)
        waiter: Deferred[int] = Deferred(self._forget)
        if self._failure is not None:
            waiter.errback(Failure(self._failure))
        else:
            heapq.heappush(self._waiting, (offset, next(self._order), waiter))
        return waiter

    def advance(self, offset: int) -> None:
        """Raise the value to *offset*; a lower one changes nothing."""
        if offset <= self.value or self._failure is not None:
            return
        self.value = offset
        for observer in self._observers:
            observer(offset)
        while self._waiting and self._waiting[0][0] <= offset:
            heapq.heappop(self._waiting)[2].callback(self.value)

    def observe(self, observer: Callable[[int], None]) -> None:
        """Call *observer* with the value at every rise, before the waiters. It must not raise."""
        self._observers += (observer,)

    def lower(self, offset: int) -> None:
        """The log was truncated at *offset*: the value falls with it. Waiters stay; their offsets may come again."""
        self.value = min(self.value, offset)

    def fail(self, reason: BaseException) -> None:
        """Stop for good: nothing above the present value will ever be reached."""
        self._failure = reason
        self.release(reason)

    def release(self, reason: BaseException) -> None:
        """Fail those waiting now; the watermark itself goes on."""
        waiting, self._waiting = self._waiting, []
        for _, _, waiter in sorted(waiting, key=lambda entry: entry[:2]):
            if not waiter.called:  # one told before it may have cancelled it
                waiter.errback(Failure(reason))

    def _forget(self, waiter: Deferred[int]) -> None:
        self._waiting = [entry for entry in self._waiting if entry[2] is not waiter]
        heapq.heapify(self._waiting)
