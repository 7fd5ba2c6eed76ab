"""The replication family: what followers report, what an operator makes of this broker's role, and why a watermark stands where it does.

``high_watermark`` is *exclusive*, as inside the broker; it is printed less one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from flux.model import Role
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload
from flux.wire.json_field import read_json, write_json
from flux.wire.values import read_choice, spellings

_ROLES = spellings(Role)


@dataclass(frozen=True, slots=True)
class ReplicaFetch:
    """A follower's report: it holds everything up to and including ``offset``; -1 says that it holds nothing."""

    topic: str
    partition: int
    replica: int
    offset: int

    COMMAND: ClassVar[str] = "REPLICA_FETCH"
    USAGE: ClassVar[str] = "<topic> <partition> <replica id> <offset>"
    HELP: ClassVar[str] = (
        "Reports that a replica holds everything up to and including an offset, and answers the last committed offset, who is in"
        " sync, and whether somebody is not. Replica ids are 1 to the replication factor less one; 0 is the leader itself. An offset"
        " past the log's end counts as the last one there is, one below an earlier report changes nothing."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(
            cursor.topic(),
            cursor.integer("partition", minimum=0),
            cursor.integer("replica id", minimum=0),
            cursor.integer("offset", minimum=-1),
        )
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic, self.partition, self.replica, self.offset)


@dataclass(frozen=True, slots=True)
class ReplicaFetched:
    """Where the partition stands after a report. ``isr`` holds replica ids, ascending."""

    replica: int
    acked_offset: int
    high_watermark: int
    isr: Sequence[int]
    under_replicated: bool

    def encode(self) -> bytes:
        """``replica= acked_offset= hw= isr=[…] under_replicated=``; the offset is as it was reported."""
        return write_payload(
            replica=self.replica,
            acked_offset=self.acked_offset,
            hw=self.high_watermark - 1,
            isr=self.isr,
            under_replicated=self.under_replicated,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.integer("replica"),
            fields.integer("acked_offset"),
            fields.integer("hw") + 1,
            fields.integers("isr"),
            fields.boolean("under_replicated"),
        )


@dataclass(frozen=True, slots=True)
class SetPartitionRole:
    """An operator's word about this broker."""

    topic: str
    partition: int
    role: Role

    COMMAND: ClassVar[str] = "SET_PARTITION_ROLE"
    USAGE: ClassVar[str] = "<topic> <partition> <leader|follower>"
    HELP: ClassVar[str] = (
        "Makes this broker the leader of a partition, or a mere follower, and answers where the watermark stands. The role stays until"
        " it is changed, over restarts too: no election gives a partition back that an operator has taken away."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.topic(), cursor.integer("partition", minimum=0), cursor.choice("role", _ROLES))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic, self.partition, self.role)


@dataclass(frozen=True, slots=True)
class PartitionRole:
    """What this broker is to a partition now."""

    topic: str
    partition: int
    role: Role
    high_watermark: int

    def encode(self) -> bytes:
        """``topic= partition= role= hw=``."""
        return write_payload(topic=self.topic, partition=self.partition, role=self.role, hw=self.high_watermark - 1)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        role = read_choice("role", fields.raw("role"), _ROLES)
        return cls(fields.text("topic"), fields.integer("partition"), role, fields.integer("hw") + 1)


@dataclass(frozen=True, slots=True)
class ExplainPartition:
    """Asks why the watermark stands where it stands."""

    topic: str
    partition: int

    COMMAND: ClassVar[str] = "EXPLAIN_PARTITION"
    USAGE: ClassVar[str] = "<topic> <partition>"
    HELP: ClassVar[str] = (
        "Answers, as percent-encoded JSON, why a partition's watermark stands where it stands: a sentence, the offsets that decide"
        " it, and for each replica how far it is, how long it has been silent, whether it is in sync and why; and the last changes"
        " of leadership, oldest first, with their causes."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.topic(), cursor.integer("partition", minimum=0))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class PartitionExplained:
    """The explanation, as JSON has it."""

    topic: str
    partition: int
    explanation: Mapping[str, Any]

    def encode(self) -> bytes:
        """``topic= partition= json=``."""
        return write_payload(topic=self.topic, partition=self.partition, json=write_json(self.explanation))

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or is no JSON."""
        fields = Payload(payload)
        return cls(fields.text("topic"), fields.integer("partition"), read_json(fields, dict))
