"""Producers and consumers in asyncio: an agent decides, a runner makes its calls."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from flux.client.agent import Agent
from flux.client.calls import Call, Text
from flux.client.consuming import AwaitingConsumer, Handler
from flux.client.listeners import Listeners
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.outbox import Outbox
from flux.client.subscription import Subscription
from flux.errors import FluxError
from flux.wire.produce import Produced

Start = Callable[[Call[Any]], "asyncio.Future[Any]"]


class AsyncRunner:
    """Does what an agent wants; calls *changed* whenever something may have come of it."""

    def __init__(self, start: Start, agent: Agent, changed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = start
        self._agent = agent
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = self._is_due = False

    def prod(self) -> None:
        """See what is wanted now."""
        self._is_due = False
        if self._is_stopped:
            return
        for call, then in self._agent.wants(self._loop.time()):
            self._start(call).add_done_callback(partial(self._told, then))
        self._changed()
        self._set_timer()

    def stop(self) -> None:
        """Want nothing more."""
        self._is_stopped = True
        self._set_timer()

    def _told(self, then: Callable[[Any, float], None], future: "asyncio.Future[Any]") -> None:
        error = future.exception()
        if error is not None and not isinstance(error, FluxError):
            raise error
        then(future.result() if error is None else error, self._loop.time())
        if not self._is_due:  # outcomes come in crowds: one look for all of them
            self._is_due = True
            self._loop.call_soon(self.prod)

    def _set_timer(self) -> None:
        """Be woken in time; being woken early does no harm."""
        timer, when_s = self._timer, self._agent.wake_at_s
        if timer is not None and (self._is_stopped or (when_s is not None and when_s < timer.when())):
            timer.cancel()
            self._timer = timer = None
        if timer is None and when_s is not None and not self._is_stopped:
            self._timer = self._loop.call_at(when_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.prod()


class AsyncProducer:
    """Sends records in batches, again if need be, in order per key. See :class:`~flux.client.options.ProducerOptions`."""

    def __init__(self, start: Start, options: ProducerOptions) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(options)
        self._runner = AsyncRunner(start, self._outbox, self._settle)
        self._in_line: list[asyncio.Future[None]] = []  # for room

    def send(
        self, topic: str, key: Text | None, value: Text | None, *, timestamp_ms: int | None = None
    ) -> "asyncio.Future[Produced]":
        """Have a record sent, now; its future is done when it is acknowledged.

        :raises Throttled: there is no room; await :meth:`room` before sending more.
        """
        acknowledged: asyncio.Future[Produced] = self._loop.create_future()
        try:
            self._outbox.post(topic, key, value, timestamp_ms, self._loop.time(), acknowledged)
        except FluxError as error:
            acknowledged.set_exception(error)
            return acknowledged
        self._runner.prod()
        return acknowledged

    async def room(self) -> None:
        """Wait until there is room for a record."""
        while not self._outbox.has_room(0):
            turn: asyncio.Future[None] = self._loop.create_future()
            self._in_line.append(turn)
            await turn

    async def flush(self) -> None:
        """Let nothing linger; wait until everything sent so far is acknowledged or has failed."""
        flushed: asyncio.Future[None] = self._loop.create_future()
        if not self._outbox.flush(flushed):
            self._runner.prod()
            await flushed

    async def close(self) -> None:
        """Accept no more; wait until everything is acknowledged or has failed. The client stays open."""
        self._outbox.close()
        await self.flush()
        self._runner.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _settle(self) -> None:
        for letter in self._outbox.take_finished():
            acknowledged: asyncio.Future[Any] = letter.waiter
            if acknowledged.done():
                pass  # cancelled: nobody wants to know
            elif isinstance(letter.outcome, FluxError):
                acknowledged.set_exception(letter.outcome)
            else:
                acknowledged.set_result(letter.outcome)
        _fire([flushed for flushed in self._outbox.take_flushed() if flushed is not None])
        if self._in_line and self._outbox.has_room(0):
            in_line, self._in_line = self._in_line, []
            _fire(in_line)


class AsyncConsumer(AwaitingConsumer):
    """Reads the partitions of a group that fall to this member. See :class:`~flux.client.options.ConsumerOptions`.

    Iterate, or :meth:`run` a handler, not both at once. A record counts as handled when the next one is asked for, or when the
    handler is done with it; then it is committed. Signs of life are given meanwhile, as long as nobody blocks the event loop.
    """

    def __init__(
        self, start: Start, subscription: Subscription, options: ConsumerOptions, listeners: Listeners
    ) -> None:
        super().__init__(subscription, options, listeners)
        self._loop = asyncio.get_running_loop()
        self._runner = AsyncRunner(start, subscription, self._look)
        self._waiting: list[asyncio.Future[None]] = []
        self._runner.prod()

    async def run(self, handler: Handler) -> None:
        """Call *handler* with each record, and await what it returns, until the consumer is closed.

        A record it fails on, it gets again, up to ``max_retries`` times. Then its error is the end, and the record not committed.
        """
        await self._run(handler)

    async def close(self, timeout_s: float = 10.0) -> None:
        """Commit what is handled and leave, or try to for *timeout_s*. The client stays open."""
        await self._close(timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _look(self) -> None:
        if self._is_closing or self._subscription.has_news(self._now_s()):
            waiting, self._waiting = self._waiting, []
            _fire(waiting)

    def _news(self) -> "asyncio.Future[None]":
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiter)
        return waiter

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _now_s(self) -> float:
        return self._loop.time()

    def _prod(self) -> None:
        self._runner.prod()

    def _stop(self) -> None:
        self._runner.stop()


def _fire(waiters: "list[asyncio.Future[None]]") -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
