"""The Twisted face: every method returns a Deferred."""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from flux.client import calls, cluster_calls, group_calls
from flux.client.addresses import Address
from flux.client.calls import Call
from flux.client.connection import Connection
from flux.client.consuming import subscribe
from flux.client.conversation import Conversation
from flux.client.core import Core
from flux.client.exchange import Exchange
from flux.client.listeners import Listeners, OnError, OnPartitions
from flux.client.methods import described
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.runtime import Consumer, Producer
from flux.client.settings import ClientSettings
from flux.errors import FluxError
from flux.wire.session import Welcome

P = ParamSpec("P")
R = TypeVar("R")


def _method(make: Callable[P, Call[R]]) -> Callable[Concatenate["FluxClient", P], Deferred[R]]:
    def method(self: "FluxClient", /, *args: P.args, **options: P.kwargs) -> Deferred[R]:
        try:
            call = make(*args, **options)
        except FluxError as error:
            return fail(error)
        return self.send(call)

    return described(method, make)


class FluxClient:
    """Talks to the brokers at *brokers* (``host:port``, several separated by commas, or a sequence of them), one at a time.

    It connects when there is something to send, and goes on with another broker when one is lost, stops, or does not lead. Calls
    are sent in the order in which they are made, without waiting for each other; a Deferred that is cancelled takes its call
    back, or, if that has left, lets go of its answer.

    *endpoint* says how an address is connected to, if not by TCP.

    :raises ValueError: *brokers* cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        brokers: str | Sequence[str] = "127.0.0.1:9092",
        settings: ClientSettings | None = None,
        *,
        endpoint: Callable[[Address], IStreamClientEndpoint] | None = None,
    ) -> None:
        self._clock: IReactorTime = reactor
        self._endpoint = endpoint or (lambda address: HostnameEndpoint(reactor, address.host, address.port))
        self._core = Core(brokers, settings or ClientSettings())
        self._conversation: Conversation | None = None  # the one there is a connection for
        self._connections: list[Connection] = []  # the last is in use, if any is; the others are being hung up
        self._timer: IDelayedCall | None = None
        self._following = self._due = False

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

    def send(self, call: Call[R]) -> "Deferred[R]":
        """Send any call: all other methods go through here."""
        answered: Deferred[R] = Deferred(lambda _: self._give_up(exchange))
        exchange = self._core.ask(call, self._clock.seconds(), answered)
        self._follow()
        return answered

    def send_all(self, calls: Iterable[Call[R]]) -> "Deferred[list[R | FluxError]]":
        """Send *calls* without waiting in between; fire with all outcomes in order, errors as values."""
        return gatherResults([self.send(call).addErrback(_as_value) for call in calls])

    # --- producers and consumers ---

    def producer(self, options: ProducerOptions | None = None) -> Producer:
        """A producer that sends over this client's connection; close it first."""
        return Producer(self.send, self._clock, options or ProducerOptions())

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
    ) -> Consumer:
        """A member of *group* on *topics*, which reads over this client's connection; close it first.

        *member* is its name, one of its own if None. Listeners are called between two records, and waited for; without
        *on_error*, what goes wrong and is tried again is logged.
        """
        chosen = options or ConsumerOptions()
        subscription = subscribe(group, topics, member, chosen)
        return Consumer(self.send, self._clock, subscription, chosen, Listeners(on_assign, on_revoke, on_error))

    # --- the connection ---

    def connect(self, *, timeout_s: float | None = None) -> Deferred[Welcome]:
        """Fire with who answers. :raises NoBroker: nobody does, at any of the addresses."""
        return self.hello(timeout_s=timeout_s)

    def close(self) -> "Deferred[None]":
        """Hang up; fire when nothing is left. A call that is not answered by now fails."""
        self._core.close()
        self._follow()
        gone = [connection.gone for connection in self._connections]
        return gatherResults(gone).addCallback(lambda _: None)

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

    def connected(self, conversation: Conversation) -> None:
        """A connection's word to the core."""
        self._core.connected(conversation, self._clock.seconds())
        self._follow()

    def received(self, conversation: Conversation, data: bytes) -> None:
        """A connection's word to the core."""
        self._core.received(conversation, data, self._clock.seconds())
        self._follow()

    def lost(self, conversation: Conversation, reason: str) -> None:
        """A connection's word to the core."""
        self._connections = [each for each in self._connections if each.conversation is not conversation]
        self._core.lost(conversation, reason, self._clock.seconds())
        self._follow()

    def _tick(self) -> None:
        self._timer = None
        self._core.tick(self._clock.seconds())
        self._follow()

    def _give_up(self, exchange: Exchange[Any]) -> None:
        self._core.give_up(exchange, self._clock.seconds())
        self._follow()

    # --- what the core wants ---

    def _follow(self) -> None:
        self._due = True
        if self._following:  # something happened while we did what follows: the loop below will see it
            return
        self._following = True
        try:
            while self._due:
                self._due = False
                self._use(self._core.conversation)
                for exchange in self._core.take_finished():
                    if exchange.error is None:
                        exchange.waiter.callback(exchange.result())
                    else:
                        exchange.waiter.errback(exchange.error)
        finally:
            self._following = False
        self._set_timer()

    def _use(self, conversation: Conversation | None) -> None:
        """Have a connection for *conversation* and no other, and write what is to be written."""
        if self._conversation is not conversation:
            self._conversation = conversation
            for connection in list(self._connections):
                connection.hang_up()
            if conversation is not None:
                connection = Connection(conversation, self)
                self._connections.append(connection)
                connection.dial(self._endpoint(conversation.address))
        outgoing = self._core.take_outgoing()
        if outgoing:
            self._connections[-1].transport.write(outgoing)

    def _set_timer(self) -> None:
        """Be woken in time. Being woken early does no harm; setting the timer anew for every call would."""
        timer, when_s = self._timer, self._core.wake_at_s
        if timer is not None and (self._core.is_closed or (when_s is not None and when_s < timer.getTime())):
            timer.cancel()
            self._timer = timer = None
        if timer is None and when_s is not None:
            self._timer = self._clock.callLater(max(0.0, when_s - self._clock.seconds()), self._tick)


def _as_value(failure: Failure) -> FluxError:
    failure.trap(FluxError)
    assert isinstance(failure.value, FluxError), "it was trapped"
    return failure.value
