"""The Twisted face, with connections in memory and a clock of the test's."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.client.addresses import Address
from flux.client.calls import Call, ping, produce
from flux.client.client import FluxClient
from flux.client.errors import ClientClosed, NoBroker, NotSent, OutcomeUnknown
from flux.client.settings import ClientSettings
from flux.errors import BadRequest, UnknownTopic
from flux.wire.produce import Produced
from flux.wire.session import Pong
from tests.client.scene import WELCOME


class _Transport(StringTransport):
    """Remembers how it was ended."""

    ended = ""

    def loseConnection(self) -> None:
        self.ended = self.ended or "lost"
        super().loseConnection()

    def abortConnection(self) -> None:
        self.ended = self.ended or "aborted"
        super().abortConnection()


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """Connects when the test says so."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.cancelled = False

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self._factory = protocolFactory
        self._connected: Deferred[IProtocol] = Deferred(lambda _: setattr(self, "cancelled", True))
        return self._connected

    def accept(self) -> None:
        protocol = self._factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert protocol is not None, "the factory makes one"
        self.protocol = protocol
        self.transport = _Transport()
        protocol.makeConnection(self.transport)
        self._connected.callback(protocol)

    def refuse(self) -> None:
        self._connected.errback(ConnectionRefusedError())

    def welcome(self) -> None:
        self.accept()
        assert b"|HELLO|" in self.transport.value()
        self.transport.clear()
        self.say(b"V1|1|OK|" + WELCOME.encode())

    def say(self, *lines: bytes) -> None:
        self.protocol.dataReceived(b"".join(line + b"\n" for line in lines))

    def heard(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def end(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class Faces(SynchronousTestCase):
    """One client and the endpoints it dials."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoints: list[_Endpoint] = []

    def client(self, brokers: str = "a:1,b:2", settings: ClientSettings | None = None) -> FluxClient:
        def endpoint(address: Address) -> _Endpoint:
            self.endpoints.append(_Endpoint(address))
            return self.endpoints[-1]

        return FluxClient(self.clock, brokers, settings, endpoint=endpoint)

    def open_client(self) -> FluxClient:
        client = self.client()
        connected = client.connect()
        self.broker.welcome()
        self.assertTrue(self.broker.heard().endswith(b"|HELLO|\n"))
        self.broker.say(b"V1|2|OK|" + WELCOME.encode())
        self.assertEqual(self.successResultOf(connected).server, WELCOME.server)
        return client

    @property
    def broker(self) -> _Endpoint:
        return self.endpoints[-1]


class Calls(Faces):
    """Methods and their Deferreds."""

    def test_calls_leave_in_order_and_each_gets_its_answer(self) -> None:
        """Whatever the order of the answers."""
        client = self.open_client()
        produced, pong = client.produce("t", b"k", "v", acks="all"), client.ping()
        self.assertEqual(self.broker.heard(), b"V1|3|PRODUCE|t k:v acks=all\nV1|4|PING|\n")
        self.broker.say(b"V1|4|OK|pong=true")
        self.assertEqual(self.successResultOf(pong), Pong())
        self.assertNoResult(produced)
        self.broker.say(b"V1|3|OK|partition=1 offset=5 hw=5")
        self.assertEqual(self.successResultOf(produced), Produced(1, 5, 5))

    def test_an_error_fails_its_deferred(self) -> None:
        """By its class; also one that is found before anything is sent."""
        client = self.open_client()
        produced = client.produce("t", b"k", "v")
        self.broker.say(b"V1|3|ERR|UNKNOWN_TOPIC|topic: t does not exist")
        self.failureResultOf(produced, UnknownTopic)
        self.failureResultOf(client.produce("no topic", "k", "v"), BadRequest)
        self.failureResultOf(client.produce("t", "k", "v", acks=2), BadRequest)

    def test_send_all_fires_with_all_outcomes(self) -> None:
        """In the order of the calls, errors as values."""
        client = self.open_client()
        calls: list[Call[Any]] = [ping(), produce("t", "k", "v"), produce("no topic", "k", "v"), ping()]
        outcomes = client.send_all(calls)
        self.broker.say(b"V1|5|OK|pong=true", b"V1|4|ERR|UNKNOWN_TOPIC|no", b"V1|3|OK|pong=true")
        first, refused, unsent, last = self.successResultOf(outcomes)
        self.assertEqual((first, last), (Pong(), Pong()))
        self.assertIsInstance(refused, UnknownTopic)
        self.assertIsInstance(unsent, BadRequest)

    def test_a_callback_may_ask_again(self) -> None:
        """In the middle of an answer to many; the order stays."""
        client = self.open_client()
        again: list[Deferred[Any]] = []
        first = client.ping().addCallback(lambda _: again.append(client.ping()))
        second = client.ping()
        self.broker.heard()
        self.broker.say(b"V1|3|OK|pong=true", b"V1|4|OK|pong=true")
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.broker.heard(), b"V1|5|PING|\n")
        self.broker.say(b"V1|5|OK|pong=true")
        self.assertEqual(self.successResultOf(again[0]), Pong())

    def test_cancelling_lets_go_of_the_answer(self) -> None:
        """Or takes the call back, if it did not leave."""
        client = self.client()
        unsent = client.ping()
        unsent.cancel()
        self.failureResultOf(unsent, CancelledError)
        sent = client.produce("t", "k", "v")
        self.broker.welcome()
        self.assertEqual(self.broker.heard(), b"V1|2|PRODUCE|t k:v acks=1\n")
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        pong = client.ping()
        self.broker.say(b"V1|2|OK|partition=0 offset=0 hw=0", b"V1|3|OK|pong=true")
        self.assertEqual(self.successResultOf(pong), Pong())

    def test_help_knows_every_methods_parameters(self) -> None:
        """They are declared elsewhere; that must not show."""
        import inspect

        signature = inspect.signature(FluxClient.produce)
        self.assertEqual(list(signature.parameters)[:4], ["self", "topic", "key", "value"])
        self.assertIn("Append one record", FluxClient.produce.__doc__ or "")
        self.assertEqual(FluxClient.consume.__name__, "consume")


class Connections(Faces):
    """Dialled, lost, left."""

    def test_refused_ones_are_passed_over(self) -> None:
        """And when all refuse, the call fails with every reason."""
        client = self.client()
        pong = client.ping()
        self.broker.refuse()
        self.assertEqual(str(self.broker.address), "b:2")
        self.assertNoResult(pong)
        self.broker.refuse()
        failure = self.failureResultOf(pong, NoBroker)
        self.assertIn("a:1: Connection was refused", str(failure.value))
        self.assertEqual(len(self.endpoints), 2)

    def test_an_endpoint_that_fails_at_once_is_passed_over_too(self) -> None:
        """Before connect() has returned."""

        @implementer(IStreamClientEndpoint)
        class Unable:
            def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
                return fail(ConnectionRefusedError())

        client = FluxClient(self.clock, "a:1,b:2", endpoint=lambda address: Unable())
        self.assertIn("b:2: ", str(self.failureResultOf(client.ping(), NoBroker).value))

    def test_a_dial_that_takes_too_long_is_cancelled(self) -> None:
        """And so is one that never says who it is."""
        client = self.client(settings=ClientSettings(connect_timeout_s=2))
        pong = client.ping()
        self.clock.advance(2)
        self.assertTrue(self.endpoints[0].cancelled)
        self.broker.accept()
        self.clock.advance(2)
        self.assertEqual(self.broker.transport.ended, "aborted")
        self.failureResultOf(pong, NoBroker)

    def test_a_lost_connection_leaves_outcomes_unknown_and_the_next_call_dials(self) -> None:
        """Another broker, if there is one."""
        client = self.open_client()
        produced = client.produce("t", "k", "v")
        self.broker.end()
        self.failureResultOf(produced, OutcomeUnknown)
        self.assertEqual(len(self.endpoints), 1)
        pong = client.ping()
        self.assertEqual(str(self.broker.address), "b:2")
        self.broker.welcome()
        self.broker.say(b"V1|2|OK|pong=true")
        self.assertEqual(self.successResultOf(pong), Pong())

    def test_a_call_to_the_wrong_broker_is_taken_to_the_leader(self) -> None:
        """The old connection is closed in good order."""
        client = self.open_client()
        produced = client.produce("t", "k", "v")
        self.broker.say(b"V1|3|ERR|NOT_LEADER|leader=c:3")
        old, new = self.endpoints
        self.assertEqual((old.transport.ended, str(new.address)), ("lost", "c:3"))
        old.end()
        new.welcome()
        self.assertEqual(new.heard(), b"V1|2|PRODUCE|t k:v acks=1\n")
        new.say(b"V1|2|OK|partition=1 offset=5 hw=5")
        self.assertEqual(self.successResultOf(produced), Produced(1, 5, 5))

    def test_time_runs_out(self) -> None:
        """Sent or not."""
        client = self.open_client()
        sent = client.ping(timeout_s=1)
        self.clock.advance(0.9)
        self.assertNoResult(sent)
        self.clock.advance(0.2)
        self.failureResultOf(sent, OutcomeUnknown)
        waiting = self.client().ping(timeout_s=1)
        self.clock.advance(1.1)
        self.failureResultOf(waiting, NotSent)

    def test_close_ends_what_is_under_way_and_fires_when_all_is_gone(self) -> None:
        """A request that may have left in part ends in a reset. Afterwards nothing is left to happen."""
        client = self.open_client()
        produced = client.produce("t", "k", "v")
        closed = client.close()
        self.failureResultOf(produced, OutcomeUnknown)
        self.assertEqual(self.broker.transport.ended, "aborted")
        self.assertNoResult(closed)
        self.broker.end()
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failureResultOf(client.ping(), ClientClosed)
        self.assertIsNone(self.successResultOf(client.close()))

    def test_close_while_dialling_gives_the_dial_up(self) -> None:
        """Nothing was sent."""
        client = self.client()
        pong = client.ping()
        closed = client.close()
        self.assertTrue(self.broker.cancelled)
        self.failureResultOf(pong, ClientClosed)
        self.successResultOf(closed)

    def test_it_is_a_context_manager(self) -> None:
        """Connected inside, closed outside."""

        async def use() -> Pong:
            async with self.client() as client:
                return await client.ping()

        used = Deferred.fromCoroutine(use())
        self.broker.welcome()
        self.broker.say(b"V1|2|OK|" + WELCOME.encode())
        self.assertTrue(self.broker.heard().endswith(b"V1|3|PING|\n"))
        self.broker.say(b"V1|3|OK|pong=true")
        self.assertEqual(self.broker.transport.ended, "lost")
        self.assertNoResult(used)
        self.broker.end()
        self.assertEqual(self.successResultOf(used), Pong())
