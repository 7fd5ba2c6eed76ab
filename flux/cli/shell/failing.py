"""What went wrong, as one sentence on stderr with the way out, and as an exit code.

1 is a failure, 2 a command line that cannot be understood (click says so), 130 Ctrl-C, 143 SIGTERM. Whoever reads our output and has
had enough (``flux consume … | head``) ends us without a word and with 0: nothing failed.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from flux.cli.shell.interrupting import Stop
from flux.errors import FluxError

_WAYS_OUT = {
    "NO_BROKER": "start one with flux serve, or say where one is with --brokers or FLUX_BROKERS",
    "NOT_SENT": "the broker is busy, or far; try again",
    "OUTCOME_UNKNOWN": "look what is there before you do it again",
    "UNKNOWN_TOPIC": "flux topic list shows those that do, flux topic create makes one",
    "UNKNOWN_COMMAND": "is the broker older than this flux? flux cluster shows its version",
    "REPLICATION_TIMEOUT": "do not send it again: it is in the leader's log",
    "NOT_LEADER": "name all brokers with --brokers, or try again when a leader is elected",
    "SHUTTING_DOWN": "try again when it is back, or name another broker with --brokers",
    "INTERNAL_ERROR": "the broker's log says more",
}
"""By code, for messages that say what is wrong and not what to do."""


class Interrupted(click.ClickException):
    """Ctrl-C: *message* says how far it got, and how to go on. A subcommand that knows better than we do raises it.

    *stop* is what it caught, if that may have been another signal.
    """

    def __init__(self, message: str, stop: KeyboardInterrupt | None = None) -> None:
        super().__init__(message)
        number = stop.number if isinstance(stop, Stop) else signal.SIGINT
        self.exit_code = 128 + number  # type: ignore[misc]  # as shells have it; elsewhere a class says its code

    def show(self, file: object = None) -> None:
        """The sentence, on a line of its own: the terminal has just written ^C."""
        click.echo(("\n" if sys.stderr.isatty() else "") + f"Interrupted: {self.message}", err=True)


def sentence(error: FluxError) -> str:
    """*error* as a person is told it: what is wrong, and the way out."""
    way_out = _WAYS_OUT.get(error.code)
    message = str(error) or error.code
    return f"{message}; {way_out}" if way_out and not message.endswith("?") else message


def one_line(message: str) -> str:
    """*message* on one line, with a full stop, and nothing in it that a terminal would obey: it may quote what clients sent."""
    shown = "".join(letter if letter.isprintable() else " " for letter in message)
    return shown if shown.endswith((".", "?", "!")) else shown + "."


@contextmanager
def one_sentence() -> Iterator[None]:
    """Around a whole subcommand: turns what is to be expected into click's exceptions. What is not is a bug, and keeps its traceback."""
    try:
        yield
        sys.stdout.flush()  # here and not at the interpreter's exit, where nobody could catch anything any more
    except FluxError as error:
        raise click.ClickException(one_line(sentence(error))) from error
    except KeyboardInterrupt:
        raise Interrupted("nobody waits for the answer any more; what was asked for may still be done") from None
    except BrokenPipeError:
        _mute_stdout()
        raise click.exceptions.Exit(0) from None
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # what failed was stdout itself
            _mute_stdout()
        name = f"{error.filename}: " if error.filename is not None else ""
        raise click.ClickException(one_line(f"{name}{error.strerror or error}")) from error


def _mute_stdout() -> None:
    """What is still buffered goes nowhere: the interpreter would try to write it once more, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
