"""What a reader survives is said once, not with every attempt, and not by every partition."""

import click

from flux.cli.shell.failing import one_line
from flux.errors import FluxError

_LOST = ("NO_BROKER", "NOT_SENT", "OUTCOME_UNKNOWN", "SHUTTING_DOWN")


class Outage:
    """*Transitions*: :meth:`told` of an error begins it, :meth:`over` ends it. From any thread: said twice does no harm."""

    def __init__(self) -> None:
        self._is_on = False

    def told(self, error: FluxError) -> None:
        """Say so, if it is news."""
        if not self._is_on:
            self._is_on = True
            is_lost = error.code in _LOST
            message = (
                "The broker is gone; reading goes on when it is back."
                if is_lost
                else one_line(f"{error}; trying again")
            )
            click.echo(message, err=True)

    def over(self) -> None:
        """There was an answer."""
        self._is_on = False
