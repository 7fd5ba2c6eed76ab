"""``flux consume``: records of a topic on stdout, those that are there and those that come."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from flux.cli.records.cutting import escaped_option
from flux.cli.records.layout import Layout, as_columns, as_json, as_told, as_values
from flux.cli.records.outage import Outage
from flux.cli.records.reading import Tail, backlog
from flux.cli.records.sharing import Share
from flux.cli.records.starting import Start
from flux.cli.records.writing import Writer
from flux.cli.shell.connecting import client_option
from flux.cli.shell.failing import Interrupted
from flux.cli.shell.interrupting import Interruptions
from flux.cli.shell.naming import GROUP, TOPIC, described
from flux.cli.shell.printing import Form, format_option
from flux.errors import BadRequest

if TYPE_CHECKING:
    from flux.client import BlockingClient


def _start(_ctx: click.Context, _parameter: click.Parameter, text: str) -> Start:
    try:
        return Start.parse(text, int(time.time() * 1000))
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command("consume")
@click.argument("topic", type=TOPIC)
@click.option(
    "--offset",
    "-o",
    "start",
    default="beginning",
    show_default=True,
    callback=_start,
    metavar="WHERE",
    help="beginning, end, an offset, -N (the last N of each partition), or a time: 2026-11-27T10:00:00Z, @-1h, @<unix ms>."
    " With -g: beginning or end, for where the group has not been yet.",
)
@click.option(
    "--partition", "-p", "partitions", type=click.IntRange(0), multiple=True, help="Only this one. May be repeated."
)
@click.option(
    "--group", "-g", type=GROUP, help="Go on where this group stopped, share its partitions, commit what was written."
)
@click.option(
    "--exit", "-e", "is_finite", is_flag=True, help="Exit at the end: write what there is now, wait for nothing."
)
@click.option("--count", "-c", type=click.IntRange(0), help="Exit after so many records.")
@click.option(
    "--template",
    "-f",
    metavar="FORMAT",
    help="A format string: %s value, %k key, %t topic, %p partition, %o offset, %T timestamp, %S and %K lengths; \\n \\t \\xNN.",
)
@click.option("--json", "-J", "is_json", is_flag=True, help="The same as --format json: one object a line.")
@click.option(
    "--key-delimiter", "-K", callback=escaped_option, metavar="TEXT", help="Write the key, and this, before the value."
)
@click.option(
    "--delimiter",
    "-D",
    callback=escaped_option,
    default="\\n",
    show_default=True,
    metavar="TEXT",
    help="What ends a value.",
)
@click.option("--null", "-z", "is_null_separated", is_flag=True, help="The same as -D '\\0', for what xargs -0 reads.")
@click.option(
    "--show-null", "-Z", is_flag=True, help="Write NULL for a value or key that is not there, instead of nothing."
)
@format_option
@client_option
def command(
    topic: str,
    start: Start,
    partitions: tuple[int, ...],
    group: str | None,
    is_finite: bool,
    count: int | None,
    template: str | None,
    is_json: bool,
    key_delimiter: bytes | None,
    delimiter: bytes,
    is_null_separated: bool,
    show_null: bool,
    form: str | None,
    client: "BlockingClient",
) -> None:
    """Write records of TOPIC to stdout.

    That is their values, a line each: what is there, then what comes, until Ctrl-C, -e or -c ends it.

    What is there comes partition by partition, in order; what comes then, as it comes. With --format table or plain a line holds
    partition, offset, timestamp, key and value.
    """
    layout = _layout(
        template, "json" if is_json else form, key_delimiter, b"\0" if is_null_separated else delimiter, show_null
    )
    if group is not None and (partitions or start.end is None):
        raise click.UsageError(
            "--group goes on where the group stopped: it takes no --partition, and no --offset but beginning or end."
        )
    topic_partitions = range(len(described(client, topic).partitions))
    unknown = sorted(set(partitions) - set(topic_partitions))
    if unknown:
        raise BadRequest(f"partition: {topic} has no {unknown[0]}, it has {len(topic_partitions)}, from 0 on")
    with Interruptions() as interruptions:
        writer = Writer(layout, interruptions)
        if group is None:
            _read(client, topic, start, sorted(set(partitions)) or topic_partitions, is_finite, count, writer)
        else:
            assert start.end is not None, "anything else was refused"
            _share(Share(client, group, topic, start.end, is_finite, Outage()), count, writer)


def _read(
    client: "BlockingClient",
    topic: str,
    start: Start,
    partitions: Sequence[int],
    is_finite: bool,
    count: int | None,
    writer: Writer,
) -> None:
    tail: Tail | None = None
    try:
        positions = start.offsets(client, topic, partitions)
        for records in backlog(client, topic, positions, count):
            writer.write(records)
        if is_finite or writer.written == count:
            return
        tail = Tail(client, topic, positions, Outage())
        writer.stdout.when_gone(lambda: tail.fail(BrokenPipeError()))
        tail.start()
        for records in tail:
            writer.write(records if count is None else records[: count - writer.written])
            if writer.written == count:
                return
    except KeyboardInterrupt as stop:
        raise Interrupted(f"{writer}{_way_on(partitions, writer)}.", stop) from None
    finally:
        if tail is not None:
            tail.close()


def _way_on(partitions: Sequence[int], writer: Writer) -> str:
    """Where to begin next time, to read on."""
    if len(partitions) > 1:
        return "; a group (-g) would know where to go on"
    return "".join(f"; -p {partition} -o {offset + 1} goes on" for partition, offset in writer.last.items())


def _share(share: Share, count: int | None, writer: Writer) -> None:
    try:
        writer.stdout.when_gone(share.close)
        while writer.written != count and (record := share.next()) is not None:
            writer.write([record], share.handled)
    except KeyboardInterrupt as stop:
        share.close()
        if share.is_committed(writer.last):
            raise Interrupted(f"{writer} and committed; the same command goes on.", stop) from None
        raise Interrupted(f"{writer}, but may not be committed: the last of them may come again.", stop) from None
    finally:
        share.close()


def _layout(
    template: str | None, form: str | None, key_delimiter: bytes | None, delimiter: bytes, show_null: bool
) -> Layout:
    if template is not None and form is not None:
        raise click.UsageError("-f and --format (or -J) exclude each other.")
    null = b"NULL" if show_null else b""
    if template is not None:
        try:
            return as_told(template, null)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="-f") from error
    if form is None:
        return as_values(key_delimiter, delimiter, null)
    return as_json if Form(form) is Form.JSON else as_columns
