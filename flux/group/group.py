"""One group on one topic: its generation, its members, and every rule that makes the next generation. Pure.

A rule is a function of the generation in force and of what was asked. It returns a :class:`Step`: the generation that follows,
which is the one in force itself when there is nothing to record, and the events that tell why. Nobody applies a step before it
is in the log.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from flux.errors import GenerationMismatch

DEFAULT_ASSIGNOR = "round_robin"
NAMED_MEMBERS = 32  # an event of a sweep that took a thousand members names so many, and counts all

Assign = Callable[[str, Sequence[str], int], Mapping[str, Sequence[int]]]
"""Assignor name, members in order, number of partitions → member: its partitions."""


class GroupState(enum.Enum):
    """Where a group stands on a topic."""

    NEW = "new"  # nobody has joined yet
    REBALANCING = "rebalancing"  # a generation has begun in which not every member has been heard of yet
    STABLE = "stable"  # every member knows the generation
    EMPTY = "empty"  # everybody has left; the generation is remembered


LEGAL_PREDECESSORS: Mapping[GroupState, frozenset[GroupState]] = {
    GroupState.NEW: frozenset(),
    GroupState.REBALANCING: frozenset(GroupState),
    GroupState.STABLE: frozenset({GroupState.REBALANCING}),
    GroupState.EMPTY: frozenset(GroupState),  # from NEW at start-up, when a snapshot remembers no member
}


class Cause(enum.Enum):
    """Why a generation ended."""

    JOINED = "joined"
    LEFT = "left"
    EXPIRED = "expired"
    ASSIGNOR_CHANGED = "assignor_changed"
    PARTITIONS_CHANGED = "partitions_changed"
    RESET = "reset"
    LOG_DAMAGED = "log_damaged"


class Member(NamedTuple):
    """One consumer of a generation."""

    session_ms: int
    partitions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """Who shares a topic's partitions, and how. The first one, number 1, is every group's before anybody joined."""

    number: int = 1
    assignor: str = DEFAULT_ASSIGNOR
    partitions: int = 0
    members: Mapping[str, Member] = field(default_factory=dict)


NOBODY = Generation()


class Shape(NamedTuple):
    """A generation in short, for one side of an event."""

    generation: int
    members: int
    partitions: int
    assignor: str


class Event(NamedTuple):
    """One change of generation.

    ``members`` are those it is about (at most :data:`NAMED_MEMBERS` of ``concerned``), each with the age of its last life sign in
    milliseconds, None for one that has just come.
    """

    at_ms: int
    topic: str
    cause: Cause
    members: tuple[tuple[str, int | None], ...]
    concerned: int
    before: Shape
    after: Shape
    detail: str = ""


class Step(NamedTuple):
    """What a rule decided: the generation to go on with, and the events of the way there."""

    generation: Generation
    events: tuple[Event, ...] = ()


def join(
    current: Generation,
    topic: str,
    member: str,
    session_ms: int,
    assignor: str | None,
    partitions: int,
    silent_ms: int | None,
    assign: Assign,
    at_ms: int,
) -> Step:
    """*member* comes, or shows that it is still there; then the step records nothing unless its session changed.

    *assignor* None keeps the one in force. A newcomer who also changes the assignor raises the generation twice; the very first
    member's is no change, since nobody had chosen one. *silent_ms* is the age of a known member's last life sign.
    """
    known = current.members.get(member)
    members = {**current.members, member: Member(session_ms, known.partitions if known else ())}
    causes: list[Reason] = []
    if known is None:
        causes.append(Reason(Cause.JOINED, ((member, None),)))
    if assignor is not None and assignor != current.assignor and current != NOBODY:
        causes.append(Reason(Cause.ASSIGNOR_CHANGED, ((member, None if known is None else silent_ms),)))
    if causes:
        wanted = replace(current, assignor=assignor or current.assignor, partitions=partitions, members=members)
        return _raise(current, wanted, topic, causes, assign, at_ms)
    if known != members[member]:
        return Step(replace(current, members=members))
    return Step(current)


def remove(
    current: Generation, topic: str, cause: Cause, gone: Mapping[str, int | None], assign: Assign, at_ms: int
) -> Step:
    """All of *gone* (member: age of its last life sign in ms) leave at once: one generation, however many they are."""
    staying = {name: member for name, member in current.members.items() if name not in gone}
    wanted = replace(current, members=staying)
    return _raise(current, wanted, topic, [Reason(cause, tuple(sorted(gone.items())))], assign, at_ms)


def resize(current: Generation, topic: str, partitions: int, assign: Assign, at_ms: int) -> Step:
    """The topic has *partitions* now: whoever is there shares them at once. Nothing changes for an empty group."""
    if partitions == current.partitions or not current.members:
        return Step(current)
    wanted = replace(current, partitions=partitions)
    return _raise(current, wanted, topic, [Reason(Cause.PARTITIONS_CHANGED)], assign, at_ms)


def fence(current: Generation, topic: str, cause: Cause, by: int, detail: str, at_ms: int) -> Step:
    """The same members own the same partitions, *by* generations later: what they say until they know is refused."""
    fenced = replace(current, number=current.number + by)
    return Step(fenced, (Event(at_ms, topic, cause, (), 0, shape(current), shape(fenced), detail),))


def check_member(current: Generation, group: str, topic: str, member: str, number: int) -> Member:
    """*member* as generation *number* knows it.

    :raises GenerationMismatch: that generation is over or was never, or it has no such member.
    """
    if number != current.number:
        raise GenerationMismatch(
            f"generation: {number} is not the current generation of group {group!r} on topic {topic!r},"
            f" which is {current.number}; JOIN again"
        )
    try:
        return current.members[member]
    except KeyError:
        raise GenerationMismatch(
            f"consumer id: {member!r} is not a member of group {group!r} on topic {topic!r}"
            f" in generation {number}; JOIN first"
        ) from None


def check_owner(owned: Member, group: str, topic: str, member: str, partition: int) -> None:
    """:raises GenerationMismatch: *partition* is not *member*'s in this generation, or not one of the topic's."""
    if partition not in owned.partitions:
        raise GenerationMismatch(
            f"partition: {partition} of topic {topic!r} is not assigned to {member!r} in group {group!r},"
            f" which owns {list(owned.partitions)}; SYNC shows what it owns"
        )


def shape(generation: Generation) -> Shape:
    """*generation* in short."""
    return Shape(generation.number, len(generation.members), generation.partitions, generation.assignor)


class Reason(NamedTuple):
    """Why a generation is raised by one, and because of whom."""

    cause: Cause
    members: tuple[tuple[str, int | None], ...] = ()


def _raise(
    current: Generation, wanted: Generation, topic: str, reasons: Sequence[Reason], assign: Assign, at_ms: int
) -> Step:
    """*wanted*, assigned, one generation a reason after *current*."""
    names = sorted(wanted.members)
    owned = assign(wanted.assignor, names, wanted.partitions) if names else {}
    members = {name: Member(wanted.members[name].session_ms, tuple(owned[name])) for name in names}
    following = replace(wanted, number=current.number + len(reasons), members=members)
    events = []
    before = shape(current)
    for number, reason in enumerate(reasons, current.number + 1):
        after = shape(following)._replace(generation=number)
        if number < following.number:  # only a newcomer's assignor comes in a generation of its own
            after = after._replace(assignor=current.assignor)
        named = reason.members[:NAMED_MEMBERS]
        events.append(Event(at_ms, topic, reason.cause, named, len(reason.members), before, after))
        before = after
    return Step(following, tuple(events))
