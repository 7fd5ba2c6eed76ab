"""PING, HELLO, HELP: the connection itself."""

from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from flux import __version__
from flux.errors import UnknownCommand
from flux.interfaces import IBroker, ICommandFamily, ISession
from flux.wire.session import Hello, Help, HelpText, Ping, Pong, Welcome

_PROTOCOL = "V1"


@implementer(ICommandFamily)
class SessionFamily:
    """Says who is there."""

    name = "session"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The three commands."""
        talking = Talking(broker)
        return {Ping: talking.ping, Hello: talking.hello, Help: talking.help}


class Talking:
    """What a connection says about itself, and the broker about itself."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    def ping(self, request: Ping, session: ISession) -> Pong:
        """Still there."""
        return Pong()

    def hello(self, request: Hello, session: ISession) -> Welcome:
        """Who this is, and what it speaks. The client's name is kept for the log."""
        if request.client is not None:
            session.client_id = request.client
        config = self._broker.config
        return Welcome(
            f"flux/{__version__}",
            _PROTOCOL,
            config.cluster.broker_id,
            config.server.max_line_bytes,
            sorted(self._broker.commands),
        )

    def help(self, request: Help, session: ISession) -> HelpText:
        """One command's paragraph, or a line for each.

        :raises UnknownCommand: there is no such command.
        """
        commands = self._broker.commands
        if request.command is None:
            return HelpText("\n".join(_usage(commands[name]) for name in sorted(commands)))
        kind = commands.get(request.command.upper())
        if kind is None:
            raise UnknownCommand(f"command: {request.command} is not known here; HELP without a command lists all")
        return HelpText(f"{_usage(kind)}\n\n{kind.HELP}")


def _usage(kind: Any) -> str:
    return f"{kind.COMMAND} {kind.USAGE}".rstrip()
