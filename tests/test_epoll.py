"""The broker's own reactor: Twisted's tests for reactors, run on it, and what is its own."""

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.test.test_core import SystemEventTestsBuilder
from twisted.internet.test.test_fdset import ReactorFDSetTestsBuilder
from twisted.internet.test.test_tcp import (
    AbortConnectionTests,
    TCPConnectionTestsBuilder,
    TCPPortTestsBuilder,
    TCPTransportTestsBuilder,
)
from twisted.internet.test.test_threads import ThreadTestsBuilder
from twisted.internet.test.test_time import TimeTestsBuilder
from twisted.trial.unittest import SynchronousTestCase

from flux._epoll import EventReactor, Events, Waiting


class _OnOurs(SynchronousTestCase):
    reactorFactory: Any = EventReactor


class SystemEventTests(_OnOurs, SystemEventTestsBuilder):
    """Start, stop, and what is told of them."""


class DescriptorTests(_OnOurs, ReactorFDSetTestsBuilder):
    """Readers and writers that come, go, and go bad."""

    def test_lostFileDescriptor(self) -> None:
        """Twisted's test waits for what no reactor on epoll is ever told: that a descriptor was closed. So close it when it is removed."""
        reactor: Any = self.buildReactor()
        reader = Reader(lambda _data: self.fail("it is gone"))
        reactor.addReader(reader)
        reader.peer.send(b"x")
        reactor.removeReader(reader)
        reader.socket.close()
        reader.peer.close()
        reactor.callLater(0.01, reactor.stop)
        self.runReactor(reactor)


class PortTests(_OnOurs, TCPPortTestsBuilder):
    """Ports."""


class ConnectionTests(_OnOurs, TCPConnectionTestsBuilder):
    """Connections that pause, resume, and end."""


class TransportTests(_OnOurs, TCPTransportTestsBuilder):
    """What is written."""


class AbortTests(_OnOurs, AbortConnectionTests):
    """Connections that are aborted, also while they are read."""


class ThreadTests(_OnOurs, ThreadTestsBuilder):
    """Calls from threads."""


class TimeTests(_OnOurs, TimeTestsBuilder):
    """Timers."""


class Reader:
    """Has the reactor read a socket, and does *work* with what came."""

    def __init__(self, work: Callable[[bytes], object]) -> None:
        self.socket, self.peer = socket.socketpair()
        self.lost: list[BaseException] = []
        self._work = work

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "reader"

    def doRead(self) -> None:
        self._work(self.socket.recv(100))

    def connectionLost(self, reason: Any) -> None:
        self.lost.append(reason.value)


class EventTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = EventReactor()
        self.addCleanup(self.reactor._poller.close)
        self.addCleanup(self.reactor.waker.connectionLost, None)

    def reader(self, work: Callable[[bytes], object]) -> Reader:
        reader = Reader(work)
        self.addCleanup(reader.socket.close)
        self.addCleanup(reader.peer.close)
        self.reactor.addReader(reader)
        self.addCleanup(self.reactor.removeReader, reader)
        return reader

    def test_who_fails_ends_alone(self) -> None:
        """It is told why, the error is logged, and the others of the round are read."""
        seen: list[bytes] = []

        def fail(_data: bytes) -> None:
            raise ZeroDivisionError

        bad, good = self.reader(fail), self.reader(seen.append)
        bad.peer.send(b"x")
        good.peer.send(b"y")
        self.reactor.doIteration(0)
        self.assertEqual([type(error) for error in bad.lost], [ZeroDivisionError])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(seen, [b"y"])
        self.assertEqual(good.lost, [])
        self.assertNotIn(bad, self.reactor.getReaders())

    def test_who_is_removed_in_a_round_is_not_read_in_it(self) -> None:
        """By whoever comes first."""
        seen: list[bytes] = []
        readers: list[Reader] = []

        def first(data: bytes) -> None:
            seen.append(data)
            for reader in readers:
                self.reactor.removeReader(reader)

        readers += [self.reader(first), self.reader(first)]
        for reader in readers:
            reader.peer.send(b"x")
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual(seen, [b"x"])

    def test_the_end_of_a_turn_is_when_all_is_read(self) -> None:
        """And before the next wait; what is asked for there is done there too, and a failure stops nobody else."""
        seen: list[object] = []

        def ask(data: bytes) -> None:
            seen.append(data)
            self.reactor.at_end_of_turn(lambda: 1 / 0)
            self.reactor.at_end_of_turn(lambda: self.reactor.at_end_of_turn(lambda: seen.append("later")))
            self.reactor.at_end_of_turn(lambda: seen.append("end"))

        readers = [self.reader(ask), self.reader(seen.append)]
        for reader in readers:
            reader.peer.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(seen, [b"x", b"x", "end", "later"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_asks_for_ever_keeps_nobody_waiting(self) -> None:
        """He is called in every turn, and whoever becomes readable is read."""
        seen: list[object] = []

        def again() -> None:
            seen.append("again")
            self.reactor.at_end_of_turn(again)

        reader = self.reader(seen.append)
        self.reactor.at_end_of_turn(again)
        self.reactor.doIteration(None)
        reader.peer.send(b"x")
        self.reactor.doIteration(None)
        self.assertEqual(seen, ["again", "again", b"x", "again", "again"])

    def test_what_a_timer_asks_for_does_not_wait_for_an_event(self) -> None:
        """Nothing is readable, and the wait would be for ever."""
        seen: list[str] = []
        self.reactor.at_end_of_turn(lambda: seen.append("end"))
        self.reactor.doIteration(None)
        self.assertEqual(seen, ["end"])

    def test_one_cpu_is_left_to_who_is_waited_for(self) -> None:
        """This thread may use one only."""
        cpus = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, cpus)
        os.sched_setaffinity(0, {min(cpus)})
        self.reactor.busy_poll(1)
        self.assertEqual(self.reactor._wait.awake_s, 0)


class WaitingTests(SynchronousTestCase):
    """Events come when the test says, and a poll that may not sleep takes ten microseconds."""

    def setUp(self) -> None:
        self.now_us = 0
        self.next_us = 0  # when the next event comes
        self.polls: list[float] = []
        self.waiting = Waiting(self.poll, lambda: self.now_us / 1e6)
        self.waiting.awake_s = 50 / 1e6

    def poll(self, timeout: float, most: int) -> Events:
        self.polls.append(timeout)
        if timeout:
            ends_us = self.next_us if timeout < 0 else min(self.now_us + round(timeout * 1e6), self.next_us)
            self.now_us = max(self.now_us, ends_us)
        else:
            self.now_us += 10
        return [(7, 1)][:most] if self.now_us >= self.next_us else []

    def wait(self, us: int, timeout: float = -1) -> list[float]:
        """For an event that comes after *us*: the timeouts of the polls that this took."""
        self.next_us = self.now_us + us
        del self.polls[:]
        self.waiting(timeout, 1)
        return self.polls

    def test_who_waited_long_sleeps_at_once(self) -> None:
        for _ in range(9):
            self.assertEqual(self.wait(5000), [-1])

    def test_who_waited_shortly_stays_awake(self) -> None:
        """Four times, to be sure; then it never sleeps."""
        self.assertEqual([self.wait(30) for _ in range(4)], [[-1]] * 4)
        for _ in range(20):
            self.assertEqual(self.wait(30), [0, 0, 0])

    def test_it_goes_to_sleep_when_nothing_comes(self) -> None:
        """After the time it was given; three disappointments, and it sleeps at once."""
        for _ in range(20):
            self.wait(30)
        self.assertEqual(self.wait(5000), [0] * 5 + [-1])
        self.assertEqual(self.wait(5000), [0] * 5 + [-1])
        self.assertEqual(self.wait(5000), [0] * 5 + [-1])
        self.assertEqual(self.wait(5000), [-1])

    def test_every_other_wait_short_is_not_enough(self) -> None:
        """Staying awake for each long one would cost more than the short ones save."""
        for us in [30, 5000] * 20:
            self.assertEqual(self.wait(us), [-1])

    def test_a_timer_is_not_overslept(self) -> None:
        for _ in range(9):
            self.wait(30)
        self.assertEqual(self.wait(5000, timeout=20 / 1e6), [0, 0])
        *awake, asleep = self.wait(5000, timeout=80 / 1e6)
        self.assertEqual(awake, [0] * 5)
        self.assertAlmostEqual(asleep, 30 / 1e6)

    def test_waits_a_little_too_long_are_slept_through_mostly(self) -> None:
        """Short if slept through, too long to stay awake for: awake in vain for one of three at the most."""
        for _ in range(9):
            self.wait(30)
        in_vain = sum(0 in self.wait(70) for _ in range(90))
        self.assertLessEqual(in_vain, 30 + 3)

    def test_nothing_is_asked_twice_where_nobody_may_wait(self) -> None:
        for _ in range(9):
            self.wait(30)
        self.assertEqual(self.wait(5000, timeout=0), [0])

    def test_it_can_be_turned_off(self) -> None:
        self.waiting.awake_s = 0
        for _ in range(9):
            self.assertEqual(self.wait(30), [-1])
