"""Talking to a broker: ``--brokers``, or ``FLUX_BROKERS``."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from flux.client import BlockingClient

Command = Callable[..., Any]

BROKERS = "127.0.0.1:9092"

_brokers = click.option(
    "--brokers",
    "-b",
    envvar="FLUX_BROKERS",
    default=BROKERS,
    show_default=True,
    show_envvar=True,
    metavar="HOST:PORT,…",
    help="Where to look for a broker.",
)


def client_option(command: Command) -> Command:
    """Give *command* ``--brokers``, and call it with ``client=``, which is closed when it returns.

    The client connects with the first thing that is asked of it.
    """

    @wraps(command)
    def with_client(*args: Any, brokers: str, **options: Any) -> Any:
        client = client_of(brokers)
        try:
            return command(*args, client=client, **options)
        finally:
            client.close()

    return _brokers(with_client)


def client_of(brokers: str, connect_timeout_s: float = 5.0) -> "BlockingClient":
    """A client, not connected yet; close it. :raises click.BadParameter: *brokers* cannot be read."""
    from flux.client import BlockingClient, ClientSettings

    try:
        return BlockingClient(brokers, ClientSettings(connect_timeout_s=connect_timeout_s))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--brokers") from error
