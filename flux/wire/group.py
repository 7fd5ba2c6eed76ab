"""The group family, as consumers speak it: membership and committed offsets. :mod:`flux.wire.group_admin` is for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from flux.errors import BadRequest
from flux.wire.encoding import shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload


@dataclass(frozen=True, slots=True)
class Join:
    """Becomes, or stays, a member of a group on a topic. No assignor: the group's own. No session: the broker's default."""

    group: str
    topic: str
    member: str
    assignor: str | None = None
    session_ms: int | None = None

    COMMAND: ClassVar[str] = "JOIN"
    USAGE: ClassVar[str] = "<group> <topic> <consumer id> [assignor=round_robin|range] [session_ms=]"
    HELP: ClassVar[str] = (
        "Makes a consumer a member of a group on a topic, or shows that it still is one, and answers the group's generation on that"
        " topic and the partitions the member owns in it. Join again on GENERATION_MISMATCH. A member silent for longer than its"
        " session is expelled; JOIN, SYNC, HEARTBEAT and COMMIT are signs of life."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        group, topic, member = cursor.name("group"), cursor.topic(), cursor.name("consumer id")
        options = cursor.options("assignor", "session_ms")
        return cls(group, topic, member, options.name("assignor", None), options.integer("session_ms", None, minimum=1))

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name is not one word."""
        return write_arguments(self.group, self.topic, self.member, assignor=self.assignor, session_ms=self.session_ms)


@dataclass(frozen=True, slots=True)
class Membership:
    """Who speaks, and as of which generation: what SYNC, HEARTBEAT and LEAVE say."""

    group: str
    topic: str
    member: str
    generation: int

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str] = "<group> <topic> <consumer id> <generation>"

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(
            cursor.name("group"), cursor.topic(), cursor.name("consumer id"), cursor.integer("generation", minimum=0)
        )
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name is not one word."""
        return write_arguments(self.group, self.topic, self.member, self.generation)


class Sync(Membership):
    """Asks what the member owns."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "SYNC"
    HELP: ClassVar[str] = "Answers the partitions a member owns in the current generation; a sign of life."


class Heartbeat(Membership):
    """A sign of life."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "HEARTBEAT"
    HELP: ClassVar[str] = (
        "A sign of life, several times a session. GENERATION_MISMATCH says that the group has been rebalanced: JOIN again."
    )


class Leave(Membership):
    """Goes."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "LEAVE"
    HELP: ClassVar[str] = "Ends a membership at once; the others share its partitions in the next generation."


@dataclass(frozen=True, slots=True)
class Commit:
    """The next offset to read in a partition the member owns."""

    group: str
    topic: str
    member: str
    generation: int
    partition: int
    offset: int

    COMMAND: ClassVar[str] = "COMMIT"
    USAGE: ClassVar[str] = "<group> <topic> <consumer id> <generation> <partition> <offset>"
    HELP: ClassVar[str] = (
        "Remembers the next offset a group reads in a partition, which is the last one handled plus one. Answered when it is"
        " durable; refused from a member that is no longer in the current generation or does not own the partition."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(
            cursor.name("group"),
            cursor.topic(),
            cursor.name("consumer id"),
            cursor.integer("generation", minimum=0),
            cursor.integer("partition", minimum=0),
            cursor.integer("offset", minimum=0),
        )
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name is not one word."""
        return write_arguments(self.group, self.topic, self.member, self.generation, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Offset:
    """Asks where a group goes on in a partition."""

    group: str
    topic: str
    partition: int

    COMMAND: ClassVar[str] = "OFFSET"
    USAGE: ClassVar[str] = "<group> <topic> <partition>"
    HELP: ClassVar[str] = (
        "Answers the offset a group committed last in a partition; if it never did, the partition's first one and committed=false."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.name("group"), cursor.topic(), cursor.integer("partition", minimum=0))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name is not one word."""
        return write_arguments(self.group, self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a member owns in a generation."""

    generation: int
    partitions: Sequence[int]

    def encode(self) -> bytes:
        """``generation= assigned=[…]``."""
        return write_payload(generation=self.generation, assigned=self.partitions)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.integer("generation"), fields.integers("assigned"))


@dataclass(frozen=True, slots=True)
class Alive:
    """The heartbeat was heard."""

    def encode(self) -> bytes:
        """``heartbeat=ok``."""
        return write_payload(heartbeat="ok")

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is something else."""
        _must_read("heartbeat", "ok", payload)
        return cls()


@dataclass(frozen=True, slots=True)
class Left:
    """The member is gone."""

    def encode(self) -> bytes:
        """``left=true``."""
        return write_payload(left=True)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is something else."""
        _must_read("left", "true", payload)
        return cls()


@dataclass(frozen=True, slots=True)
class Committed:
    """The offset is durable."""

    def encode(self) -> bytes:
        """``committed=true``."""
        return write_payload(committed=True)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: this is something else."""
        _must_read("committed", "true", payload)
        return cls()


@dataclass(frozen=True, slots=True)
class NextOffset:
    """Where a group goes on, and whether it ever said so."""

    offset: int
    committed: bool

    def encode(self) -> bytes:
        """``offset= committed=``."""
        return write_payload(offset=self.offset, committed=self.committed)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.integer("offset"), fields.boolean("committed"))


def _must_read(field: str, value: str, payload: bytes) -> None:
    if Payload(payload).text(field) != value:
        raise BadRequest(f"{field}: {shown(payload)} does not say {value}; is this a broker that speaks V1?")
