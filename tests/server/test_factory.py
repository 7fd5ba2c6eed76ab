"""All connections: limits, the sweep, the drain."""

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from flux.server.factory import Refused
from tests.server.scene import Scene, Transport, shown


class LimitTests(SynchronousTestCase):
    def refusal(self, scene: Scene, transport: StringTransport) -> bytes:
        protocol = scene.factory.buildProtocol(transport.getPeer())
        self.assertIsInstance(protocol, Refused)
        protocol.makeConnection(transport)
        self.assertTrue(transport.disconnecting)
        (line,) = transport.value().splitlines()
        return shown(line)

    def test_one_connection_too_many_is_told_so_and_closed(self) -> None:
        """THROTTLED; when one has gone there is room again."""
        scene = Scene(max_connections=2)
        second = scene.connect(Transport())
        self.assertEqual(self.refusal(scene, Transport()), b"0 THROTTLED")
        scene.lose(second)
        scene.connect(Transport())
        self.assertEqual((len(scene.factory.connections), scene.factory.accepted, scene.factory.refused), (2, 3, 1))

    def test_one_address_may_have_so_many(self) -> None:
        """Others still may; each that goes makes room."""
        scene = Scene(max_connections_per_peer=1)
        self.assertEqual(self.refusal(scene, Transport()), b"0 THROTTLED")
        scene.connect(Transport(peerAddress=IPv4Address("TCP", "192.168.1.2", 1)))
        scene.lose()
        scene.connect(Transport())

    def test_unix_sockets_have_no_address(self) -> None:
        """Only the limit on all holds for them."""
        scene = Scene(max_connections_per_peer=1)
        for _ in range(3):
            scene.connect(Transport(peerAddress=UNIXAddress(None)))
        self.assertEqual(len(scene.factory.connections), 4)


class SweepTests(SynchronousTestCase):
    def test_there_is_one_timer_for_all_connections(self) -> None:
        """However many requests are waiting; none when there is no connection."""
        scene = Scene()
        scene.connect(Transport())
        scene.lines(*[b"%d HOLD %d order=any" % (number, number) for number in range(10)])
        self.assertEqual(len(scene.clock.getDelayedCalls()), 1)
        for protocol in list(scene.factory.connections):
            scene.lose(protocol)
        self.assertEqual(scene.clock.getDelayedCalls(), [])

    def test_a_connection_that_cannot_be_swept_does_not_stop_the_others(self) -> None:
        """It is logged."""
        scene = Scene(request_timeout_ms=1000)
        broken = scene.connect(Transport())
        scene.lines(b"1 HOLD a")
        del broken.pipeline
        scene.pass_time(2)
        self.assertEqual(scene.answers(), [b"1 INTERNAL_ERROR"])
        self.assertTrue(self.flushLoggedErrors(AttributeError))


class DrainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(drain_timeout_ms=5000)

    def drain(self) -> "Deferred[None]":
        return self.scene.factory.drain()

    def test_without_connections_it_is_over_at_once(self) -> None:
        """There is nothing to wait for."""
        self.scene.lose()
        self.successResultOf(self.drain())
        self.assertEqual(self.scene.clock.getDelayedCalls(), [])

    def test_what_is_in_flight_is_answered_before_connections_are_closed(self) -> None:
        """It fires when the last of them is lost."""
        idle = Transport()
        other = self.scene.connect(idle)
        self.scene.lines(b"1 HOLD a")
        drained = self.drain()
        self.assertFalse(idle.disconnecting or self.scene.transport.disconnecting)
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 a"])
        self.assertTrue(idle.disconnecting and self.scene.transport.disconnecting)
        self.scene.lose(other)
        self.assertNoResult(drained)
        self.scene.lose()
        self.successResultOf(drained)

    def test_what_is_new_is_refused(self) -> None:
        """Requests behind those in flight, requests on other connections, and connections."""
        idle = Transport()
        other = self.scene.connect(idle)
        self.scene.lines(b"1 HOLD a", b"2 SAY b")
        self.drain()
        self.scene.lines(b"3 APPEND c")
        other.dataReceived(b"V1|1|SAY|x\n")
        self.assertEqual([shown(line) for line in idle.value().splitlines()], [b"1 SHUTTING_DOWN"])
        self.assertIsInstance(self.scene.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)), Refused)
        self.scene.family.release(b"a")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 SHUTTING_DOWN", b"3 SHUTTING_DOWN"])
        self.assertEqual(self.scene.family.started, [b"a"])

    def test_what_takes_too_long_is_aborted(self) -> None:
        """After drain_timeout_ms nothing is waited for any more, neither an answer nor a peer that does not read."""
        self.scene.lines(b"1 HOLD a")
        drained = self.drain()
        self.scene.clock.advance(4.9)
        self.assertFalse(self.scene.transport.disconnected)
        self.scene.clock.advance(0.1)
        self.assertTrue(self.scene.transport.disconnected)
        self.scene.lose()
        self.successResultOf(drained)
        self.assertEqual(self.scene.family.cancelled, [b"a"])

    def test_cancelling_it_aborts_at_once(self) -> None:
        """For whoever has a limit of his own."""
        self.scene.lines(b"1 HOLD a")
        drained = self.drain()
        drained.cancel()
        self.failureResultOf(drained, CancelledError)
        self.assertTrue(self.scene.transport.disconnected)
        self.scene.lose()
        self.assertEqual(self.scene.clock.getDelayedCalls(), [])
