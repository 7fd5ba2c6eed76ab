"""What the consumers of all faces have in common; and, for those that can await, the loop itself."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from inspect import isawaitable
from typing import Any, Self
from uuid import uuid4

from flux.client.calls import Record
from flux.client.listeners import Listeners
from flux.client.options import Attempts, ConsumerOptions
from flux.client.subscription import Revoked, Subscription
from flux.model import TopicPartition

Handler = Callable[[Record], Awaitable[Any] | Any]

_PROD_S = 0.01  # between two looks at what is wanted, while records are at hand: a look costs more than a record


def subscribe(group: str, topics: str | Sequence[str], member: str | None, options: ConsumerOptions) -> Subscription:
    """As a face is told it: one topic or several, and a name for the member or none."""
    return Subscription(
        group, [topics] if isinstance(topics, str) else topics, member or f"flux-{uuid4().hex}", options
    )


class Consuming(ABC):
    """Where a consumer is, and where it is to go."""

    def __init__(
        self,
        subscription: Subscription,
        options: ConsumerOptions,
        listeners: Listeners,
        guard: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._subscription = subscription
        self._options = options
        self._listeners = listeners
        self._guard = guard or nullcontext()  # around whatever touches the subscription
        self._is_closing = False
        self._prodded_at_s = 0.0

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The partitions that are this consumer's."""
        with self._guard:
            return self._subscription.assignment

    def position(self, topic: str, partition: int) -> int | None:
        """The offset of the next record; None as long as nobody knows. :raises BadRequest: the partition is not ours."""
        with self._guard:
            return self._subscription.position(topic, partition)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at *offset*. :raises BadRequest: the partition is not ours."""
        with self._guard:
            self._subscription.seek(topic, partition, offset)
            self._prod()

    def pause(self, topic: str, partition: int) -> None:
        """Hand out nothing from there. :raises BadRequest: the partition is not ours."""
        with self._guard:
            self._subscription.pause(topic, partition)

    def resume(self, topic: str, partition: int) -> None:
        """Go on there. :raises BadRequest: the partition is not ours."""
        with self._guard:
            self._subscription.resume(topic, partition)
            self._prod()

    def handled(self) -> None:
        """The record handed out last is handled, as asking for the next one would say too: for who wants no next one."""
        with self._guard:
            self._subscription.handled()
            self._prod()

    @abstractmethod
    def _prod(self) -> None:
        """Have the runner look what is wanted."""

    @abstractmethod
    def _now_s(self) -> float: ...

    def _prod_now_and_then(self) -> None:
        now_s = self._now_s()
        if now_s - self._prodded_at_s >= _PROD_S:
            self._prodded_at_s = now_s
            self._prod()


class AwaitingConsumer(Consuming):
    """The loop of the faces that can await: the same whatever drives it."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Record:
        self._subscription.handled()
        record = await self._next()
        if record is None:
            raise StopAsyncIteration
        return record

    async def _run(self, handler: Handler) -> None:
        """Until the consumer is closed, or *handler* has failed too often."""
        while (record := await self._next()) is not None:
            attempts = Attempts(self._options)
            while not self._is_closing:
                try:
                    handled = handler(record)
                    if isawaitable(handled):
                        await handled
                except Exception:
                    pause_s = attempts.next_s()
                    if pause_s is None:
                        raise
                    await self._sleep(pause_s)
                else:
                    self._subscription.handled()
                    break

    async def _next(self) -> Record | None:
        """The next record, after telling what there is to be told; None when the consumer is being closed."""
        subscription = self._subscription
        while not self._is_closing:
            if subscription.failure is not None:
                raise subscription.failure
            item = subscription.next(self._now_s())
            if isinstance(item, Record):
                self._prod_now_and_then()
                return item
            if item is None:
                self._prod()
                if not subscription.has_news(self._now_s()):
                    await self._news()
            else:
                told = self._listeners.tell(item)
                if isawaitable(told):
                    await told
        return None

    async def _close(self, timeout_s: float) -> None:
        """Commit what is handled and leave; what was owned until then is told to be revoked."""
        subscription = self._subscription
        owned = () if self._is_closing else subscription.assignment
        self._is_closing = True
        subscription.close(self._now_s() + timeout_s)
        self._prod()
        while not subscription.is_over(self._now_s()):
            await self._news()
        self._stop()
        if owned:
            told = self._listeners.tell(Revoked(owned))
            if isawaitable(told):
                await told

    @abstractmethod
    def _news(self) -> Awaitable[None]:
        """Fires at the next change that somebody may wait for."""

    @abstractmethod
    def _sleep(self, seconds: float) -> Awaitable[object]: ...

    @abstractmethod
    def _stop(self) -> None:
        """Have the runner want nothing more."""
