"""The group family, as people speak it: which groups there are, how far behind they are, why they rebalanced, and sending one elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from flux.errors import BadRequest
from flux.wire.encoding import percent_encoded, shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload
from flux.wire.values import read_integer, read_text

_ENDS = ("earliest", "latest")
_POINTS = ("offset", "time")
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_NONE = "none"  # in a list of offsets: there was none


@dataclass(frozen=True, slots=True)
class GroupList:
    """Asks which groups there are."""

    COMMAND: ClassVar[str] = "GROUP_LIST"
    USAGE: ClassVar[str] = ""
    HELP: ClassVar[str] = (
        "Answers the names of all groups, and as percent-encoded JSON each one's state (rebalancing, stable, empty), number of"
        " members and topics."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: there are arguments."""
        Arguments(arguments, cls).end()
        return cls()

    def encode(self) -> bytes:
        """No arguments."""
        return b""


@dataclass(frozen=True, slots=True)
class About:
    """A question about one group."""

    group: str

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str] = "<group>"

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.name("group"))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the name is not one word."""
        return write_arguments(self.group)


class GroupDescribe(About):
    """Asks who is in a group, what each owns, and how far behind it is."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "GROUP_DESCRIBE"
    HELP: ClassVar[str] = (
        "Answers a group's state, its number of members and its lag in records, and as percent-encoded JSON, per topic, the members"
        " with what each owns, and per partition the committed offset, the log's ends and the lag in records and in seconds."
    )


class ExplainGroup(About):
    """Asks why a group rebalanced."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "EXPLAIN_GROUP"
    HELP: ClassVar[str] = (
        "Answers, as percent-encoded JSON, the last changes of generation of a group, oldest first: when, on which topic, the cause,"
        " whose doing it was with the age of its last sign of life, and what was before and after."
    )


@dataclass(frozen=True, slots=True)
class GroupReset:
    """Moves every committed offset of a group on a topic. ``value`` is the offset or the time, None for the two ends."""

    group: str
    topic: str
    where: str
    value: int | None = None
    dry_run: bool = False

    COMMAND: ClassVar[str] = "GROUP_RESET"
    USAGE: ClassVar[str] = "<group> <topic> to=earliest|latest|offset:<n>|time:<unix ms> [dry_run=1]"
    HELP: ClassVar[str] = (
        "Moves what a group has committed on a topic, in all partitions at once, and never outside what they hold: to the first"
        " record, past the last one, to an offset, or to the first record that is not older than a time. Consumers that are reading"
        " are fenced: they get GENERATION_MISMATCH, join again and go on from there. With dry_run=1 only says what it would do."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        group, topic = cursor.name("group"), cursor.topic()
        options = cursor.options("to", "dry_run")
        where, value = _read_target(options.word("to"))
        return cls(group, topic, where, value, options.choice("dry_run", _BOOLEANS, False))

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: a name is not one word."""
        to = self.where if self.value is None else f"{self.where}:{self.value}"
        return write_arguments(self.group, self.topic, to=to, dry_run=1 if self.dry_run else None)


@dataclass(frozen=True, slots=True)
class GroupListed:
    """Names, and what :meth:`flux.interfaces.IGroupCoordinator.groups` says of each."""

    groups: Sequence[Mapping[str, Any]]

    def encode(self) -> bytes:
        """``groups=[…] json=``, names percent-encoded, so that a bracket in one does not end the list."""
        names = [percent_encoded(str(one["group"]).encode()) for one in self.groups]
        return write_payload(groups=names, json=_to_json(self.groups))

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or is no JSON."""
        return cls(_from_json(payload, list))


@dataclass(frozen=True, slots=True)
class GroupDescribed:
    """What :meth:`flux.interfaces.IGroupCoordinator.describe` says."""

    description: Mapping[str, Any]

    def encode(self) -> bytes:
        """``group= state= members= lag= json=``; the lag is the sum of what is known."""
        described = self.description
        lags = [partition["lag"] or 0 for topic in described["topics"] for partition in topic["partitions"]]
        return write_payload(
            group=described["group"],
            state=described["state"],
            members=described["members"],
            lag=sum(lags),
            json=_to_json(described),
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or is no JSON."""
        return cls(_from_json(payload, dict))


@dataclass(frozen=True, slots=True)
class GroupExplained:
    """What :meth:`flux.interfaces.IGroupCoordinator.explain` says."""

    group: str
    events: Sequence[Mapping[str, Any]]

    def encode(self) -> bytes:
        """``group= json=``."""
        return write_payload(group=self.group, json=_to_json(self.events))

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or is no JSON."""
        return cls(Payload(payload).text("group"), _from_json(payload, list))


@dataclass(frozen=True, slots=True)
class GroupMoved:
    """What a reset did, or would do: the generation in force, and partition by partition the offset before (None: none) and after."""

    group: str
    topic: str
    generation: int
    dry_run: bool
    before: Sequence[int | None]
    after: Sequence[int]

    def encode(self) -> bytes:
        """``group= topic= generation= dry_run= before=[…] after=[…]``, in order of partitions."""
        before = [_NONE if offset is None else offset for offset in self.before]
        return write_payload(
            group=self.group,
            topic=self.topic,
            generation=self.generation,
            dry_run=self.dry_run,
            before=before,
            after=self.after,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        before = [None if word == _NONE else read_integer("before", word.encode()) for word in fields.texts("before")]
        return cls(
            fields.text("group"),
            fields.text("topic"),
            fields.integer("generation"),
            fields.boolean("dry_run"),
            tuple(before),
            fields.integers("after"),
        )


def _read_target(word: bytes) -> tuple[str, int | None]:
    name, colon, value = word.partition(b":")
    where = name.lower().decode("latin-1")
    if where in _ENDS and not colon:
        return where, None
    if where in _POINTS and colon:
        return where, read_integer(f"to={where}", value, minimum=0)
    raise BadRequest(f"to: {shown(word)} is not known here; use earliest, latest, offset:<n> or time:<unix ms>")


def _to_json(value: object) -> bytes:
    return percent_encoded(json.dumps(value, separators=(",", ":")).encode())


def _from_json(payload: bytes, kind: type) -> Any:
    text = Payload(payload).percent("json")
    try:
        value = json.loads(read_text("json", text))
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise BadRequest(f"json: {shown(text)} is not what this command answers; is this a broker that speaks V1?")
    return value
