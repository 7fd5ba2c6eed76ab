"""What can be asked about groups: membership and offsets, as consumers do; and what people ask."""

from typing import Literal

from flux.client.calls import Call
from flux.wire.group import (
    Alive,
    Assigned,
    Commit,
    Committed,
    Heartbeat,
    Join,
    Leave,
    Left,
    NextOffset,
    Offset,
    Sync,
)
from flux.wire.group_admin import (
    ExplainGroup,
    GroupDescribe,
    GroupDescribed,
    GroupExplained,
    GroupList,
    GroupListed,
    GroupMoved,
    GroupReset,
)

# --- membership ---


def join(
    group: str,
    topic: str,
    member: str,
    *,
    assignor: str | None = None,
    session_ms: int | None = None,
    timeout_s: float | None = None,
) -> Call[Assigned]:
    """Become a member of *group* on *topic*, or show that *member* still is one; what it owns.

    No *assignor* is the group's own, no *session_ms* the broker's default.
    """
    return Call(Join(group, topic, member, assignor, session_ms), Assigned.decode, timeout_s)


def sync(group: str, topic: str, member: str, generation: int, *, timeout_s: float | None = None) -> Call[Assigned]:
    """Ask what *member* owns in *generation*.

    :raises GenerationMismatch: it is over, or *member* is no member: join again.
    """
    return Call(Sync(group, topic, member, generation), Assigned.decode, timeout_s)


def heartbeat(group: str, topic: str, member: str, generation: int, *, timeout_s: float | None = None) -> Call[Alive]:
    """Give a sign of life. :raises GenerationMismatch: the group was rebalanced: join again."""
    return Call(Heartbeat(group, topic, member, generation), Alive.decode, timeout_s)


def leave(group: str, topic: str, member: str, generation: int, *, timeout_s: float | None = None) -> Call[Left]:
    """End a membership; the others share its partitions. :raises GenerationMismatch: there is none in *generation*."""
    return Call(Leave(group, topic, member, generation), Left.decode, timeout_s)


# --- offsets ---


def commit(
    group: str,
    topic: str,
    member: str,
    generation: int,
    partition: int,
    offset: int,
    *,
    timeout_s: float | None = None,
) -> Call[Committed]:
    """Remember *offset* as the next one *group* reads: the last one handled, plus one. Answered when it is durable.

    :raises GenerationMismatch: *member* does not own *partition* in *generation*.
    """
    return Call(Commit(group, topic, member, generation, partition, offset), Committed.decode, timeout_s)


def offset(group: str, topic: str, partition: int, *, timeout_s: float | None = None) -> Call[NextOffset]:
    """Ask where *group* goes on; where the log begins, if it never committed."""
    return Call(Offset(group, topic, partition), NextOffset.decode, timeout_s)


# --- for people ---


def group_list(*, timeout_s: float | None = None) -> Call[GroupListed]:
    """Ask which groups there are."""
    return Call(GroupList(), GroupListed.decode, timeout_s)


def group_describe(group: str, *, timeout_s: float | None = None) -> Call[GroupDescribed]:
    """Ask who is in *group*, what each owns, and how far behind it is."""
    return Call(GroupDescribe(group), GroupDescribed.decode, timeout_s)


def explain_group(group: str, *, timeout_s: float | None = None) -> Call[GroupExplained]:
    """Ask why *group* was rebalanced."""
    return Call(ExplainGroup(group), GroupExplained.decode, timeout_s)


def group_reset(
    group: str,
    topic: str,
    where: Literal["earliest", "latest", "offset", "time"],
    value: int | None = None,
    *,
    dry_run: bool = False,
    timeout_s: float | None = None,
) -> Call[GroupMoved]:
    """Move all that *group* has committed on *topic*: to an end, to the offset *value*, or to the time *value* (Unix ms)."""
    return Call(GroupReset(group, topic, where, value, dry_run), GroupMoved.decode, timeout_s)
