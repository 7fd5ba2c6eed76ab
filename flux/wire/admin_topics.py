"""The admin family's topics: they are made, altered, emptied, described, deleted. :mod:`flux.wire.admin_leaders` is about who leads them.

``term`` and ``index`` in an answer are those of the entry in the metadata's store that made the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from flux.errors import BadRequest
from flux.wire.encoding import shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload
from flux.wire.json_field import read_json, write_json
from flux.wire.values import read_choice, read_integer

_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_LONGEST_SCAN_S = 600.0  # some tens of GB without a key; whoever knows better says allow_key_move=1


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """Makes a topic. ``settings`` are under Kafka's names."""

    topic: str
    partitions: int
    replication_factor: int
    settings: Mapping[str, str]

    COMMAND: ClassVar[str] = "ADMIN_CREATE_TOPIC"
    USAGE: ClassVar[str] = "<topic> <partitions> <replication factor> [name=value ...]"
    HELP: ClassVar[str] = (
        "Makes a topic, whose partitions have leaders when this is answered. The same again is the same answer; another shape is"
        " TOPIC_EXISTS. Settings: max.message.bytes, min.insync.replicas, retention.bytes, retention.ms, segment.bytes,"
        " unclean.leader.election.enable; what is not given is as the broker has it."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        return cls(
            cursor.topic(),
            cursor.integer("partitions", minimum=1),
            cursor.integer("replication factor", minimum=1),
            cursor.settings(),
        )

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name or a value is not one word."""
        return write_arguments(self.topic, self.partitions, self.replication_factor, **self.settings)


@dataclass(frozen=True, slots=True)
class AlterTopic:
    """Gives a topic other settings, or more partitions."""

    topic: str
    settings: Mapping[str, str]
    partitions: int | None = None
    allow_key_move: bool = False

    COMMAND: ClassVar[str] = "ADMIN_ALTER_TOPIC"
    USAGE: ClassVar[str] = "<topic> [partitions=<n>] [allow_key_move=1] [name=value ...]"
    HELP: ClassVar[str] = (
        "Changes settings of a topic (see ADMIN_CREATE_TOPIC), or gives it more partitions; all of it or nothing. More partitions send"
        " most keys elsewhere than what was stored under them before, so a topic that holds keyed records is refused unless"
        " allow_key_move=1 says that this is wanted."
    )

    @property
    def wait_s(self) -> float:
        """How much longer than usual it may take: looking for keys reads whatever has none."""
        return _LONGEST_SCAN_S if self.partitions is not None and not self.allow_key_move else 0.0

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out; or nothing is to be changed."""
        cursor = Arguments(arguments, cls)
        topic, settings = cursor.topic(), cursor.settings()
        grown, allowed = settings.pop("partitions", None), settings.pop("allow_key_move", "0")
        partitions = None if grown is None else read_integer("partitions", grown.encode(), minimum=1)
        if partitions is None and not settings:
            raise BadRequest(f"settings: none is given for {topic}; usage: {cls.COMMAND} {cls.USAGE}")
        return cls(topic, settings, partitions, read_choice("allow_key_move", allowed.encode(), _BOOLEANS))

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name or a value is not one word."""
        own = {"partitions": self.partitions, "allow_key_move": 1 if self.allow_key_move else None}
        return write_arguments(self.topic, **{**self.settings, **own})


@dataclass(frozen=True, slots=True)
class TopicShape:
    """What ADMIN_CREATE_TOPIC and ADMIN_ALTER_TOPIC answer."""

    topic: str
    partitions: int
    replication_factor: int
    term: int
    index: int

    def encode(self) -> bytes:
        """``topic= partitions= replication_factor= term= index=``."""
        return write_payload(
            topic=self.topic,
            partitions=self.partitions,
            replication_factor=self.replication_factor,
            term=self.term,
            index=self.index,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.text("topic"),
            fields.integer("partitions"),
            fields.integer("replication_factor"),
            fields.integer("term"),
            fields.integer("index"),
        )


@dataclass(frozen=True, slots=True)
class AboutTopic:
    """A command about one topic."""

    topic: str

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str] = "<topic>"

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.topic())
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic)


class DeleteTopic(AboutTopic):
    """Deletes a topic."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_DELETE_TOPIC"
    HELP: ClassVar[str] = (
        "Deletes a topic and all it holds; answered when its files are gone. Whoever waits for it is told UNKNOWN_TOPIC. A topic of the"
        " same name made later is another one, and begins at offset 0."
    )


@dataclass(frozen=True, slots=True)
class TopicDeleted:
    """It is gone, and so are its files."""

    topic: str
    term: int
    index: int

    def encode(self) -> bytes:
        """``topic= deleted=true term= index=``."""
        return write_payload(topic=self.topic, deleted=True, term=self.term, index=self.index)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or this is something else."""
        fields = Payload(payload)
        if not fields.boolean("deleted"):
            raise BadRequest(
                f"deleted: {shown(payload)} does not say that the topic is gone; is this a broker that speaks V1?"
            )
        return cls(fields.text("topic"), fields.integer("term"), fields.integer("index"))


@dataclass(frozen=True, slots=True)
class DeleteRecords:
    """Forgets a partition's records below an offset."""

    topic: str
    partition: int
    before: int

    COMMAND: ClassVar[str] = "ADMIN_DELETE_RECORDS"
    USAGE: ClassVar[str] = "<topic> <partition> <before offset>"
    HELP: ClassVar[str] = (
        "Forgets all records of a partition below an offset, and answers where its log starts from now on, which no crash undoes."
        " Offsets do not change. What is not committed yet cannot be deleted."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.topic(), cursor.integer("partition", minimum=0), cursor.integer("before offset", minimum=0))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the topic is not one word."""
        return write_arguments(self.topic, self.partition, self.before)


@dataclass(frozen=True, slots=True)
class RecordsDeleted:
    """Where the log starts now."""

    topic: str
    partition: int
    log_start: int

    def encode(self) -> bytes:
        """``topic= partition= log_start=``."""
        return write_payload(topic=self.topic, partition=self.partition, log_start=self.log_start)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.text("topic"), fields.integer("partition"), fields.integer("log_start"))


class DescribeTopic(AboutTopic):
    """Asks what a topic is made of."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_DESCRIBE_TOPIC"
    HELP: ClassVar[str] = (
        "Answers a topic's shape, and as percent-encoded JSON its id, the settings it was given, and per partition the leader, its"
        " epoch, the replicas, who is in sync, where the log starts and ends, the last committed offset and the size in bytes."
    )


@dataclass(frozen=True, slots=True)
class TopicDescribed:
    """A topic's shape, and the rest as JSON has it."""

    topic: str
    partitions: int
    replication_factor: int
    description: Mapping[str, Any]

    def encode(self) -> bytes:
        """``topic= partitions= replication_factor= json=``."""
        return write_payload(
            topic=self.topic,
            partitions=self.partitions,
            replication_factor=self.replication_factor,
            json=write_json(self.description),
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or is no JSON."""
        fields = Payload(payload)
        partitions, factor = fields.integer("partitions"), fields.integer("replication_factor")
        return cls(fields.text("topic"), partitions, factor, read_json(fields, dict))
