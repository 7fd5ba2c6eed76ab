"""The group log in words: who committed what, and which generation came when, and why."""

import json
from typing import Any

from flux.batch import decode
from flux.group import records
from flux.group.group import Event
from flux.group.offsets import OffsetChange
from flux.group.records import GenerationChange
from flux.model import Record


def check(batch: bytes) -> None:
    """Return if every record of *batch* is one of the group log's. :raises CorruptBatch: :raises StorageError: one is not; says why."""
    for record in decode(batch):
        records.decode(record.offset, record.key, record.value)


def as_json(record: Record) -> tuple[Any, Any]:
    """Its key and its value, which are JSON. :raises StorageError: this is no record of the group log."""
    records.decode(record.offset, record.key, record.value)
    return json.loads(record.key or b"null"), json.loads(record.value or b"null")


def in_words(record: Record) -> str:
    """:raises StorageError: this is no record of the group log."""
    change = records.decode(record.offset, record.key, record.value)
    return _commit(change) if isinstance(change, OffsetChange) else _generation(change)


def _commit(change: OffsetChange) -> str:
    where = f"{change.topic}-{change.partition}"
    if change.offset is None:
        return f"{change.group} forgets {where}"
    who = "a reset" if change.member is None else change.member
    return f"{change.group} commits {change.offset} on {where}: {who}, generation {change.generation}"


def _generation(change: GenerationChange) -> str:
    generation = change.generation
    members = "; ".join(
        f"{name} has {','.join(map(str, member.partitions)) or 'nothing'}"
        for name, member in generation.members.items()
    )
    causes = "".join(f"; {_event(event)}" for event in change.events)
    head = f"{change.group} on {change.topic}: generation {generation.number} by {generation.assignor}"
    return f"{head}: {members or 'nobody is left'}{causes}"


def _event(event: Event) -> str:
    who = ", ".join(
        name if silent_ms is None else f"{name} (silent for {silent_ms} ms)" for name, silent_ms in event.members
    )
    return f"{event.cause.value}{': ' if who else ''}{who}"
