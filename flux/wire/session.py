"""The session family: is somebody there, who are you, what can be said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from flux.errors import BadRequest
from flux.wire.encoding import percent_encoded, shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether somebody is there."""

    COMMAND: ClassVar[str] = "PING"
    USAGE: ClassVar[str] = ""
    HELP: ClassVar[str] = "Answers pong=true. All requests before it on this connection are answered by then."

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: there are arguments."""
        Arguments(arguments, cls).end()
        return cls()

    def encode(self) -> bytes:
        """No arguments."""
        return b""


@dataclass(frozen=True, slots=True)
class Pong:
    """Yes."""

    def encode(self) -> bytes:
        """``pong=true``."""
        return write_payload(pong=True)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is something else."""
        if not Payload(payload).boolean("pong"):
            raise BadRequest(f"pong: {shown(payload)} is no answer to PING; is this a broker that speaks V1?")
        return cls()


@dataclass(frozen=True, slots=True)
class Hello:
    """A client introduces itself, as ``name/version``, or does not."""

    client: str | None = None

    COMMAND: ClassVar[str] = "HELLO"
    USAGE: ClassVar[str] = "[client=<name/version>]"
    HELP: ClassVar[str] = (
        "Says who you are, for the broker's log, and answers who the broker is: its version, protocol and id, the longest line it"
        " takes in bytes, and its commands. Optional."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: an unknown option, or a bad name."""
        return cls(Arguments(arguments, cls).options("client").name("client", None))

    def encode(self) -> bytes:
        """:raises BadRequest: the name holds blanks."""
        return write_arguments(client=self.client)


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who the broker is. ``max_line`` is in bytes."""

    server: str
    protocol: str
    broker_id: int
    max_line: int
    commands: Sequence[str]

    def encode(self) -> bytes:
        """``server= protocol= broker_id= max_line= commands=[…]``."""
        return write_payload(
            server=self.server,
            protocol=self.protocol,
            broker_id=self.broker_id,
            max_line=self.max_line,
            commands=self.commands,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.text("server"),
            fields.text("protocol"),
            fields.integer("broker_id"),
            fields.integer("max_line"),
            fields.texts("commands"),
        )


@dataclass(frozen=True, slots=True)
class Help:
    """What can be said: everything, or one command (in upper case)."""

    command: str | None = None

    COMMAND: ClassVar[str] = "HELP"
    USAGE: ClassVar[str] = "[command]"
    HELP: ClassVar[str] = (
        "Lists the commands, or explains one. The text is percent-encoded: %20 is a blank, %0A a new line."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: more than one word."""
        cursor = Arguments(arguments, cls)
        command = cursor.name("command").upper() if cursor.more else None
        cursor.end()
        return cls(command)

    def encode(self) -> bytes:
        """:raises BadRequest: the command holds blanks."""
        return b"" if self.command is None else write_arguments(self.command)


@dataclass(frozen=True, slots=True)
class HelpText:
    """Lines for a person."""

    text: str

    def encode(self) -> bytes:
        """``help=``, percent-encoded."""
        return write_payload(help=percent_encoded(self.text.encode("utf-8", "backslashreplace")))

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: the field is missing, or badly encoded."""
        return cls(Payload(payload).percent("help").decode("utf-8", "replace"))
