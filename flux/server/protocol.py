"""One connection: bytes → lines, answers → bytes, and when to stop reading or to close."""

import enum
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.config import ServerConfig
from flux.errors import BadRequest, FluxError, MessageTooLarge
from flux.server.dispatch import error_lines
from flux.server.dispatching import Dispatching
from flux.server.outlet import Outlet
from flux.server.patience import Patience
from flux.server.pipeline import Pipeline
from flux.server.session import Session
from flux.server.tuning import tune
from flux.wire.v1 import NO_ID

if TYPE_CHECKING:
    from flux.server.factory import FluxFactory


class Pause(enum.Enum):
    """Why a connection is not read."""

    PEER_DOES_NOT_READ = enum.auto()
    TOO_MUCH_IN_FLIGHT = enum.auto()
    ENDING = enum.auto()


@implementer(IHalfCloseableProtocol, IPushProducer)
class FluxProtocol(LineReceiver):
    """Protocol V1 on one connection.

    All complete lines of a read are handed over at once, to :meth:`linesReceived`; otherwise this is a LineReceiver: in raw mode
    everything goes to ``rawDataReceived``, and ``clearLineBuffer`` gives up the line begun. Nothing is sent before the first
    request, so a listener may look at a connection's first byte and decide whose it is.
    """

    delimiter = b"\n"
    factory: "FluxFactory"
    transport: Any  # an ITransport; what else it can do is asked where it matters

    def __init__(self, dispatch: Dispatching, clock: IReactorTime, config: ServerConfig) -> None:
        self.MAX_LENGTH = config.max_line_bytes
        self._dispatch = dispatch
        self._clock = clock
        self._config = config
        self._begun = bytearray()  # a line without its end: never scanned again, so a long one costs no more
        self._pauses: set[Pause] = set()
        # If set, nothing more is read; they are sent when all before is answered, and then comes the end.
        self._last_words: bytes | None = None
        self._over = False  # nothing more is written
        self._dropping = False  # our side is closed; what the peer still sends is dropped
        self._unended = Patience(config.partial_line_timeout_ms / 1000)
        self._silent = Patience(config.idle_timeout_ms / 1000)
        self._stuck = Patience(config.idle_timeout_ms / 1000)
        self.pipeline: Pipeline

    # --- Twisted: the connection ---

    def connectionMade(self) -> None:
        """Take part in the factory's sweep and limits, and in the transport's back-pressure."""
        transport = self.transport
        self.session = Session(transport.getPeer())
        self._outlet = Outlet(transport)
        self.pipeline = Pipeline(
            self._dispatch,
            self.session,
            self._clock,
            self._outlet.write,
            self._progressed,
            self._config.max_in_flight_requests,
            self._config.max_in_flight_bytes,
        )
        tune(transport)
        transport.registerProducer(self, True)
        self.factory.opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel whatever was still being answered."""
        self._over = True
        self.pipeline.abandon()
        self.factory.closed(self)

    def readConnectionLost(self) -> None:
        """The peer sends no more: the last line counts even without its end; answer what is outstanding, then close."""
        if self._over:
            self._close()
        elif self._last_words is None:
            rest = self.clearLineBuffer()
            if rest and self.line_mode:
                self.linesReceived([rest], len(rest))
            self._end(b"")

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wanted; what the peer still sends is read and dropped until it closes."""

    # --- Twisted: bytes ---

    def dataReceived(self, data: bytes) -> None:
        """Hand over all complete lines, keep the rest."""
        if not self.line_mode:
            self.rawDataReceived(data)
            return
        if self._last_words is not None:
            return
        lines = data.split(b"\n")
        rest = lines.pop()
        size = len(data) - len(rest) - 1
        if lines and self._begun:
            size += len(self._begun)
            self._begun += lines[0]
            lines[0] = self.clearLineBuffer()
        if rest:
            self._begun += rest
        if lines:
            self._unended.since = self._silent.since = None  # there was progress
            if size > self.MAX_LENGTH and not self._fit(lines):
                return
            self.linesReceived(lines, size)
            if not self.line_mode and self._begun:
                self.rawDataReceived(self.clearLineBuffer())
                return
        if self._begun and _length(self._begun) > self.MAX_LENGTH:
            self.lineLengthExceeded(self.clearLineBuffer())

    def linesReceived(self, lines: list[bytes], size: int) -> None:
        """Complete lines without their ends, *size* bytes in all."""
        self.pipeline.add(lines, size)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse it and close; nothing after it is executed, what was before is answered first."""
        limit = self.MAX_LENGTH
        self._refuse(MessageTooLarge(f"line: longer than max_line_bytes, which is {limit}; send smaller requests"))

    def clearLineBuffer(self) -> bytes:
        """Forget the line begun, and return it."""
        begun = bytes(self._begun)
        self._begun.clear()
        return begun

    # --- Twisted: back-pressure ---

    def pauseProducing(self) -> None:
        """The transport's buffer is full: start nothing more and read nothing more."""
        self.pipeline.stalled = True
        self._pause(Pause.PEER_DOES_NOT_READ)

    def resumeProducing(self) -> None:
        """The peer has read everything."""
        self.pipeline.stalled = False
        self._resume(Pause.PEER_DOES_NOT_READ)
        self.pipeline.advance()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost says the rest."""

    # --- the factory ---

    def sweep(self, now: float) -> None:
        """Expire what took too long: requests, a line begun and not ended, silence, a peer that never reads."""
        self.pipeline.expire(now)
        if self._stuck.is_over(now, self._over or self.pipeline.stalled):
            self.abort()
        elif self._unended.is_over(now, self._dropping or (bool(self._begun) and not self._pauses)):
            if self._dropping:
                self.abort()
            else:
                timeout_ms = self._config.partial_line_timeout_ms
                self._begun.clear()
                self._refuse(
                    BadRequest(f"line: begun and not ended within {timeout_ms} ms; end each request with a newline")
                )
        elif self._silent.is_over(now, self.pipeline.is_empty and not self._begun and not self._over):
            self._close()

    def close(self) -> None:
        """Close when the transport has sent what it was given."""
        if not self._over:
            self._close()

    def abort(self) -> None:
        """Close now, whatever the transport still holds."""
        self._over = True
        self.transport.abortConnection()

    # --- inside ---

    def _fit(self, lines: list[bytes]) -> bool:
        """Whether all *lines* are within the limit; if not, those before the first that is not are handed over, and it is refused."""
        for at, line in enumerate(lines):
            if _length(line) > self.MAX_LENGTH:
                self._begun.clear()
                if at:
                    self.linesReceived(lines[:at], sum(map(len, lines[:at])))
                self.lineLengthExceeded(line)
                return False
        return True

    def _progressed(self) -> None:
        pipeline, config = self.pipeline, self._config
        if pipeline.requests >= config.max_in_flight_requests or pipeline.bytes >= config.max_in_flight_bytes:
            self._pause(Pause.TOO_MUCH_IN_FLIGHT)
        elif self._pauses and (
            pipeline.requests <= config.max_in_flight_requests // 2
            and pipeline.bytes <= config.max_in_flight_bytes // 2
        ):
            self._resume(Pause.TOO_MUCH_IN_FLIGHT)
        if not pipeline.requests:
            self.factory.emptied(self)
            if self._last_words is not None and not self._over:
                self._say_last_words()

    def _pause(self, why: Pause) -> None:
        if not self._pauses and not self._over:
            self.transport.pauseProducing()
        self._pauses.add(why)
        self.pipeline.watched = True

    def _resume(self, why: Pause) -> None:
        if why not in self._pauses:
            return
        self._pauses.remove(why)
        if not self._pauses:
            self.pipeline.watched = self.factory.draining
            if not self._over:
                self.transport.resumeProducing()

    def _refuse(self, error: FluxError) -> None:
        self._end(error_lines((NO_ID,), error))

    def _end(self, last_words: bytes) -> None:
        """Read no more; answer what is outstanding, send *last_words*, close."""
        self._last_words = last_words
        self._pause(Pause.ENDING)
        if self.pipeline.is_empty:
            self._say_last_words()

    def _say_last_words(self) -> None:
        transport = self.transport
        assert self._last_words is not None, "there are last words"
        self._outlet.write(self._last_words)
        if self._last_words and _closes_by_halves(transport):
            # The peer may be sending still. Closing now would reset the connection, and the reset overtakes the answer: so close our
            # side only, and drop what comes until the peer closes too, for as long as a line may take.
            transport.unregisterProducer()
            self._over = self._dropping = True
            transport.loseWriteConnection()
            transport.resumeProducing()
        else:
            self._close()

    def _close(self) -> None:
        self._over = True
        transport = self.transport
        with suppress(RuntimeError):  # not registered any more
            transport.unregisterProducer()  # a transport waits for its producer before it closes
        transport.loseConnection()


def _length(line: bytes | bytearray) -> int:
    """Of a line without the CR that may be before its end."""
    return len(line) - line.endswith(b"\r")


def _closes_by_halves(transport: object) -> bool:
    return IHalfCloseableDescriptor.providedBy(transport) and not ISSLTransport.providedBy(transport)
