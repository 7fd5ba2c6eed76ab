"""``flux produce``: lines of a pipe, of a file, or as they are typed, as records."""

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import click

from flux.cli.records.cutting import Cutter, escaped_option
from flux.cli.records.sending import Refused, Sender
from flux.cli.shell.connecting import client_option
from flux.cli.shell.failing import Interrupted, one_line, sentence
from flux.cli.shell.interrupting import Interruptions
from flux.cli.shell.naming import TOPIC
from flux.cli.shell.printing import Printer, chosen, format_option
from flux.cli.shell.progress import progress

if TYPE_CHECKING:
    from flux.client import BlockingClient


@click.command("produce")
@click.argument("topic", type=TOPIC)
@click.option("--file", "-f", "stream", type=click.File("rb"), default="-", help="Read this file, not stdin.")
@click.option(
    "--key-delimiter",
    "-k",
    "-K",
    callback=escaped_option,
    metavar="TEXT",
    help="What ends the key in a record, such as ':' or '\\t'. A record without it has no key.",
)
@click.option("--key", metavar="TEXT", help="The key of all records.")
@click.option(
    "--delimiter",
    "-D",
    callback=escaped_option,
    default="\\n",
    show_default=True,
    metavar="TEXT",
    help="What ends a record.",
)
@click.option(
    "--null", "-z", "is_null_separated", is_flag=True, help="The same as -D '\\0', for what find -print0 writes."
)
@click.option("--tombstones", "-Z", is_flag=True, help="An empty value is no value at all.")
@click.option(
    "--acks", type=click.Choice(["0", "1", "all"]), default="1", show_default=True, help="Who has to have it."
)
@format_option
@client_option
def command(
    topic: str,
    stream: BinaryIO,
    key_delimiter: bytes | None,
    key: str | None,
    delimiter: bytes,
    is_null_separated: bool,
    tombstones: bool,
    acks: str,
    form: str | None,
    client: "BlockingClient",
) -> None:
    """Append lines of stdin, or of a file, to TOPIC.

    Each line is a record. Nothing is written unless --format says so: then topic, partition and offset of each record, when it is
    acknowledged. The first record that is refused ends it, with exit status 1.
    """
    from flux.client import ProducerOptions
    from flux.client.calls import as_acks

    if key is not None and key_delimiter is not None:
        raise click.UsageError("--key and --key-delimiter exclude each other.")
    cutter = Cutter(
        b"\0" if is_null_separated else delimiter, key_delimiter, None if key is None else key.encode(), tombstones
    )
    printer = None if form is None else Printer(chosen(form))
    client.connect()  # now, and not with the first line: somebody may be about to type it
    with Interruptions() as interruptions, client.producer(ProducerOptions(acks=as_acks(acks))) as producer:
        sender = Sender(producer, topic, None if printer is None else lambda went: printer.line(went._asdict()))
        try:
            _send_all(sender, cutter, stream, interruptions, shows_bar=printer is None)
        except Refused as refused:
            raise click.ClickException(one_line(_refusal(refused, sender))) from refused
        except KeyboardInterrupt as stop:
            client.close()  # what was read is stored by now, unless somebody insisted
            raise Interrupted(_given_up(sender), stop) from None
    if sys.stderr.isatty():
        click.echo(f"{_stored(sender.stored)}.", err=True)


def _send_all(
    sender: Sender, cutter: Cutter, stream: BinaryIO, interruptions: Interruptions, *, shows_bar: bool
) -> None:
    """Chunk by chunk: what became of one is known before the next is read. That suits whoever types, and costs less time than to
    read ahead, since reading and sending would fight for the interpreter.
    """
    is_typed = stream.isatty()
    if is_typed:
        click.echo("Each line is a record; Ctrl-D ends.", err=True)
    with progress(f"Producing to {sender.topic}", _size(stream), shown=shows_bar and not is_typed) as advance:
        for size, records in cutter.chunks(stream):
            with interruptions.held():
                sender.send(records)
                sender.settle()
            advance(size)


def _size(stream: BinaryIO) -> int | None:
    """How much there is to read, if that can be known: of a file, not of a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _refusal(refused: Refused, sender: Sender) -> str:
    """What became of the others, too: whoever repeats it all would store them twice."""
    reason = sentence(refused.error)
    if sender.sent == 1:
        return reason
    return f"record {refused.number}: {reason}; of {sender.sent} records read, {_stored(sender.stored)}"


def _given_up(sender: Sender) -> str:
    with suppress(Refused):
        sender.settle()
    unknown = sender.sent - sender.stored
    return _stored(sender.stored) + (f"; of {unknown} more nobody knows." if unknown else ", the rest was not sent.")


def _stored(count: int) -> str:
    return "1 record is stored" if count == 1 else f"{count} records are stored"
