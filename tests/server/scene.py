"""One connection in memory: a clock, a transport, and a family of commands that do what the tests say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.config import ServerConfig
from flux.errors import BadRequest
from flux.interfaces import IBroker, ICommandFamily, ISession
from flux.server.dispatch import Dispatch
from flux.server.factory import FluxFactory
from flux.server.families import Binding, bind
from flux.server.protocol import FluxProtocol
from flux.wire.v1 import error_line, ok_line


class Text(NamedTuple):
    """A payload as it is."""

    text: bytes

    def encode(self) -> bytes:
        return self.text


class _Words:
    """A request that is its own text."""

    COMMAND: ClassVar[str]
    USAGE = "<text>"
    HELP = "For tests."

    def __init__(self, text: bytes) -> None:
        if text == b"unreadable":
            raise BadRequest("text: 'unreadable' cannot be read; use another word")
        self.text = text
        self.overtakable = b"order=any" in text
        self.wait_s = 60.0 if b"wait" in text else 1e15 if b"for ever" in text else 0.0

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        return cls(arguments)


class Say(_Words):
    """Answered at once with its own text."""

    COMMAND = "SAY"


class Hold(_Words):
    """Answered when the test releases it."""

    COMMAND = "HOLD"


class Sleep(_Words):
    """A coroutine that waits like HOLD."""

    COMMAND = "SLEEP"


class Fail(_Words):
    """Raises what nobody foresaw."""

    COMMAND = "FAIL"


class Big(_Words):
    """Answered at once with as many bytes as it says."""

    COMMAND = "BIG"


class Append:
    """A run that may overlap, answered when the test releases it; ``now`` as text is answered at once."""

    COMMAND = "APPEND"
    USAGE = "<text>"
    HELP = "For tests."
    OVERLAPS = True

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = list(texts)

    @classmethod
    def decode_run(cls, arguments: Sequence[bytes]) -> Self:
        return cls(arguments)


class Store(Append):
    """Another such run."""

    COMMAND = "STORE"


class Appended:
    """``done`` to every request but those that say ``bad``."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        return b"".join(
            error_line(each, "BAD_REQUEST", "bad") if text == b"bad" else ok_line(each, b"done=" + text)
            for each, text in zip(correlation_ids, self._texts, strict=True)
        )


@implementer(ICommandFamily)
class TestFamily:
    """``started`` lists the texts of requests in the order they were started; ``held`` those the test may release."""

    __test__ = False
    name = "test"

    def __init__(self) -> None:
        self.started: list[bytes] = []
        self.held: dict[bytes, Deferred[None]] = {}
        self.cancelled: list[bytes] = []
        self.watch: Callable[[Sequence[bytes]], object] = lambda texts: None  # called with each run
        self.next_wait: Deferred[None] | None = None  # what the next request to wait waits for, if the test has a say

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        return {
            Say: self._say,
            Hold: self._hold,
            Sleep: self._sleep,
            Fail: self._fail,
            Big: self._big,
            Append: self._append,
            Store: self._append,
        }

    def release(self, text: bytes) -> None:
        self.held.pop(text).callback(None)

    def _wait(self, text: bytes) -> "Deferred[None]":
        self.held[text] = self.next_wait or Deferred(lambda _: self.cancelled.append(text))
        return self.held[text]

    def _say(self, request: Say, session: ISession) -> Text:
        self.started.append(request.text)
        return Text(request.text)

    def _hold(self, request: Hold, session: ISession) -> "Deferred[Text]":
        self.started.append(request.text)
        return self._wait(request.text).addCallback(lambda _: Text(request.text))

    async def _sleep(self, request: Sleep, session: ISession) -> Text:
        self.started.append(request.text)
        await self._wait(request.text)
        return Text(request.text)

    def _fail(self, request: Fail, session: ISession) -> Text:
        raise ZeroDivisionError(request.text)

    def _big(self, request: Big, session: ISession) -> Text:
        self.started.append(request.text)
        return Text(b"x" * int(request.text))

    def _append(self, run: Append, session: ISession) -> "Appended | Deferred[Appended]":
        self.started += run.texts
        self.watch(run.texts)
        if run.texts[0] == b"fail":
            raise ZeroDivisionError
        if run.texts == [b"now"]:
            return Appended(run.texts)
        return self._wait(run.texts[0]).addCallback(lambda _: Appended(run.texts))


class Transport(StringTransport):
    """A StringTransport that says when its buffer is full, as a real one does. ``writes`` are the pieces handed to it."""

    bufferSize = 1 << 16
    disconnecting: bool
    disconnected: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.writes: list[bytes] = []
        self.unsent = 0
        self.peer_reads = True

    def write(self, data: bytes) -> None:
        super().write(data)
        if data:
            self.writes.append(data)
        if not self.peer_reads:
            self.unsent += len(data)
            if self.unsent > self.bufferSize and self.producer is not None:
                self.producer.pauseProducing()

    def drained(self) -> None:
        """The peer has read everything at last."""
        self.unsent = 0
        if self.producer is not None:
            self.producer.resumeProducing()


class Scene:
    """A factory with one connection. ``send`` what a client sends; ``answers`` are the lines that came back since."""

    def __init__(self, clock: Clock | None = None, **settings: Any) -> None:
        self.clock = clock or Clock()
        self.config = ServerConfig(**settings)
        self.family = TestFamily()
        self.bindings: dict[str, Binding] = bind([self.family], None)  # type: ignore[arg-type]  # a family that asks for no broker
        self.dispatch = Dispatch(self.bindings, self.clock, self.config.request_timeout_ms / 1000)
        self.factory = FluxFactory(self.dispatch, self.clock, self.config)
        self.transport = Transport()
        self.protocol = self.connect(self.transport)

    def connect(self, transport: StringTransport) -> FluxProtocol:
        protocol = self.factory.buildProtocol(transport.getPeer())
        assert isinstance(protocol, FluxProtocol)
        protocol.makeConnection(transport)
        return protocol

    def send(self, data: bytes) -> None:
        """*data* arrives, and the reactor's turn ends."""
        self.protocol.dataReceived(data)
        self.clock.advance(0)

    def lines(self, *requests: bytes) -> None:
        """``b"1 SAY a b"`` → ``V1|1|SAY|a b``, all in one chunk."""
        self.send(b"".join(request_line(request) for request in requests))

    def answers(self) -> list[bytes]:
        """Since the last call; ids and payloads, or ids and codes."""
        value = self.transport.value()
        self.transport.clear()
        assert not value or value.endswith(b"\n"), value
        return [shown(line) for line in value.splitlines()]

    def lose(self, protocol: FluxProtocol | None = None) -> None:
        (protocol or self.protocol).connectionLost(Failure(ConnectionDone()))

    def pass_time(self, seconds: float) -> None:
        """In steps, as a reactor would."""
        for _ in range(int(seconds / 0.25)):
            self.clock.advance(0.25)


def request_line(request: bytes) -> bytes:
    correlation_id, command, *text = request.split(b" ", 2)
    return b"V1|%b|%b|%b\n" % (correlation_id, command, b" ".join(text))


def shown(line: bytes) -> bytes:
    """``V1|1|OK|a`` → ``1 a``; ``V1|1|ERR|CODE|text`` → ``1 CODE``."""
    version, correlation_id, outcome, rest = line.split(b"|", 3)
    assert version == b"V1", line
    return b"%b %b" % (correlation_id, rest if outcome == b"OK" else rest.split(b"|")[0])
