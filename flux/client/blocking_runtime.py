"""Producers and consumers for threads: an agent decides, a runner makes its calls from a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Self

from flux.client.agent import Agent
from flux.client.calls import Record, Text
from flux.client.consuming import Consuming
from flux.client.exchange import Exchange
from flux.client.listeners import Listeners
from flux.client.options import Attempts, ConsumerOptions, ProducerOptions
from flux.client.outbox import Outbox
from flux.client.subscription import Revoked, Subscription
from flux.client.switchboard import Party, Switchboard
from flux.errors import FluxError
from flux.wire.produce import Produced

Deliveries = Sequence[Callable[[], object]]


class BlockingRunner:
    """Does what an agent wants, in a thread, with the switchboard's lock held.

    *changed* is called whenever something may have come of it; what it returns is called without the lock.
    """

    def __init__(
        self, switchboard: Switchboard, agent: Agent, changed: Callable[[], Deliveries], thread_name: str
    ) -> None:
        self._switchboard = switchboard
        self._agent = agent
        self._changed = changed
        self._party = Party(switchboard.lock)
        self._under_way: dict[Exchange[Any], Callable[[Any, float], None]] = {}
        self._is_due = True
        self._is_stopped = False
        self._thread = threading.Thread(target=self._work, name=thread_name, daemon=True)
        self._thread.start()

    def prod(self) -> None:
        """See soon what is wanted. With the lock held."""
        if not self._is_due:
            self._is_due = True
            self._party.wake()
            self._switchboard.nudge()

    def stop(self) -> None:
        """Want nothing more, and return when the thread is gone. Without the lock."""
        with self._switchboard.lock:
            self._is_stopped = True
            self.prod()
        if threading.current_thread() is not self._thread:  # a future's callback may close its producer
            self._thread.join()

    def _work(self) -> None:
        switchboard, party = self._switchboard, self._party
        with switchboard.lock:
            while not self._is_stopped:
                self._is_due = False
                for call, then in self._agent.wants(switchboard.now_s()):
                    self._under_way[switchboard.ask(call, party)] = then
                self._tell()
                deliveries = self._changed()
                if deliveries:
                    self._deliver(deliveries)
                elif self._under_way:
                    switchboard.wait(party, self._has_work, self._agent.wake_at_s)
                elif not self._has_work():
                    wake_at_s = self._agent.wake_at_s
                    party.sleep(None if wake_at_s is None else max(0.0, wake_at_s - switchboard.now_s()))

    def _has_work(self) -> bool:
        return self._is_due or bool(self._party.finished)

    def _tell(self) -> None:
        finished, self._party.finished = self._party.finished, []
        for exchange in finished:
            self._is_due = True  # whoever is told may want more
            self._under_way.pop(exchange)(exchange.outcome(), self._switchboard.now_s())

    def _deliver(self, deliveries: Deliveries) -> None:
        self._switchboard.lock.release()
        try:
            for deliver in deliveries:
                deliver()
        finally:
            self._switchboard.lock.acquire()


class BlockingProducer:
    """Sends records in batches, again if need be, in order per key. See :class:`~flux.client.options.ProducerOptions`."""

    def __init__(self, switchboard: Switchboard, options: ProducerOptions) -> None:
        self._switchboard = switchboard
        self._outbox = Outbox(options)
        self._has_room = threading.Condition(switchboard.lock)
        self._runner = BlockingRunner(switchboard, self._outbox, self._settled, "flux-producer")

    def send(
        self, topic: str, key: Text | None, value: Text | None, *, timestamp_ms: int | None = None
    ) -> "Future[Produced]":
        """Have a record sent, once there is room for it; its future is done when it is acknowledged."""
        acknowledged: Future[Produced] = Future()
        acknowledged.set_running_or_notify_cancel()  # from here on it is too late to cancel
        try:
            with self._switchboard.lock:
                self._wait_for_room()
                self._outbox.post(topic, key, value, timestamp_ms, self._switchboard.now_s(), acknowledged)
                self._runner.prod()
        except FluxError as error:
            acknowledged.set_exception(error)
        return acknowledged

    def room(self) -> None:
        """Wait until there is room for a record."""
        with self._switchboard.lock:
            self._wait_for_room()

    def flush(self) -> None:
        """Let nothing linger; wait until everything sent so far is acknowledged or has failed."""
        flushed = threading.Event()
        with self._switchboard.lock:
            if self._outbox.flush(flushed):
                return
            self._runner.prod()
        flushed.wait()

    def close(self) -> None:
        """Accept no more; wait until everything is acknowledged or has failed. The client stays open."""
        with self._switchboard.lock:
            self._outbox.close()
            self._has_room.notify_all()
        self.flush()
        self._runner.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for_room(self) -> None:
        while not (self._outbox.has_room(0) or self._outbox.is_closed):
            self._has_room.wait()

    def _settled(self) -> Deliveries:
        deliveries: list[Callable[[], object]] = []
        for letter in self._outbox.take_finished():
            acknowledged: Future[Any] = letter.waiter
            if isinstance(letter.outcome, FluxError):
                deliveries.append(partial(acknowledged.set_exception, letter.outcome))
            else:
                deliveries.append(partial(acknowledged.set_result, letter.outcome))
        if deliveries:
            self._has_room.notify_all()
        deliveries += [flushed.set for flushed in self._outbox.take_flushed() if flushed is not None]
        return deliveries


class BlockingConsumer(Consuming):
    """Reads the partitions of a group that fall to this member. See :class:`~flux.client.options.ConsumerOptions`.

    Iterate, or :meth:`run` a handler, not both at once, and from one thread. A record counts as handled when the next one is
    asked for, or when the handler has returned; then it is committed. Signs of life are given meanwhile, however long it takes.
    """

    def __init__(
        self, switchboard: Switchboard, subscription: Subscription, options: ConsumerOptions, listeners: Listeners
    ) -> None:
        super().__init__(subscription, options, listeners, switchboard.lock)
        self._switchboard = switchboard
        self._lock = switchboard.lock
        self._news = threading.Condition(switchboard.lock)
        self._closing = threading.Event()
        self._runner = BlockingRunner(switchboard, subscription, self._look, "flux-consumer")

    # --- records ---

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        with self._lock:
            self._subscription.handled()
        record = self._next()
        if record is None:
            raise StopIteration
        return record

    def run(self, handler: Callable[[Record], object]) -> None:
        """Call *handler* with each record, until the consumer is closed (by the handler, or by another thread).

        A record it fails on, it gets again, up to ``max_retries`` times. Then its error is the end, and the record not committed.
        """
        while (record := self._next()) is not None:
            attempts = Attempts(self._options)
            while not self._is_closing:
                try:
                    handler(record)
                except Exception:
                    pause_s = attempts.next_s()
                    if pause_s is None:
                        raise
                    self._closing.wait(pause_s)
                else:
                    with self._lock:
                        self._subscription.handled()
                    break

    def _next(self) -> Record | None:
        """The next record, after telling what there is to be told; None when the consumer is being closed."""
        subscription = self._subscription
        while True:
            with self._lock:
                while True:
                    if self._is_closing:
                        return None
                    if subscription.failure is not None:
                        raise subscription.failure
                    item = subscription.next(self._now_s())
                    if item is not None:
                        break
                    self._runner.prod()
                    self._news.wait()
                if isinstance(item, Record):
                    self._prod_now_and_then()
                    return item
            self._listeners.tell(item)

    # --- the end ---

    def close(self, timeout_s: float = 10.0) -> None:
        """Commit what is handled and leave, or try to for *timeout_s*. The client stays open."""
        with self._lock:
            owned = () if self._is_closing else self._subscription.assignment
            self._is_closing = True
            self._closing.set()
            self._subscription.close(self._switchboard.now_s() + timeout_s)
            self._runner.prod()
            while not self._subscription.is_over(self._switchboard.now_s()):
                self._news.wait()
        self._runner.stop()
        if owned:
            self._listeners.tell(Revoked(owned))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the runner ---

    def _look(self) -> Deliveries:
        if self._is_closing or self._subscription.has_news(self._now_s()):
            self._news.notify_all()
        return ()

    def _now_s(self) -> float:
        return self._switchboard.now_s()

    def _prod(self) -> None:
        self._runner.prod()
