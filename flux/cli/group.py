"""``flux group``: consumer groups are listed, described, explained, and sent elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from flux.cli.shell.connecting import client_option
from flux.cli.shell.moments import moment, moment_option
from flux.cli.shell.naming import GROUP, TOPIC, groups
from flux.cli.shell.printing import Fields, Printer, Rows, printer_option
from flux.errors import BadRequest

if TYPE_CHECKING:
    from flux.client import BlockingClient

_LAG = ("topic", "partition", "committed", "log_start", "log_end", "lag", "lag_seconds", "member")


class Target(NamedTuple):
    """Where a group is to be sent."""

    where: Literal["earliest", "latest", "offset", "time"]
    value: int | None = None


@click.group("group")
def command() -> None:
    """Look at consumer groups, or send them elsewhere.

    Who reads what, how far behind it is, and why it was rebalanced.
    """


@command.command("list")
@client_option
@printer_option
def list_(client: "BlockingClient", printer: Printer) -> None:
    """Say which groups there are."""
    found = client.group_list().groups
    columns = ("group", "state", "members", "topics")
    printer.report(found, Rows(columns, [[group[column] for column in columns] for group in found]))


@command.command("describe")
@click.argument("name", metavar="GROUP", type=GROUP)
@client_option
@printer_option
def describe(name: str, client: "BlockingClient", printer: Printer) -> None:
    """Say who is in GROUP, and how far behind it is.

    Each member with what it owns, and each partition. Offsets are the next to be read: lag counts the records from committed (or
    log_start, if nothing is) to log_end, that one excluded; lag_seconds is the age of the first of them. A member that does not
    know the generation yet has not answered since the last rebalance.
    """
    found = described(client, name)
    head = {"group": found["group"], "state": found["state"], "lag": sum(_lags(found))}
    columns = ("topic", "member", "assigned", "silent_ms", "session_ms", "knows_generation")
    members = [
        [topic["topic"], *(member[column] for column in columns[1:])]
        for topic in found["topics"]
        for member in topic["members"]
    ]
    generations = {
        f"generation on {topic['topic']}": f"{topic['generation']}, {topic['state']}, {topic['assignor']}"
        for topic in found["topics"]
    }
    who = [Rows(columns, members)] if members else []
    printer.report(found, Fields({**head, **generations}), Rows(_LAG, _partitions(found)), *who)


@command.command("lag")
@click.argument("names", metavar="[GROUP]...", type=GROUP, nargs=-1)
@client_option
@printer_option
def lag(names: Sequence[str], client: "BlockingClient", printer: Printer) -> None:
    """Say how far each GROUP is behind.

    Partition by partition, the furthest first; of all groups if none is named.
    """
    found = [described(client, name) for name in names or groups(client)]
    columns = ("group", *_LAG)
    rows = [[group["group"], *row] for group in found for row in _partitions(group)]
    rows.sort(key=lambda row: -(row[columns.index("lag")] or 0))
    printer.report([dict(zip(columns, row, strict=True)) for row in rows], Rows(columns, rows))


@command.command("reset")
@click.argument("name", metavar="GROUP", type=GROUP)
@click.option("--topic", "-t", "names", type=TOPIC, multiple=True, help="A topic of the group. May be repeated.")
@click.option("--all-topics", is_flag=True, help="All topics of the group.")
@click.option("--to-earliest", is_flag=True, help="To the first record there is.")
@click.option("--to-latest", is_flag=True, help="Past the last record.")
@click.option("--to-offset", type=click.IntRange(0), help="To an offset, or as near as a partition has it.")
@click.option("--to-datetime", metavar="TIME", callback=moment_option, help="To the first record that is not older.")
@click.option(
    "--dry-run/--execute", "dry_run", default=True, help="Only say what would be done (the default), or do it."
)
@client_option
@printer_option
def reset(
    name: str,
    names: Sequence[str],
    all_topics: bool,
    to_earliest: bool,
    to_latest: bool,
    to_offset: int | None,
    to_datetime: int | None,
    dry_run: bool,
    client: "BlockingClient",
    printer: Printer,
) -> None:
    """Move what GROUP has committed.

    In all partitions of a topic at once. Nothing is done without --execute. Members that are reading are fenced, and go on from the
    new offsets. TIME is Unix milliseconds, or ISO 8601 such as 2026-11-27T08:05:15Z, UTC where it does not say.
    """
    target = _target(to_earliest, to_latest, to_offset, to_datetime)
    if bool(names) is all_topics:
        raise click.UsageError("Say which topics: --topic TOPIC, or --all-topics.")
    found = described(client, name)
    columns = ("topic", "partition", "before", "after")
    rows = []
    for topic in [topic["topic"] for topic in found["topics"]] if all_topics else names:
        moved = client.group_reset(name, topic, target.where, target.value, dry_run=dry_run)
        offsets = zip(moved.before, moved.after, strict=True)
        rows += [[topic, partition, before, after] for partition, (before, after) in enumerate(offsets)]
    document = {
        "group": name,
        "dry_run": dry_run,
        "partitions": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    printer.report(document, Rows(columns, rows))
    if dry_run:
        click.echo("Nothing was changed: this is what --execute would do.", err=True)


@command.command("explain")
@click.argument("name", metavar="GROUP", type=GROUP)
@client_option
@printer_option
def explain(name: str, client: "BlockingClient", printer: Printer) -> None:
    """Say why GROUP was rebalanced.

    These are its last changes of generation, the oldest first: whose doing it was, with the age of the last sign of life; and
    generation, members and partitions, before and after.
    """
    try:
        events = client.explain_group(name).events
    except BadRequest:
        raise _unless_it_is_there(client, name) from None
    columns = ("when", "topic", "cause", "who", "generation", "members", "partitions", "detail")
    printer.report(events, Rows(columns, [_event(event) for event in events]))


def described(client: "BlockingClient", name: str) -> Mapping[str, Any]:
    """GROUP_DESCRIBE. :raises click.ClickException: there is no such group; names the one that was meant, if one looks like it."""
    try:
        return client.group_describe(name).description
    except BadRequest:
        raise _unless_it_is_there(client, name) from None


def _unless_it_is_there(client: "BlockingClient", name: str) -> Exception:
    there = groups(client)
    alike = get_close_matches(name, there, 1)
    way_out = f"did you mean {alike[0]}?" if alike else "flux group list shows those that do."
    return click.ClickException(f"group: {name} does not exist; {way_out}")


def _target(earliest: bool, latest: bool, offset: int | None, time_ms: int | None) -> Target:
    given = [
        *([Target("earliest")] if earliest else []),
        *([Target("latest")] if latest else []),
        *([Target("offset", offset)] if offset is not None else []),
        *([Target("time", time_ms)] if time_ms is not None else []),
    ]
    if len(given) != 1:
        raise click.UsageError("Say where to, once: --to-earliest, --to-latest, --to-offset or --to-datetime.")
    return given[0]


def _partitions(group: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [topic["topic"], *(partition[column] for column in _LAG[1:])]
        for topic in group["topics"]
        for partition in topic["partitions"]
    ]


def _lags(group: Mapping[str, Any]) -> Iterable[int]:
    return (partition["lag"] or 0 for topic in group["topics"] for partition in topic["partitions"])


def _event(event: Mapping[str, Any]) -> list[object]:
    who = [
        member["member"] if member["silent_ms"] is None else f"{member['member']} ({member['silent_ms']} ms)"
        for member in event["members"]
    ]
    if event["concerned"] > len(who):
        who.append(f"and {event['concerned'] - len(who)} more")
    before, after = event["before"], event["after"]
    changes = [_change(before[name], after[name]) for name in ("generation", "members", "partitions")]
    return [moment(event["at_ms"]), event["topic"], event["cause"], who, *changes, event["detail"] or None]


def _change(before: object, after: object) -> str:
    return str(after) if before == after else f"{before}→{after}"
