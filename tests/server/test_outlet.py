"""Answers and the socket below them."""

import socket

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from flux.server.outlet import Outlet


class OutletTests(SynchronousTestCase):
    """A real pair of sockets; the reactor only does what the test makes it do."""

    def setUp(self) -> None:
        ours, self.peer = socket.socketpair()
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.addCleanup(ours.close)
        self.addCleanup(self.peer.close)
        self.reactor = MemoryReactorClock()
        self.transport = Connection(ours, Protocol(), self.reactor)
        self.transport.connected = 1
        self.outlet = Outlet(self.transport)

    def received(self) -> bytes:
        pieces = []
        try:
            while piece := self.peer.recv(1 << 20):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces)

    def test_an_answer_is_sent_at_once(self) -> None:
        """The reactor has nothing to do with it."""
        self.outlet.write(b"a")
        self.outlet.write(b"b")
        self.assertEqual(self.received(), b"ab")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_what_the_socket_does_not_take_keeps_its_place(self) -> None:
        """The rest goes through the transport, and whatever comes before that is sent goes behind it."""
        expected = []
        for number in range(200):
            expected.append(b"%d" % number * 10_000)
            self.outlet.write(expected[-1])
        self.assertEqual(self.reactor.getWriters(), [self.transport])
        received = self.received()
        self.outlet.write(b"last")  # there is room again, but not everything is sent
        expected.append(b"last")
        while self.transport in self.reactor.getWriters():
            self.transport.doWrite()
            received += self.received()
        self.assertEqual(received, b"".join(expected))
        self.outlet.write(b"again at once")
        self.assertEqual(self.received(), b"again at once")

    def test_a_socket_that_is_gone_is_found_by_the_transport(self) -> None:
        """Which is what tells the protocol."""
        self.peer.close()
        self.outlet.write(b"a")
        self.assertEqual(self.reactor.getWriters(), [self.transport])
        self.assertIsInstance(self.transport.doWrite(), Exception)

    def test_other_transports_are_written_to_as_ever(self) -> None:
        """TLS encrypts what it is given; a wrapper has a say too."""
        plain = StringTransport()
        Outlet(plain).write(b"a")
        self.assertEqual(plain.value(), b"a")
        self.transport.TLS = True
        outlet = Outlet(self.transport)
        self.transport.TLS = False  # so that the transport itself writes plainly, when it is asked to
        outlet.write(b"a")
        self.assertEqual(self.received(), b"")
        self.assertEqual(self.reactor.getWriters(), [self.transport])
