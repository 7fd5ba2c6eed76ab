"""One connection for many threads: of those that wait for an answer, one reads for all. Standard library only."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flux.client.calls import Call
from flux.client.core import Core
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.client.socket_connection import SocketConnection

R = TypeVar("R")


class Party:
    """A thread that waits: for calls of its own to finish, or for somebody to wake it."""

    __slots__ = ("_wake_up", "finished")

    def __init__(self, lock: threading.Lock) -> None:
        self._wake_up = threading.Condition(lock)
        self.finished: list[Exchange[Any]] = []

    def wake(self) -> None:
        """Have it look again."""
        self._wake_up.notify()

    def sleep(self, at_most_s: float | None) -> None:
        """Until it is woken."""
        self._wake_up.wait(at_most_s)


class Switchboard:
    """Does what a core wants, with whatever thread happens to wait. No thread is behind it.

    Every method but :meth:`close` is called with ``lock`` held, which is let go of while a thread waits.
    """

    def __init__(self, brokers: str | Sequence[str], settings: ClientSettings, now_s: Callable[[], float]) -> None:
        self.lock = threading.Lock()
        self.now_s = now_s
        self._core = Core(brokers, settings)
        self._connection: SocketConnection | None = None
        self._reading = _Reading(self)
        self._someone_reads = False
        self._nobody_reads = threading.Condition(self.lock)
        self._sleepers: dict[Party, Callable[[], bool]] = {}  # who waits for the one who reads, and until what

    def ask(self, call: Call[R], party: Party) -> Exchange[R]:
        """Send *call*, as soon as anybody waits."""
        connection = self._connection
        if connection is not None and not self._someone_reads and connection.has_news():
            # The broker has gone while nobody was looking: see that before a request is lost to it, its outcome unknown.
            with self._reading:
                self._read_once(0.0)
        exchange = self._core.ask(call, self.now_s(), party)
        if exchange.is_done:
            self._tell_finished()
        return exchange

    def give_up(self, exchange: Exchange[Any]) -> None:
        """Nobody waits for it any more."""
        self._core.give_up(exchange, self.now_s())

    def wait(self, party: Party, is_over: Callable[[], bool], until_s: float | None = None) -> None:
        """Until *is_over*, or until then. Something must be under way: who reads may find that out from nothing else."""
        try:
            while not is_over():
                left_s = None if until_s is None else until_s - self.now_s()
                if left_s is not None and left_s <= 0:
                    break
                if self._someone_reads:
                    self.nudge()  # there is something new to do
                    self._sleepers[party] = is_over
                    try:
                        party.sleep(left_s)
                    finally:
                        del self._sleepers[party]
                else:
                    with self._reading:
                        while not is_over() and (until_s is None or self.now_s() < until_s):
                            self._read_once(until_s)
        finally:
            self._wake_reader()  # it may have been this one's turn

    def nudge(self) -> None:
        """Have the one who reads look what is to be done."""
        if self._connection is not None and self._someone_reads:
            self._connection.nudge()

    def close(self) -> None:
        """Hang up. Whatever is under way fails."""
        with self.lock:
            self._core.close()
            self._tell_finished()
            while self._someone_reads:  # he has nothing to read for any more
                self.nudge()
                self._nobody_reads.wait()
            self._follow()

    # --- inside ---

    def _wake_reader(self) -> None:
        """Have one of the sleepers read, if nobody does."""
        if self._sleepers and not self._someone_reads:
            reader = next((party for party, is_over in self._sleepers.items() if not is_over()), None)
            if reader is not None:
                reader.wake()

    def _read_once(self, until_s: float | None) -> None:
        """Do what the core wants, then tell it what happens next."""
        self._follow()
        connection = self._connection
        if connection is None:
            return
        conversation, was_connected = connection.conversation, connection.is_connected
        wake_at_s = self._core.wake_at_s
        if wake_at_s is not None and (until_s is None or wake_at_s < until_s):
            until_s = wake_at_s
        data, reason = b"", None
        self.lock.release()
        try:
            data = connection.wait(None if until_s is None else max(0.0, until_s - self.now_s()))
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            self.lock.acquire()
        if reason is not None:
            self._core.lost(conversation, reason, self.now_s())
        elif not was_connected and connection.is_connected:
            self._core.connected(conversation, self.now_s())
        elif data:
            self._core.received(conversation, data, self.now_s())
        self._core.tick(self.now_s())
        self._tell_finished()

    def _follow(self) -> None:
        conversation = self._core.conversation
        if self._connection is not None and self._connection.conversation is not conversation:
            self._connection.hang_up()
            self._connection = None
        if conversation is not None:
            if self._connection is None:
                self._connection = SocketConnection(conversation)
            self._connection.write(self._core.take_outgoing())

    def _tell_finished(self) -> None:
        for exchange in self._core.take_finished():
            party: Party = exchange.waiter
            party.finished.append(exchange)
            if party in self._sleepers:
                party.wake()


class _Reading:
    """Being the one who reads; afterwards one of the others is."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    def __enter__(self) -> None:
        self._switchboard._someone_reads = True

    def __exit__(self, *_: object) -> None:
        self._switchboard._someone_reads = False
        self._switchboard._nobody_reads.notify_all()
        self._switchboard._wake_reader()
