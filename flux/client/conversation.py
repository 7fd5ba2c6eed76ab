"""One connection: request lines out, reply lines in, matched by correlation id. Pure."""

import enum
from collections.abc import Iterator
from typing import Any

from flux import __version__
from flux.client.addresses import Address
from flux.client.calls import hello
from flux.client.errors import BadReply
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.errors import BadRequest, MessageTooLarge
from flux.wire.session import Welcome
from flux.wire.v1 import NO_ID, ErrReply, OkReply, parse_reply, request_line

_SMALLEST_LIMIT = 1 << 20  # of a line, as long as the broker has not said its own


class Stage(enum.Enum):
    """How far a connection is."""

    DIALLING = enum.auto()
    GREETING = enum.auto()  # connected; HELLO is asked and not yet answered
    OPEN = enum.auto()


class Conversation:
    """What is said on one connection to *address*.

    *Action*: :meth:`write` a request, :meth:`take_outgoing` what is to be sent, :meth:`read` what came.
    """

    def __init__(self, address: Address, deadline_s: float, max_reply_bytes: int) -> None:
        self.address = address
        self.stage = Stage.DIALLING
        self.deadline_s = deadline_s  # for being open
        self.heard_at_s = 0.0
        self.max_line_bytes = _SMALLEST_LIMIT
        self.unanswered: dict[bytes, Exchange[Any]] = {}  # in the order in which they were written
        self.unanswered_bytes = 0
        self._max_reply_bytes = max_reply_bytes
        self._greeting: Exchange[Any] | None = None
        self._next_id = 1
        self._out: list[bytes] = []
        self._begun = bytearray()  # a reply line without its end; appended to and never scanned again

    @property
    def has_live(self) -> bool:
        """Whether anybody still waits for an answer on this connection."""
        return any(not exchange.is_done for exchange in self.unanswered.values())

    def greet(self, now_s: float) -> None:
        """Begin with HELLO, to see that a broker is there and to learn what it takes."""
        self.stage = Stage.GREETING
        call = hello(f"flux-python/{__version__}")
        self._greeting = Exchange(call, self.deadline_s)
        self._greeting.load(call.request.encode())
        self.write(self._greeting, now_s)
        self._greeting.is_done = True  # nobody waits for it: what becomes of it becomes of the connection

    def has_room(self, exchange: Exchange[Any], settings: ClientSettings) -> bool:
        """Whether *exchange* may be in flight too; a single one always may."""
        unanswered = self.unanswered
        return not unanswered or (
            len(unanswered) < settings.max_in_flight
            and self.unanswered_bytes + exchange.size <= settings.max_in_flight_bytes
        )

    def write(self, exchange: Exchange[Any], now_s: float) -> None:
        """Have it sent; one that is too long for the broker fails here, and the connection lives."""
        correlation_id = b"%d" % self._next_id
        try:
            line = request_line(correlation_id, exchange.call.request.COMMAND, exchange.arguments)
        except BadRequest as error:
            exchange.fail(error)
            return
        if len(line) - 1 > self.max_line_bytes:
            exchange.fail(
                MessageTooLarge(
                    f"request: {len(line) - 1} bytes, and broker {self.address} takes lines of {self.max_line_bytes};"
                    " nothing was sent; send less at once, or raise the broker's max_line_bytes"
                )
            )
            return
        self._next_id += 1
        exchange.sent_at_s = now_s
        self.unanswered[correlation_id] = exchange
        self.unanswered_bytes += exchange.size
        self._out.append(line)

    def take_outgoing(self) -> bytes:
        """What is to be sent now, and has not been taken before."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def read(self, data: bytes, now_s: float) -> Iterator[tuple[Exchange[Any], OkReply | ErrReply]]:
        """The answers that are complete, each with what it answers.

        :raises BadReply: this is not what a broker says, or it does not welcome us; the connection is of no more use.
        """
        self.heard_at_s = now_s
        end = data.rfind(b"\n")
        begun = self._begun
        if end < 0:
            begun += data
        else:
            begun += memoryview(data)[:end]
            chunk = bytes(begun)
            begun.clear()
            begun += memoryview(data)[end + 1 :]
            for line in chunk.split(b"\n"):
                exchange, reply = self._match(line)
                if exchange is self._greeting:
                    self._greeted(reply)
                else:
                    yield exchange, reply
        if len(begun) > self._max_reply_bytes:
            raise BadReply(f"reply: longer than {self._max_reply_bytes} bytes, which is max_reply_bytes; ask for less")

    def _match(self, line: bytes) -> tuple[Exchange[Any], OkReply | ErrReply]:
        try:
            reply = parse_reply(line)
        except BadRequest as error:
            raise BadReply(f"{error}; is {self.address} a broker that speaks V1?") from None
        correlation_id = reply.correlation_id
        if correlation_id == NO_ID and isinstance(reply, ErrReply) and self.unanswered:
            # A line the broker could not read at all. It answers in order, all but long polls, so it was the oldest of the others.
            ordered = (each for each, exchange in self.unanswered.items() if not exchange.is_overtakable)
            correlation_id = next(ordered, next(iter(self.unanswered)))
        exchange = self.unanswered.pop(correlation_id, None)
        if exchange is None:
            raise BadReply(f"reply: {correlation_id!r} was not asked, yet {self.address} answers it")
        self.unanswered_bytes -= exchange.size
        return exchange, reply

    def _greeted(self, reply: OkReply | ErrReply) -> None:
        if isinstance(reply, ErrReply):
            raise BadReply(f"{reply.code}: {reply.message}")
        try:
            self.max_line_bytes = Welcome.decode(reply.payload).max_line
        except BadRequest as error:
            raise BadReply(str(error)) from None
        self.stage = Stage.OPEN
