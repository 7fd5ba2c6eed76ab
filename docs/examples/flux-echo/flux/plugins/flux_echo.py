"""ECHO: a command that says what it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from zope.interface import implementer

from flux.errors import BadRequest
from flux.interfaces import IBroker, ICommandFamily, ISession


@dataclass(frozen=True, slots=True)
class Echo:
    """One request. Its three constants are what HELP says."""

    text: bytes

    COMMAND: ClassVar[str] = "ECHO"
    USAGE: ClassVar[str] = "<text>"
    HELP: ClassVar[str] = "Answers its own text, blanks and pipes included."

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: there is nothing to say."""
        if not arguments:
            raise BadRequest("text: there is none; usage: ECHO <text>")
        return cls(arguments)

    def encode(self) -> bytes:
        """As a client sends it."""
        return self.text


@dataclass(frozen=True, slots=True)
class Echoed:
    """One answer."""

    text: bytes

    def encode(self) -> bytes:
        """``text=``, and the text."""
        return b"text=" + self.text

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is no such answer."""
        if not payload.startswith(b"text="):
            raise BadRequest(f"text: {payload!r} is no answer to ECHO")
        return cls(payload.removeprefix(b"text="))


def echo(request: Echo, session: ISession) -> Echoed:
    """A handler: here a plain function. One that has to wait is an ``async def``, or returns a Deferred."""
    return Echoed(request.text)


@implementer(ICommandFamily)
class EchoFamily:
    """What the broker finds, and binds once."""

    name = "echo"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """*broker* is all a family needs: partitions, groups, controller, clock; this one needs nothing."""
        return {Echo: echo}


family = EchoFamily()
