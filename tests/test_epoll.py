"""The broker's own reactor: Twisted's tests for reactors, run on it, and what is its own."""

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

from flux._epoll import EventReactor


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
