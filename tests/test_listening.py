"""A bound endpoint as a Service."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import RaisingMemoryReactor
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.listening import Listener


@implementer(IListeningPort)
class Port:
    """Bound to an address, by word of the test: in memory every port is on 0.0.0.0."""

    def __init__(self, address: IAddress) -> None:
        self.address = address
        self.open = True

    def getHost(self) -> IAddress:
        return self.address

    def startListening(self) -> None:
        self.open = True

    def stopListening(self) -> None:
        self.open = False


@implementer(IStreamServerEndpoint)
class Endpoint:
    """Listens when the test says so, or at once if given a port."""

    def __init__(self, port: IListeningPort | None = None) -> None:
        self.asked = 0
        self.cancelled = False
        self.listening: Deferred[IListeningPort] = Deferred(self._cancel)
        if port is not None:
            self.listening.callback(port)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        self.asked += 1
        return self.listening

    def _cancel(self, _: object) -> None:
        self.cancelled = True


LOOPBACK = IPv4Address("TCP", "127.0.0.1", 9092)


class ListenerTests(SynchronousTestCase):
    def test_it_binds_before_it_starts(self) -> None:
        """Once, and it knows where."""
        endpoint = Endpoint(Port(LOOPBACK))
        listener = Listener(endpoint, Factory())
        listener.privilegedStartService()
        self.assertIs(self.successResultOf(listener.bound), LOOPBACK)
        listener.startService()
        self.assertEqual(endpoint.asked, 1)

    def test_it_binds_at_the_start_where_nobody_is_privileged(self) -> None:
        """``twist`` calls ``startService`` only."""
        listener = Listener(Endpoint(Port(LOOPBACK)), Factory())
        listener.startService()
        self.successResultOf(listener.bound)

    def test_a_taken_port_raises(self) -> None:
        """So that the process ends, rather than live on deaf."""
        reactor = RaisingMemoryReactor(CannotListenError("", 9092, OSError()))
        listener = Listener(serverFromString(reactor, "tcp:9092"), Factory())
        self.assertRaises(CannotListenError, listener.privilegedStartService)
        self.assertNoResult(listener.bound)

    def test_a_late_failure_fails_bound(self) -> None:
        """An endpoint that asks somebody else first can only fail later."""
        endpoint = Endpoint()
        listener = Listener(endpoint, Factory())
        listener.startService()
        self.assertNoResult(listener.bound)
        endpoint.listening.errback(CannotListenError("", 9092, OSError()))
        self.failureResultOf(listener.bound, CannotListenError)

    def test_stopping_closes_the_port(self) -> None:
        """And it stays known where it was."""
        port = Port(LOOPBACK)
        listener = Listener(Endpoint(port), Factory())
        listener.startService()
        self.successResultOf(listener.stopService())
        self.assertFalse(port.open)
        self.assertIs(self.successResultOf(listener.bound), LOOPBACK)

    def test_stopping_gives_up_what_is_not_bound_yet(self) -> None:
        """The endpoint is told."""
        endpoint = Endpoint()
        listener = Listener(endpoint, Factory())
        listener.startService()
        self.successResultOf(listener.stopService())
        self.assertTrue(endpoint.cancelled)
        self.failureResultOf(listener.bound, CancelledError)

    def test_an_open_address_is_warned_of(self) -> None:
        """Anybody may come in where there is no authentication, but for this machine and the file system."""
        inside = [LOOPBACK, IPv4Address("TCP", "127.8.8.8", 1), IPv6Address("TCP", "::1", 1), UNIXAddress(b"/run/flux")]
        outside = [IPv4Address("TCP", "0.0.0.0", 1), IPv4Address("TCP", "10.0.0.1", 1), IPv6Address("TCP", "::", 1)]
        with capturedLogs() as events:
            for address in inside + outside:
                Listener(Endpoint(Port(address)), Factory()).startService()
        self.assertEqual([event["address"] for event in events if event["log_level"] is LogLevel.warn], outside)
