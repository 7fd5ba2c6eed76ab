"""The blocking face: every method returns what was answered. Standard library only, and any number of threads may share one."""

from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from flux.client import calls, cluster_calls, group_calls
from flux.client.blocking_runtime import BlockingConsumer, BlockingProducer
from flux.client.calls import Call
from flux.client.consuming import subscribe
from flux.client.exchange import Exchange
from flux.client.listeners import Listeners, OnError, OnPartitions
from flux.client.methods import described
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.settings import ClientSettings
from flux.client.switchboard import Party, Switchboard
from flux.errors import FluxError
from flux.wire.session import Welcome

P = ParamSpec("P")
R = TypeVar("R")


def _method(make: Callable[P, Call[R]]) -> Callable[Concatenate["BlockingClient", P], R]:
    def method(self: "BlockingClient", /, *args: P.args, **options: P.kwargs) -> R:
        return self.send(make(*args, **options))

    return described(method, make)


class BlockingClient:
    """Talks to the brokers at *brokers* (``host:port``, several separated by commas, or a sequence of them), one at a time.

    It connects when there is something to send, and goes on with another broker when one is lost, stops, or does not lead.
    Threads that share a client share its connection, and none waits for another one's answer.

    There is no thread behind it: of the threads that wait for an answer, one reads for all.

    :raises ValueError: *brokers* cannot be read.
    """

    def __init__(self, brokers: str | Sequence[str] = "127.0.0.1:9092", settings: ClientSettings | None = None) -> None:
        self._switchboard = Switchboard(brokers, settings or ClientSettings(), monotonic)

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

    def send(self, call: Call[R]) -> R:
        """Send any call: all other methods go through here."""
        (exchange,) = self._exchanged([call])
        return exchange.result()

    def send_all(self, calls: Iterable[Call[R]]) -> list[R | FluxError]:
        """Send *calls* without waiting in between; all outcomes in order, errors as values."""
        return [exchange.outcome() for exchange in self._exchanged(list(calls))]

    def _exchanged(self, calls: Sequence[Call[R]]) -> list[Exchange[R]]:
        switchboard = self._switchboard
        party = Party(switchboard.lock)
        with switchboard.lock:
            exchanges = [switchboard.ask(call, party) for call in calls]
            try:
                switchboard.wait(party, lambda: len(party.finished) == len(exchanges))
            except BaseException:  # an interrupt: nobody waits any more
                for exchange in exchanges:
                    switchboard.give_up(exchange)
                raise
        return exchanges

    # --- producers and consumers ---

    def producer(self, options: ProducerOptions | None = None) -> BlockingProducer:
        """A producer that sends over this client's connection; close it first."""
        return BlockingProducer(self._switchboard, options or ProducerOptions())

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
    ) -> BlockingConsumer:
        """A member of *group* on *topics*, which reads over this client's connection; close it first.

        *member* is its name, one of its own if None. Listeners are called between two records; without
        *on_error*, what goes wrong and is tried again is logged.
        """
        chosen = options or ConsumerOptions()
        subscription = subscribe(group, topics, member, chosen)
        return BlockingConsumer(self._switchboard, subscription, chosen, Listeners(on_assign, on_revoke, on_error))

    # --- the connection ---

    def connect(self, *, timeout_s: float | None = None) -> Welcome:
        """Who answers. :raises NoBroker: nobody does, at any of the addresses."""
        return self.hello(timeout_s=timeout_s)

    def close(self) -> None:
        """Hang up. A call of another thread that is not answered by now fails."""
        self._switchboard.close()

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close()  # nobody leaves what he did not enter
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
