"""The blocking face: every method returns what was answered. Standard library only, and any number of threads may share one."""

import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from flux.client import calls, cluster_calls, group_calls
from flux.client.calls import Call
from flux.client.core import Core
from flux.client.exchange import Exchange
from flux.client.methods import described
from flux.client.settings import ClientSettings
from flux.client.socket_connection import SocketConnection
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
        self._lock = threading.Lock()  # held by whoever touches anything below, but not while he waits for the socket
        self._core = Core(brokers, settings or ClientSettings())
        self._connection: SocketConnection | None = None
        self._reading = _Reading(self)
        self._someone_reads = False
        self._nobody_reads = threading.Condition(self._lock)
        self._sleepers: dict[Exchange[Any], threading.Condition] = {}  # who waits for the one who reads

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
        with self._lock:
            exchange = self._ask(call)
            self._wait_for(exchange)
        return exchange.result()

    def send_all(self, calls: Iterable[Call[R]]) -> list[R | FluxError]:
        """Send *calls* without waiting in between; all outcomes in order, errors as values."""
        asked = list(calls)
        with self._lock:
            exchanges = [self._ask(call) for call in asked]
            for exchange in exchanges:
                self._wait_for(exchange)
        return [exchange.outcome() for exchange in exchanges]

    # --- the connection ---

    def connect(self) -> Welcome:
        """Who answers. :raises NoBroker: nobody does, at any of the addresses."""
        return self.hello()

    def close(self) -> None:
        """Hang up. A call of another thread that is not answered by now fails."""
        with self._lock:
            self._core.close()
            self._wake_finished()
            while self._someone_reads:  # he has nothing to read for any more
                self._nudge()
                self._nobody_reads.wait()
            self._follow()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- one reads, the others sleep; all of this with the lock held ---

    def _ask(self, call: Call[R]) -> Exchange[R]:
        connection = self._connection
        if connection is not None and not self._someone_reads and connection.has_news():
            # The broker has gone while nobody was looking: see that before a request is lost to it, its outcome unknown.
            with self._reading:
                self._read_once(0.0)
        return self._core.ask(call, monotonic())

    def _wait_for(self, exchange: Exchange[Any]) -> None:
        try:
            while not exchange.is_done:
                if self._someone_reads:
                    self._sleep(exchange)
                else:
                    with self._reading:
                        while not exchange.is_done:
                            self._read_once(None)
        except BaseException:  # an interrupt: nobody waits any more
            self._core.give_up(exchange, monotonic())
            self._wake_reader()
            raise

    def _sleep(self, exchange: Exchange[Any]) -> None:
        """Until *exchange* is finished, or nobody reads."""
        self._nudge()  # there is something new to do
        wake_up = self._sleepers[exchange] = threading.Condition(self._lock)
        try:
            wake_up.wait()
        finally:
            del self._sleepers[exchange]

    def _wake_reader(self) -> None:
        """Have one of the sleepers read, if nobody does."""
        if self._sleepers and not self._someone_reads:
            reader = next((exchange for exchange in self._sleepers if not exchange.is_done), None)
            if reader is not None:
                self._sleepers[reader].notify()

    def _read_once(self, at_most_s: float | None) -> None:
        """Do what the core wants, then tell it what happens next."""
        self._follow()
        connection = self._connection
        if connection is None:
            return
        conversation, was_connected = connection.conversation, connection.is_connected
        if at_most_s is None and self._core.wake_at_s is not None:
            at_most_s = max(0.0, self._core.wake_at_s - monotonic())
        data, reason = b"", None
        self._lock.release()
        try:
            data = connection.wait(at_most_s)
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            self._lock.acquire()
        if reason is not None:
            self._core.lost(conversation, reason, monotonic())
        elif not was_connected and connection.is_connected:
            self._core.connected(conversation, monotonic())
        elif data:
            self._core.received(conversation, data, monotonic())
        self._core.tick(monotonic())
        self._wake_finished()

    def _follow(self) -> None:
        conversation = self._core.conversation
        if self._connection is not None and self._connection.conversation is not conversation:
            self._connection.hang_up()
            self._connection = None
        if conversation is not None:
            if self._connection is None:
                self._connection = SocketConnection(conversation)
            self._connection.write(self._core.take_outgoing())

    def _wake_finished(self) -> None:
        for exchange in self._core.take_finished():
            if exchange in self._sleepers:
                self._sleepers[exchange].notify()

    def _nudge(self) -> None:
        if self._connection is not None:
            self._connection.nudge()


class _Reading:
    """Being the one who reads; afterwards one of the others is."""

    def __init__(self, client: BlockingClient) -> None:
        self._client = client

    def __enter__(self) -> None:
        self._client._someone_reads = True

    def __exit__(self, *_: object) -> None:
        self._client._someone_reads = False
        self._client._nobody_reads.notify_all()
        self._client._wake_reader()
