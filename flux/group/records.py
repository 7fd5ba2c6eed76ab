"""What a change looks like in the internal log. Pure: changes to keys and values, and back; ``docs/group-log.md`` describes them.

A key says what a record is about, its value is all of it as it now is: the last record of a key holds, so a record replayed
twice, or one lost to damage, is mended by the next. The first word of a key is the kind; a value whose meaning changes gets a new
kind, and a kind nobody knows stops the start rather than being passed over.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from flux.errors import StorageError
from flux.group.group import Cause, Event, Generation, Member, Shape
from flux.group.offsets import OffsetChange

GENERATION, OFFSET = "generation", "offset"

_to_json = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: a name that is not UTF-8 survives as \\udcxx


class GenerationChange(NamedTuple):
    """*generation* is in force for *group* on *topic*, and *events* tell how it came."""

    group: str
    topic: str
    generation: Generation
    events: tuple[Event, ...] = ()


Change = GenerationChange | OffsetChange


def encode(change: Change) -> tuple[bytes, bytes]:
    """Key and value."""
    if isinstance(change, OffsetChange):
        key: list[Any] = [OFFSET, change.group, change.topic, change.partition]
        value: dict[str, Any] = {"offset": change.offset, "generation": change.generation, "member": change.member}
    else:
        key = [GENERATION, change.group, change.topic]
        value = generation_to_json(change.generation)
        if change.events:
            value["events"] = [event_to_json(event) for event in change.events]
    return _to_json(key).encode(), _to_json(value).encode()


def decode(offset: int, key: bytes | None, value: bytes | None) -> Change:
    """The change at *offset* of the log.

    :raises StorageError: this is no record of ours, or one of a kind only a newer version knows.
    """
    try:
        kind, *names = json.loads(key or b"null")
        data = json.loads(value or b"null")
        if kind == OFFSET:
            group, topic, partition = names
            return OffsetChange(group, topic, partition, data["offset"], data["generation"], data["member"])
        if kind == GENERATION:
            group, topic = names
            events = tuple(event_from_json(event) for event in data.get("events", ()))
            return GenerationChange(group, topic, generation_from_json(data), events)
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"group log: offset {offset} holds no group record ({error!r}); key {key!r}") from error
    raise StorageError(f"group log: offset {offset} is of the kind {kind!r}, which this version of Flux does not know")


def generation_to_json(generation: Generation) -> dict[str, Any]:
    """As it stands in the log and in ``groups.json``."""
    return {
        "generation": generation.number,
        "assignor": generation.assignor,
        "partitions": generation.partitions,
        "members": {
            name: {"session_ms": member.session_ms, "assigned": list(member.partitions)}
            for name, member in generation.members.items()
        },
    }


def generation_from_json(data: Mapping[str, Any]) -> Generation:
    """The reverse. :raises KeyError: :raises TypeError: it is something else."""
    members = {
        name: Member(member["session_ms"], tuple(member["assigned"])) for name, member in data["members"].items()
    }
    return Generation(data["generation"], data["assignor"], data["partitions"], members)


def event_to_json(event: Event) -> dict[str, Any]:
    """As it stands in the log, in ``groups.json`` and in EXPLAIN_GROUP."""
    return {
        "at_ms": event.at_ms,
        "topic": event.topic,
        "cause": event.cause.value,
        "members": [{"member": member, "silent_ms": silent_ms} for member, silent_ms in event.members],
        "concerned": event.concerned,
        "before": event.before._asdict(),
        "after": event.after._asdict(),
        "detail": event.detail,
    }


def event_from_json(data: Mapping[str, Any]) -> Event:
    """The reverse. :raises KeyError: :raises TypeError: :raises ValueError: it is something else."""
    return Event(
        data["at_ms"],
        data["topic"],
        Cause(data["cause"]),
        tuple((member["member"], member["silent_ms"]) for member in data["members"]),
        data["concerned"],
        Shape(**data["before"]),
        Shape(**data["after"]),
        data["detail"],
    )
