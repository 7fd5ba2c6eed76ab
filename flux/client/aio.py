"""The asyncio face: every method is a coroutine. It needs no Twisted."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from flux.client import calls, cluster_calls, group_calls
from flux.client.aio_runtime import AsyncConsumer, AsyncProducer
from flux.client.calls import Call
from flux.client.consuming import subscribe
from flux.client.conversation import Conversation
from flux.client.core import Core
from flux.client.exchange import Exchange
from flux.client.listeners import Listeners, OnError, OnPartitions
from flux.client.methods import described
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.settings import ClientSettings
from flux.client.sockets import prepare, reset_on_close
from flux.errors import FluxError
from flux.wire.session import Welcome

P = ParamSpec("P")
R = TypeVar("R")


def _method(make: Callable[P, Call[R]]) -> Callable[Concatenate["AsyncFluxClient", P], Coroutine[Any, Any, R]]:
    async def method(self: "AsyncFluxClient", /, *args: P.args, **options: P.kwargs) -> R:
        return await self.send(make(*args, **options))

    return described(method, make)


class AsyncFluxClient:
    """Talks to the brokers at *brokers* (``host:port``, several separated by commas, or a sequence of them), one at a time.

    It connects when there is something to send, and goes on with another broker when one is lost, stops, or does not lead. Calls
    are sent in the order in which they are made, without waiting for each other; one that is cancelled is taken back, or, if it
    has left, its answer is let go of. Belongs to the event loop it is first used in.

    :raises ValueError: *brokers* cannot be read.
    """

    def __init__(self, brokers: str | Sequence[str] = "127.0.0.1:9092", settings: ClientSettings | None = None) -> None:
        self._core = Core(brokers, settings or ClientSettings())
        self._conversation: Conversation | None = None  # the one there is a connection for
        self._connections: list[_Connection] = []  # the last is in use, if any is; the others are being hung up
        self._timer: asyncio.TimerHandle | None = None
        self._due = False

    # --- what can be asked ---

    ping = _method(calls.ping)
    hello = _method(calls.hello)
    help = _method(calls.help)
    produce = _method(calls.produce)
    consume = _method(calls.consume)
    offsets = _method(calls.offsets)

    join = _method(group_calls.join)
    sync = _method(group_calls.sync)
    heartbeat = _method(group_calls.heartbeat)
    leave = _method(group_calls.leave)
    commit = _method(group_calls.commit)
    offset = _method(group_calls.offset)
    group_list = _method(group_calls.group_list)
    group_describe = _method(group_calls.group_describe)
    explain_group = _method(group_calls.explain_group)
    group_reset = _method(group_calls.group_reset)

    replica_fetch = _method(cluster_calls.replica_fetch)
    set_partition_role = _method(cluster_calls.set_partition_role)
    explain_partition = _method(cluster_calls.explain_partition)

    admin_set_partition_leader = _method(cluster_calls.admin_set_partition_leader)
    admin_elect_topic_leaders = _method(cluster_calls.admin_elect_topic_leaders)
    admin_create_topic = _method(cluster_calls.admin_create_topic)
    admin_alter_topic = _method(cluster_calls.admin_alter_topic)
    admin_delete_topic = _method(cluster_calls.admin_delete_topic)
    admin_delete_records = _method(cluster_calls.admin_delete_records)
    admin_describe_topic = _method(cluster_calls.admin_describe_topic)
    admin_register_broker = _method(cluster_calls.admin_register_broker)
    admin_broker_heartbeat = _method(cluster_calls.admin_broker_heartbeat)
    admin_fence_broker = _method(cluster_calls.admin_fence_broker)
    admin_unfence_broker = _method(cluster_calls.admin_unfence_broker)
    admin_reconcile_broker_health = _method(cluster_calls.admin_reconcile_broker_health)
    admin_get_metadata = _method(cluster_calls.admin_get_metadata)

    async def send(self, call: Call[R]) -> R:
        """Send any call: all other methods go through here."""
        answered: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        exchange = self._ask(call, answered)
        try:
            return await answered
        except asyncio.CancelledError:
            self._core.give_up(exchange, _now_s())
            self._follow_soon()
            raise

    async def send_all(self, calls: Iterable[Call[R]]) -> list[R | FluxError]:
        """Send *calls* without waiting in between; all outcomes in order, errors as values."""
        return await asyncio.gather(*map(self._outcome, calls))

    async def _outcome(self, call: Call[R]) -> R | FluxError:
        try:
            return await self.send(call)
        except FluxError as error:
            return error

    def _start(self, call: Call[R]) -> "asyncio.Future[R]":
        answered: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._ask(call, answered)
        return answered

    def _ask(self, call: Call[R], answered: "asyncio.Future[R]") -> Exchange[R]:
        exchange = self._core.ask(call, _now_s(), answered)
        self._follow_soon()
        return exchange

    # --- producers and consumers ---

    def producer(self, options: ProducerOptions | None = None) -> AsyncProducer:
        """A producer that sends over this client's connection; close it first."""
        return AsyncProducer(self._start, options or ProducerOptions())

    def consumer(
        self,
        group: str,
        topics: str | Sequence[str],
        options: ConsumerOptions | None = None,
        *,
        member: str | None = None,
        on_assign: OnPartitions | None = None,
        on_revoke: OnPartitions | None = None,
        on_error: OnError | None = None,
    ) -> AsyncConsumer:
        """A member of *group* on *topics*, which reads over this client's connection; close it first.

        *member* is its name, one of its own if None. Listeners are called between two records, and awaited; without
        *on_error*, what goes wrong and is tried again is logged.
        """
        chosen = options or ConsumerOptions()
        subscription = subscribe(group, topics, member, chosen)
        return AsyncConsumer(self._start, subscription, chosen, Listeners(on_assign, on_revoke, on_error))

    # --- the connection ---

    async def connect(self, *, timeout_s: float | None = None) -> Welcome:
        """Who answers. :raises NoBroker: nobody does, at any of the addresses."""
        return await self.hello(timeout_s=timeout_s)

    async def close(self) -> None:
        """Hang up, and return when nothing is left. A call that is not answered by now fails."""
        self._core.close()
        self._follow()
        for connection in list(self._connections):
            await connection.gone.wait()

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()  # nobody leaves what he did not enter
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what happens ---

    def _connected(self, conversation: Conversation) -> None:
        self._core.connected(conversation, _now_s())
        self._follow()

    def _received(self, conversation: Conversation, data: bytes) -> None:
        self._core.received(conversation, data, _now_s())
        self._follow()

    def _lost(self, conversation: Conversation, reason: str) -> None:
        self._connections = [each for each in self._connections if each.conversation is not conversation]
        self._core.lost(conversation, reason, _now_s())
        self._follow()

    def _tick(self) -> None:
        self._timer = None
        self._core.tick(_now_s())
        self._follow()

    # --- what the core wants ---

    def _follow_soon(self) -> None:
        """Once, however many calls are made until then: they leave together."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._follow)

    def _follow(self) -> None:
        self._due = False
        self._use(self._core.conversation)
        for exchange in self._core.take_finished():
            answered: asyncio.Future[Any] = exchange.waiter
            if answered.done():
                pass  # cancelled just now
            elif exchange.error is None:
                answered.set_result(exchange.result())
            else:
                answered.set_exception(exchange.error)
        self._set_timer()

    def _use(self, conversation: Conversation | None) -> None:
        """Have a connection for *conversation* and no other, and write what is to be written."""
        if self._conversation is not conversation:
            self._conversation = conversation
            for connection in list(self._connections):
                connection.hang_up()
            if conversation is not None:
                self._connections.append(_Connection(conversation, self))
        outgoing = self._core.take_outgoing()
        if outgoing:
            self._connections[-1].write(outgoing)

    def _set_timer(self) -> None:
        """Be woken in time. Being woken early does no harm; setting the timer anew for every call would."""
        timer, when_s = self._timer, self._core.wake_at_s
        if timer is not None and (self._core.is_closed or (when_s is not None and when_s < timer.when())):
            timer.cancel()
            self._timer = timer = None
        if timer is None and when_s is not None:
            self._timer = asyncio.get_running_loop().call_at(when_s, self._tick)


class _Connection(asyncio.Protocol):
    """The connection that *conversation* is held on, from dialling to the end."""

    def __init__(self, conversation: Conversation, client: AsyncFluxClient) -> None:
        self.conversation = conversation
        self.gone = asyncio.Event()  # nothing of it is left
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        host, port = self.conversation.address
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except (OSError, asyncio.CancelledError) as error:
            self._over(error)

    def write(self, data: bytes) -> None:
        """Bounded by what a core keeps in flight."""
        assert self._transport is not None, "written to only when it is there"
        self._transport.write(data)

    def hang_up(self) -> None:
        """End it, whatever state it is in."""
        if self._transport is None:
            self._dialling.cancel()
        elif self.conversation.unanswered:
            # Nobody waits for these answers, and a request may have left in part.
            reset_on_close(self._transport.get_extra_info("socket"))
            self._transport.abort()
        else:
            self._transport.close()

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport
        prepare(transport.get_extra_info("socket"))
        self._client._connected(self.conversation)

    def data_received(self, data: bytes) -> None:
        """Some of an answer, or many."""
        self._client._received(self.conversation, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._over(exc)

    def _over(self, error: BaseException | None) -> None:
        reason = "the broker closed the connection" if error is None else str(error) or type(error).__name__
        self._client._lost(self.conversation, reason)
        self.gone.set()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
