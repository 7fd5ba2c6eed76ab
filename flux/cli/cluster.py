"""``flux cluster``: which brokers there are, who leads what, and what is not as it should be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from flux.cli.shell.connecting import client_option
from flux.cli.shell.moments import moment
from flux.cli.shell.naming import TOPIC, all_described, described
from flux.cli.shell.printing import Fields, Printer, Rows, printer_option

if TYPE_CHECKING:
    from flux.client import BlockingClient


class Partition(NamedTuple):
    """One partition as its broker describes it, with what is wrong with it."""

    topic: str
    partition: int
    leader: int | None
    leader_epoch: int
    replicas: Sequence[int]
    isr: Sequence[int]
    problem: str | None

    @property
    def is_under_replicated(self) -> bool:
        """Some replica is out of sync."""
        return len(self.isr) < len(self.replicas)


@click.group("cluster", invoke_without_command=True)
@click.pass_context
@client_option
@printer_option
def command(ctx: click.Context, client: "BlockingClient", printer: Printer) -> None:
    """Look at the cluster: brokers and leaders.

    Says who answers, which brokers there are, what each leads, and how many partitions are not as they should be.
    """
    if ctx.invoked_subcommand is not None:
        _must_stand_after(ctx, ctx.invoked_subcommand)
        return
    welcome, metadata = client.connect(), client.admin_get_metadata()
    found = _partitions(client, metadata.topics)
    counts = {
        "topics": len(metadata.topics),
        "partitions": len(found),
        "under_replicated": sum(each.is_under_replicated for each in found),
        "without_leader": sum(each.leader is None for each in found),
    }
    leads = Counter(each.leader for each in found)
    holds = Counter(replica for each in found for replica in each.replicas)
    in_sync = Counter(replica for each in found for replica in each.isr)
    columns = ("broker", "fenced", "leads", "holds", "in_sync")
    registered = set(metadata.brokers)
    rows = [
        (
            broker,
            broker in metadata.fenced if broker in registered else None,
            leads[broker],
            holds[broker],
            in_sync[broker],
        )
        for broker in sorted(registered | set(holds))
    ]
    answering = {"server": welcome.server, "protocol": welcome.protocol, "broker_id": welcome.broker_id}
    printer.report(
        {**answering, **counts, "brokers": [dict(zip(columns, row, strict=True)) for row in rows]},
        Fields({**answering, **counts}),
        Rows(columns, rows),
    )


@command.command("partitions")
@click.argument("topics", metavar="[TOPIC]...", type=TOPIC, nargs=-1)
@click.option("--under-replicated", is_flag=True, help="Only those with a replica out of sync.")
@click.option("--without-leader", is_flag=True, help="Only those nobody leads.")
@client_option
@printer_option
def partitions(
    topics: Sequence[str], under_replicated: bool, without_leader: bool, client: "BlockingClient", printer: Printer
) -> None:
    """Say who leads each partition.

    And who is in sync, of each TOPIC, or of all if none is named.
    """
    for name in topics:
        described(client, name)
    found = _partitions(client, topics or client.admin_get_metadata().topics)
    if under_replicated or without_leader:
        found = [
            each
            for each in found
            if (under_replicated and each.is_under_replicated) or (without_leader and each.leader is None)
        ]
    columns = ["topic", "partition", "leader", "leader_epoch", "replicas", "isr"]
    if any(each.problem for each in found):
        columns.append("problem")
    rows = [each[: len(columns)] for each in found]
    printer.report([each._asdict() for each in found], Rows(columns, rows))


@command.command("explain")
@click.argument("topic", type=TOPIC)
@click.argument("partition", type=click.IntRange(0))
@client_option
@printer_option
def explain(topic: str, partition: int, client: "BlockingClient", printer: Printer) -> None:
    """Say why consumers see what they see of a partition.

    That is what decides its high watermark, replica by replica, and who led it when. hw is the last offset consumers see, -1 if
    there is none; log_end is one past the last record written, promised_end one past the last one that is as durable as fsync_mode
    says.
    """
    described(client, topic)
    found = client.explain_partition(topic, partition).explanation
    head = {name: value for name, value in found.items() if name not in ("replicas", "leadership")}
    replicas = ("replica", "end_offset", "lag", "silent_ms", "in_sync", "why")
    printer.report(
        found,
        Fields(head),
        Rows(replicas, _cells(found["replicas"], replicas)),
        Rows(
            ("when", "leader", "leader_epoch", "cause"),
            [
                (moment(change["at_ms"]), change["leader"], change["leader_epoch"], change["cause"])
                for change in found["leadership"]
            ],
        ),
    )


def _must_stand_after(ctx: click.Context, subcommand: str) -> None:
    """Options of ours are not the subcommand's: it would ask another broker than the one that was named."""
    for parameter in ctx.command.params:
        if parameter.name and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} belongs after {subcommand!r}, not before it.")


def _partitions(client: "BlockingClient", topics: Sequence[str]) -> list[Partition]:
    return [_partition(topic.name, each) for topic in all_described(client, topics) for each in topic.partitions]


def _partition(topic: str, about: Mapping[str, Any]) -> Partition:
    return Partition(
        topic,
        about["partition"],
        about["leader"],
        about["leader_epoch"],
        about["replicas"],
        about["isr"],
        about.get("problem"),
    )


def _cells(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[object]]:
    return [[item[column] for column in columns] for item in items]
