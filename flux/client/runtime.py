"""Producers and consumers in Twisted: an agent decides, a runner makes its calls, futures are Deferreds."""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.client.agent import Agent
from flux.client.calls import Call, Text
from flux.client.consuming import AwaitingConsumer, Handler
from flux.client.listeners import Listeners
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.outbox import Outbox
from flux.client.subscription import Subscription
from flux.errors import FluxError
from flux.wire.produce import Produced

Send = Callable[[Call[Any]], Deferred[Any]]


class Runner:
    """Does what an agent wants; calls *changed* whenever something may have come of it."""

    _log = Logger()

    def __init__(self, send: Send, clock: IReactorTime, agent: Agent, changed: Callable[[], None]) -> None:
        self._send = send
        self._clock = clock
        self._agent = agent
        self._changed = changed
        self._timer: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._is_stopped = False
        self._due = self._prodding = False

    def prod(self) -> None:
        """See what is wanted now."""
        self._due = True
        if self._prodding:  # something came of it at once: the loop below will see it
            return
        self._prodding = True
        try:
            while self._due and not self._is_stopped:
                self._due = False
                for call, then in self._agent.wants(self._clock.seconds()):
                    self._send(call).addBoth(self._told, then).addErrback(self._surprised)
                self._changed()
        finally:
            self._prodding = False
        self._set_timer()

    def stop(self) -> None:
        """Want nothing more."""
        self._is_stopped = True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._set_timer()

    def _told(self, outcome: Any, then: Callable[[Any, float], None]) -> None:
        if isinstance(outcome, Failure):
            outcome.trap(FluxError)
            outcome = outcome.value
        then(outcome, self._clock.seconds())
        if self._soon is None:  # outcomes come in crowds: one look for all of them
            self._soon = self._clock.callLater(0, self._look)

    def _surprised(self, failure: Failure) -> None:
        self._log.failure("a call's outcome could not be dealt with", failure)

    def _set_timer(self) -> None:
        """Be woken in time; being woken early does no harm."""
        timer, when_s = self._timer, self._agent.wake_at_s
        if timer is not None and (self._is_stopped or (when_s is not None and when_s < timer.getTime())):
            timer.cancel()
            self._timer = timer = None
        if timer is None and when_s is not None and not self._is_stopped:
            self._timer = self._clock.callLater(max(0.0, when_s - self._clock.seconds()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.prod()

    def _look(self) -> None:
        self._soon = None
        self.prod()


class Producer:
    """Sends records in batches, again if need be, in order per key. See :class:`~flux.client.options.ProducerOptions`."""

    def __init__(self, send: Send, clock: IReactorTime, options: ProducerOptions) -> None:
        self._clock = clock
        self._outbox = Outbox(options)
        self._runner = Runner(send, clock, self._outbox, self._settle)
        self._in_line: deque[Deferred[None]] = deque()  # for room

    def send(
        self, topic: str, key: Text | None, value: Text | None, *, timestamp_ms: int | None = None
    ) -> Deferred[Produced]:
        """Have a record sent; fire when it is acknowledged.

        :raises Throttled: there is no room; wait for :meth:`room` before sending more.
        """
        acknowledged: Deferred[Produced] = Deferred()
        try:
            self._outbox.post(topic, key, value, timestamp_ms, self._clock.seconds(), acknowledged)
        except FluxError as error:
            return fail(error)
        self._runner.prod()
        return acknowledged

    def room(self) -> Deferred[None]:
        """Fire when there is room for a record: at once, or when others are acknowledged."""
        if not self._in_line and self._outbox.has_room(0):
            return succeed(None)
        turn: Deferred[None] = Deferred(self._in_line.remove)
        self._in_line.append(turn)
        return turn

    def flush(self) -> Deferred[None]:
        """Let nothing linger; fire when everything sent so far is acknowledged or has failed."""
        flushed: Deferred[None] = Deferred()
        if self._outbox.flush(flushed):
            return succeed(None)
        self._runner.prod()
        return flushed

    def close(self) -> Deferred[None]:
        """Accept no more; fire when everything is acknowledged or has failed. The client stays open."""
        self._outbox.close()
        return self.flush().addCallback(lambda _: self._runner.stop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _settle(self) -> None:
        for letter in self._outbox.take_finished():
            if isinstance(letter.outcome, FluxError):
                letter.waiter.errback(letter.outcome)
            else:
                letter.waiter.callback(letter.outcome)
        for flushed in self._outbox.take_flushed():
            if flushed is not None:
                flushed.callback(None)
        while self._in_line and self._outbox.has_room(0):
            self._in_line.popleft().callback(None)


class Consumer(AwaitingConsumer):
    """Reads the partitions of a group that fall to this member. See :class:`~flux.client.options.ConsumerOptions`.

    Iterate, or :meth:`run` a handler, not both at once. A record counts as handled when the next one is asked for, or when the
    handler is done with it; then it is committed. Signs of life are given meanwhile, as long as nobody blocks the reactor.
    """

    def __init__(
        self,
        send: Send,
        clock: IReactorTime,
        subscription: Subscription,
        options: ConsumerOptions,
        listeners: Listeners,
    ) -> None:
        super().__init__(subscription, options, listeners)
        self._clock = clock
        self._runner = Runner(send, clock, subscription, self._look)
        self._waiting: list[Deferred[None]] = []
        self._runner.prod()

    def run(self, handler: Handler) -> Deferred[None]:
        """Call *handler* with each record, and wait for what it returns; fire when the consumer is closed.

        A record it fails on, it gets again, up to ``max_retries`` times. Then its error is the end, and the record not committed.
        """
        return Deferred.fromCoroutine(self._run(handler))

    def close(self, timeout_s: float = 10.0) -> Deferred[None]:
        """Commit what is handled and leave; fire when that is done, or was tried for *timeout_s*. The client stays open."""
        return Deferred.fromCoroutine(self._close(timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _look(self) -> None:
        if self._is_closing or self._subscription.has_news(self._now_s()):
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(None)

    def _news(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def _sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, seconds)

    def _now_s(self) -> float:
        return self._clock.seconds()

    def _prod(self) -> None:
        self._runner.prod()

    def _stop(self) -> None:
        self._runner.stop()
