"""A core, a clock, and a broker that says what the test says."""

from collections.abc import Sequence
from typing import Any, TypeVar

from flux.client.addresses import Address
from flux.client.calls import Call
from flux.client.conversation import Conversation
from flux.client.core import Core
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.wire.session import Welcome
from flux.wire.v1 import error_line, ok_line

R = TypeVar("R")

WELCOME = Welcome("flux/1", "V1", 0, 1 << 20, ["PING"])


class Scene:
    """What a face would do, step by step."""

    def __init__(self, brokers: str | Sequence[str] = "a:1", settings: ClientSettings | None = None) -> None:
        self.core = Core(brokers, settings or ClientSettings())
        self.now_s = 1000.0
        self._seen: list[Exchange[Any]] = []

    # --- the caller ---

    def ask(self, call: Call[R]) -> Exchange[R]:
        return self.core.ask(call, self.now_s)

    def give_up(self, exchange: Exchange[Any]) -> None:
        self.core.give_up(exchange, self.now_s)

    def finished(self) -> list[Exchange[Any]]:
        """Since the last look."""
        return self.core.take_finished()

    # --- the connection ---

    @property
    def conversation(self) -> Conversation:
        assert self.core.conversation is not None, "there should be a connection"
        return self.core.conversation

    @property
    def dialled(self) -> str | None:
        """To whom there should be a connection."""
        return None if self.core.conversation is None else str(self.core.conversation.address)

    def connect(self) -> None:
        """The dialled broker accepts; HELLO is on its way."""
        self.core.connected(self.conversation, self.now_s)

    def open(self, welcome: Welcome = WELCOME) -> None:
        """It accepts, and welcomes."""
        self.connect()
        ((correlation_id, command, _),) = self.sent()
        assert command == "HELLO", command
        self.receive(ok_line(correlation_id, welcome.encode()))

    def sent(self) -> list[tuple[bytes, str, bytes]]:
        """Requests that left since the last look: correlation id, command, arguments."""
        lines = self.core.take_outgoing().split(b"\n")
        assert lines.pop() == b"", "only whole lines are sent"
        return [_request(line) for line in lines]

    def receive(self, data: bytes) -> None:
        self.core.received(self.conversation, data, self.now_s)

    def answer(self, request: tuple[bytes, str, bytes], payload: bytes = b"pong=true") -> None:
        self.receive(ok_line(request[0], payload))

    def refuse(self, request: tuple[bytes, str, bytes], code: str, message: str = "no") -> None:
        self.receive(error_line(request[0], code, message))

    def lose(self, reason: str = "the broker closed the connection") -> None:
        self.core.lost(self.conversation, reason, self.now_s)

    # --- time ---

    def advance(self, seconds: float) -> None:
        """Let time pass; the core is woken only when it wants to be."""
        end_s = self.now_s + seconds
        for _ in range(1000):
            wake_at_s = self.core.wake_at_s
            if wake_at_s is None or wake_at_s > end_s:
                self.now_s = end_s
                return
            self.now_s = max(self.now_s, wake_at_s)
            self.core.tick(self.now_s)
        raise AssertionError("the core wants to be woken over and over")


def _request(line: bytes) -> tuple[bytes, str, bytes]:
    version, correlation_id, command, arguments = line.split(b"|", 3)
    assert version == b"V1", line
    return correlation_id, command.decode(), arguments


def address(text: str) -> Address:
    return Address.parse(text)
