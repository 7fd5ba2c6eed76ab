"""The admin family's leaders: who leads a partition by an operator's word, or by preference. Ids are brokers'."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from flux.wire.admin_topics import AboutTopic
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload


@dataclass(frozen=True, slots=True)
class SetPartitionLeader:
    """An operator says who leads a partition, and who is in sync."""

    topic: str
    partition: int
    leader: int
    isr: Sequence[int]

    COMMAND: ClassVar[str] = "ADMIN_SET_PARTITION_LEADER"
    USAGE: ClassVar[str] = "<topic> <partition> <leader id> <isr: 1,0>"
    HELP: ClassVar[str] = (
        "Makes a broker the leader of a partition, and says which brokers are in sync, the leader among them; who was no replica becomes"
        " one. The leader has to be alive and not fenced. Nothing is checked beyond that: naming a broker that lacks committed"
        " records loses them."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(
            cursor.topic(),
            cursor.integer("partition", minimum=0),
            cursor.integer("leader id", minimum=0),
            cursor.integers("isr", minimum=0),
        )
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word, or nobody is in sync."""
        return write_arguments(self.topic, self.partition, self.leader, ",".join(map(str, self.isr)))


@dataclass(frozen=True, slots=True)
class PartitionLeaderSet:
    """Who leads now, and who is in sync, as it was asked for."""

    topic: str
    partition: int
    leader: int
    isr: Sequence[int]
    term: int
    index: int

    def encode(self) -> bytes:
        """``topic= partition= leader= isr=[…] term= index=``."""
        return write_payload(
            topic=self.topic,
            partition=self.partition,
            leader=self.leader,
            isr=self.isr,
            term=self.term,
            index=self.index,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.text("topic"),
            fields.integer("partition"),
            fields.integer("leader"),
            fields.integers("isr"),
            fields.integer("term"),
            fields.integer("index"),
        )


class ElectTopicLeaders(AboutTopic):
    """Lets the preferred replicas of a topic lead."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_ELECT_TOPIC_LEADERS"
    HELP: ClassVar[str] = (
        "Lets the preferred replica, which is the first, lead each partition of a topic where it is in sync, and somebody who is in"
        " sync where nobody leads; answers how many partitions changed hands. Partitions an operator took away with"
        " SET_PARTITION_ROLE are passed by."
    )


@dataclass(frozen=True, slots=True)
class LeadersElected:
    """How many partitions changed hands."""

    topic: str
    elected_changes: int

    def encode(self) -> bytes:
        """``topic= elected_changes=``."""
        return write_payload(topic=self.topic, elected_changes=self.elected_changes)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.text("topic"), fields.integer("elected_changes"))
