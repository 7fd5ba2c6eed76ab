"""One receiver, and the alerts that wait for it."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.errors import FluxError
from flux.interfaces import AlertReceiver
from flux.model import Alert

_AT_ONCE = 100  # alerts in one call: what a person can take in, and some tens of KiB as JSON


class Undelivered(FluxError):
    """A receiver gave up, for a reason that a sentence tells. Never leaves the broker."""


class Delivery:
    """Tells one receiver, one call at a time, never from within :meth:`add`.

    *Action*: :meth:`add` queues, and drops the oldest when the queue is full. *Transitions*: idle → soon → telling, and back;
    :meth:`stop` is final. Whatever was dropped, or lost with a call that failed, is counted, and the next call told how many.
    """

    _log = Logger()

    def __init__(self, name: str, receiver: AlertReceiver, clock: IReactorTime, queue_size: int) -> None:
        self.name = name
        self.dropped = 0  # since the receiver was told last
        self._receiver = receiver
        self._clock = clock
        self._queue_size = queue_size
        self._waiting: deque[Alert] = deque()
        self._soon: IDelayedCall | None = None
        self._telling: Deferred[Any] | None = None
        self._stopped = False

    def add(self, alerts: Iterable[Alert]) -> None:
        """Tell *alerts* when those before them are told."""
        for alert in alerts:
            if len(self._waiting) >= self._queue_size:
                if not self.dropped:
                    self._log.warn(
                        "{name} is too slow: {size} alerts wait for it, and the oldest are dropped",
                        name=self.name,
                        size=self._queue_size,
                    )
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(alert)
        self._go_on()

    def stop(self) -> None:
        """Tell nothing more, and give up what is being told."""
        self._stopped = True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._telling is not None:
            self._telling.cancel()
        if self._waiting:
            self._log.warn("{name}: {n} alerts were not told", name=self.name, n=len(self._waiting))

    def _go_on(self) -> None:
        if self._waiting and self._soon is None and self._telling is None and not self._stopped:
            self._soon = self._clock.callLater(0, self._tell)

    def _tell(self) -> None:
        self._soon = None
        alerts = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        dropped, self.dropped = self.dropped, 0
        self._telling = telling = maybeDeferred(self._receiver, alerts, dropped)
        telling.addErrback(self._lost, len(alerts) + dropped)
        telling.addBoth(self._told)

    def _lost(self, failure: Failure, count: int) -> None:
        self.dropped += count
        if self._stopped:
            return
        if failure.check(FluxError):
            self._log.error(
                "{name}: {n} alerts are lost: {why}", name=self.name, n=count, why=failure.getErrorMessage()
            )
        else:
            self._log.failure("{name}: {n} alerts are lost", failure, name=self.name, n=count)

    def _told(self, _: object) -> None:
        self._telling = None
        self._go_on()
