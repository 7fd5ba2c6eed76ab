"""``flux bench``: does it work here, and how fast about."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from flux.cli.shell.connecting import client_of
from flux.cli.shell.failing import Interrupted
from flux.cli.shell.interrupting import Interruptions
from flux.cli.shell.printing import Printer, Rows, printer_option
from flux.cli.shell.progress import progress
from flux.errors import FluxError
from flux.model import Acks

if TYPE_CHECKING:
    from flux.client import BlockingClient

_READING = 4  # times as long as one phase of writing, at most


@click.command("bench")
@click.option(
    "--brokers", "-b", metavar="HOST:PORT,…", help="Measure the broker there. Without it, one is started for it."
)
@click.option(
    "--seconds", "-s", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="A phase's length."
)
@click.option("--size", type=click.IntRange(1, 512 << 10), default=100, show_default=True, help="Bytes in a record.")
@click.option(
    "--in-flight", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="In the second phase."
)
@click.option("--acks", type=click.Choice([Acks.LEADER.value, Acks.ALL.value]), default="1", show_default=True)
@click.option("--partitions", "-p", type=click.IntRange(1, 100), default=3, show_default=True)
@printer_option
def command(
    brokers: str | None, seconds: float, size: int, in_flight: int, acks: str, partitions: int, printer: Printer
) -> None:
    """Test a broker, and measure it roughly.

    Records are written for a few seconds, one by one and then many at a time, and all of them are read again. The exit status is 1 if an
    acknowledged record is not there. The numbers are those of this client and the broker together, and say what to expect of both; they
    are no measure of how much a broker can bear. The topic is one of its own, and is deleted.
    """
    from flux.cli.measuring.outcome import COLUMNS
    from flux.cli.measuring.phases import Bench

    # By whatever signal it ends, its broker and its topic have to go.
    with _ended_cleanly(), _broker(brokers) as address, _topic(address, partitions) as (client, topic):
        bench = Bench(client, topic, bytes(size), Acks(acks), time.perf_counter)
        with progress("measuring", int(seconds * 1000) * (2 + _READING)) as advance:
            outcomes = [bench.one_by_one(seconds, advance), bench.pipelined(seconds, in_flight, advance)]
            read, was_all = bench.read_again(range(partitions), seconds * _READING, advance)
            outcomes.append(read)
    rows = [outcome.row() for outcome in outcomes]
    phases = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    told = {
        "broker": brokers or "its own",
        "acks": acks,
        "size": size,
        "in_flight": in_flight,
        "partitions": partitions,
    }
    printer.report({**told, "stored": bench.stored, "read": read.records, "phases": phases}, Rows(COLUMNS, rows))
    judge(bench.stored, read.records, was_all=was_all)


def judge(stored: int, read: int, *, was_all: bool) -> None:
    """Return if nothing is lost. :raises click.ClickException: something is; *was_all*: everything there is was read."""
    if not was_all:
        click.echo(f"{stored - read} records were not read again in the time there was.", err=True)
    elif read < stored:
        raise click.ClickException(f"{stored - read} of {stored} acknowledged records are not there.")


@contextmanager
def _ended_cleanly() -> Iterator[None]:
    with Interruptions():
        try:
            yield
        except KeyboardInterrupt as stop:
            raise Interrupted("nothing was measured, and nothing is left behind", stop) from None


@contextmanager
def _broker(brokers: str | None) -> Iterator[str]:
    if brokers is not None:
        yield brokers
        return
    from flux.cli.measuring.own_broker import own_broker

    with own_broker() as address:
        yield address


@contextmanager
def _topic(brokers: str, partitions: int) -> Iterator[tuple["BlockingClient", str]]:
    """A client, and a topic that goes with it, however it ends."""
    topic = f"flux-bench-{secrets.token_hex(4)}"
    with closing(client_of(brokers)) as client:
        client.admin_create_topic(topic, partitions)
        try:
            yield client, topic
        finally:
            # By a client of its own: a signal may have struck the other one in the middle of a request.
            with suppress(FluxError), closing(client_of(brokers)) as other:
                other.admin_delete_topic(topic)
