"""``flux log``: what a data directory holds, and whether it is whole. Nothing in it is changed, whether or not its broker runs."""

import os
import stat
import sys

import click

from flux.cli.shell.printing import Printer, chosen, format_option, printer_option
from flux.cli.shell.progress import progress

_DIRECTORY = click.Path(exists=True, file_okay=False)


@click.group("log")
def command() -> None:
    """Look into a data directory.

    Or into that of one partition. Nothing is changed, and no broker is needed.
    """


@command.command("verify")
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@click.option("--records", is_flag=True, help="Read every record too, not only the CRC of its batch.")
@printer_option
def verify(directory: str, records: bool, printer: Printer) -> None:
    """Report what is wrong in DIR.

    DIR is a data directory, or one partition's. Torn tails, damaged batches, gaps, indexes and checkpoints that do not fit the log:
    each with its file, the bytes, the offsets, and what a start does about it. Exit status 0 if there is no damage, 1 if there is;
    notes are no damage.
    """
    from flux.cli.offline.place import place_of
    from flux.cli.offline.verdict import FindingLines, document, summary
    from flux.cli.offline.verifying import verify

    place = place_of(directory)
    with progress("verifying", place.size_bytes) as advance:
        verified = verify(place, advance, look_into_records=records)
    printer.report(document(directory, verified), FindingLines(verified.findings))
    if verified.was_live or verified.is_live:
        _say_that_it_is_live(directory, "what it has only begun to write is no damage")
    click.echo(summary(verified), err=True)
    raise SystemExit(1 if verified.damage else 0)


@command.command("dump")
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@click.option("--offset", "-o", "start", type=click.IntRange(0), default=0, help="Begin with this offset.")
@click.option("--end", "-e", type=click.IntRange(0), help="End before this offset.")
@click.option("--count", "-c", type=click.IntRange(1), help="End after so many records.")
@click.option("--batches", "only", flag_value="batches", help="Batches only, not their records.")
@click.option("--records", "only", flag_value="records", help="Records only, not their batches.")
@format_option
def dump(directory: str, start: int, end: int | None, count: int | None, only: str | None, form: str | None) -> None:
    """Show the batches and records in DIR.

    DIR is a data directory, or one partition's. Each batch with its place, offsets, leader epoch and size; each record with its
    offset, timestamp, key and value. Damage is shown where it lies, and makes the exit status 1. The group log,
    __consumer_offsets-0, is shown in words.
    """
    from flux.cli.offline.dumping import Bad, Wanted, dump
    from flux.cli.offline.layout import lines
    from flux.cli.offline.place import place_of
    from flux.storage.recovery import NO_LIMIT

    place, shape = place_of(directory), chosen(form)
    live = place.is_live
    if live:
        _say_that_it_is_live(directory, "what is not written whole yet is left out")
    wanted = Wanted(start, NO_LIMIT if end is None else end, count, only != "batches")
    status = 0
    with progress("dumping", place.size_bytes, shown=_fills_a_file()) as advance:
        for found in dump(place, wanted, advance, live=live):
            status |= isinstance(found, Bad)
            for line in lines(found, shape, batches=only != "records"):
                sys.stdout.write(f"{line}\n")  # click.echo flushes every line: half as much time again
    raise SystemExit(status)


def _fills_a_file() -> bool:
    """Whether nothing is seen of stdout: what scrolls past is progress enough, and a pager wants the terminal for itself."""
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:
        return False


def _say_that_it_is_live(directory: str, therefore: str) -> None:
    click.echo(f"Note: a broker runs on {directory}; {therefore}.", err=True)
