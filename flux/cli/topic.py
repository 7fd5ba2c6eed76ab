"""``flux topic``: topics are made, listed, described, altered, emptied and deleted."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from flux.cli.shell.connecting import client_option
from flux.cli.shell.naming import TOPIC, Topic, all_described, described, topics
from flux.cli.shell.printing import Fields, Printer, Rows, printer_option

if TYPE_CHECKING:
    from flux.client import BlockingClient

_PARTITIONS = 3  # what a broker gives a topic created on first use, unless it is told otherwise


@click.group("topic")
def command() -> None:
    """Make, look at, change and delete topics."""


def _settings(_ctx: click.Context, _parameter: click.Parameter, assignments: Sequence[str]) -> Mapping[str, str]:
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{assignment!r} is no setting; write NAME=VALUE, such as retention.ms=3600000.")
        settings[name] = value
    return settings


_config_option = click.option(
    "--config",
    "-c",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_settings,
    help="A setting under Kafka's name, such as retention.ms=3600000. May be repeated.",
)


@command.command("create")
@click.argument("name", metavar="TOPIC")
@click.option("--partitions", "-p", type=click.IntRange(1), default=_PARTITIONS, show_default=True)
@click.option("--replicas", "-r", type=click.IntRange(1), default=1, show_default=True, help="The replication factor.")
@_config_option
@client_option
@printer_option
def create(
    name: str,
    partitions: int,
    replicas: int,
    settings: Mapping[str, str],
    client: "BlockingClient",
    printer: Printer,
) -> None:
    """Make TOPIC.

    The same again does no harm; another shape is refused.
    """
    _report_shape(printer, client.admin_create_topic(name, partitions, replicas, settings))


@command.command("list")
@client_option
@printer_option
def list_(client: "BlockingClient", printer: Printer) -> None:
    """Say which topics there are.

    Records are counted by offsets: what was lost to damage counts, too.
    """
    found = all_described(client, topics(client))
    columns = ("topic", "partitions", "replicas", "records", "bytes")
    rows = [
        (topic.name, len(topic.partitions), topic.replication_factor, _records(topic), _bytes(topic)) for topic in found
    ]
    printer.report([dict(zip(columns, row, strict=True)) for row in rows], Rows(columns, rows))


@command.command("describe")
@click.argument("name", metavar="TOPIC", type=TOPIC)
@client_option
@printer_option
def describe(name: str, client: "BlockingClient", printer: Printer) -> None:
    """Say what TOPIC is made of.

    Its settings, and partition by partition who leads, who is in sync, and what the log holds.

    Offsets run from log_start to log_end, that one excluded; hw is the last one that consumers see, -1 if there is none.
    """
    topic = described(client, name)
    columns = ["partition", "leader", "leader_epoch", "replicas", "isr", "log_start", "log_end", "hw", "size_bytes"]
    if any("problem" in partition for partition in topic.partitions):
        columns.append("problem")
    printer.report(
        {
            "topic": topic.name,
            "topic_id": topic.topic_id,
            "replication_factor": topic.replication_factor,
            "config": topic.config,
            "partitions": topic.partitions,
        },
        Fields({"topic": topic.name, "replication factor": topic.replication_factor, **topic.config}),
        Rows(columns, [[partition.get(column) for column in columns] for partition in topic.partitions]),
    )


@command.command("alter")
@click.argument("name", metavar="TOPIC", type=TOPIC)
@_config_option
@click.option("--partitions", "-p", type=click.IntRange(1), help="How many there are to be: more than before.")
@click.option("--allow-key-move", is_flag=True, help="Add partitions, though most keys will go elsewhere than before.")
@client_option
@printer_option
def alter(
    name: str,
    settings: Mapping[str, str],
    partitions: int | None,
    allow_key_move: bool,
    client: "BlockingClient",
    printer: Printer,
) -> None:
    """Change settings of TOPIC, or its partitions.

    There can only be more of them. All of it is done, or nothing.
    """
    if not settings and partitions is None:
        raise click.UsageError("Nothing is to be changed: give --config NAME=VALUE or --partitions.")
    described(client, name)
    shape = client.admin_alter_topic(name, settings, partitions=partitions, allow_key_move=allow_key_move)
    _report_shape(printer, shape)


@command.command("delete")
@click.argument("name", metavar="TOPIC", type=TOPIC)
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Nobody is asked either if stdin is no terminal.")
@client_option
@printer_option
def delete(name: str, yes: bool, client: "BlockingClient", printer: Printer) -> None:
    """Delete TOPIC and all its records."""
    topic = described(client, name)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete {topic.name} and its {_records(topic)} records?", abort=True, err=True)
    client.admin_delete_topic(name)
    printer.report({"topic": name, "deleted": True}, Rows(["deleted"], [[name]]))


@command.command("delete-records")
@click.argument("name", metavar="TOPIC", type=TOPIC)
@click.option("--partition", "-p", type=click.IntRange(0), required=True)
@click.option("--before", type=click.IntRange(0), required=True, metavar="OFFSET", help="The first offset that stays.")
@client_option
@printer_option
def delete_records(name: str, partition: int, before: int, client: "BlockingClient", printer: Printer) -> None:
    """Delete a partition's records before an offset.

    Offsets do not change.
    """
    described(client, name)
    start = client.admin_delete_records(name, partition, before).log_start
    columns, row = ("topic", "partition", "log_start"), (name, partition, start)
    printer.report(dict(zip(columns, row, strict=True)), Rows(columns, [row]))


def _report_shape(printer: Printer, shape: Any) -> None:
    columns = ("topic", "partitions", "replicas")
    row = (shape.topic, shape.partitions, shape.replication_factor)
    printer.report(dict(zip(columns, row, strict=True)), Rows(columns, [row]))


def _records(topic: Topic) -> int:
    """Committed ones. A partition that cannot be used has none to show."""
    return sum(each["hw"] + 1 - each["log_start"] for each in topic.partitions if each["hw"] is not None)


def _bytes(topic: Topic) -> int:
    return sum(each["size_bytes"] or 0 for each in topic.partitions)
