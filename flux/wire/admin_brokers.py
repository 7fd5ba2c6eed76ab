"""The admin family's brokers: they register, are heard, are fenced; and what there is.

``term`` and ``index`` in an answer are those of the entry in the metadata's store that made the change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from flux.errors import BadRequest
from flux.wire.encoding import shown
from flux.wire.fields import Arguments, Payload, write_arguments, write_payload

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class RegisterBroker:
    """A broker, or a later incarnation of it. No epoch: the broker's own count, which another address raises."""

    broker_id: int
    host: str
    port: int
    epoch: int | None = None

    COMMAND: ClassVar[str] = "ADMIN_REGISTER_BROKER"
    USAGE: ClassVar[str] = "<id> <host> <port> [epoch]"
    HELP: ClassVar[str] = (
        "Makes a broker known under an address. It leads nothing before its first heartbeat, and registering it moves no leader. The"
        " epoch tells the incarnations of a broker apart; one below the registered one is refused."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(
            cursor.integer("broker id", minimum=0),
            cursor.name("host"),
            cursor.integer("port", minimum=1, maximum=_MAX_PORT),
            cursor.integer("epoch", minimum=0) if cursor.more else None,
        )
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: the host is not one word."""
        epoch = () if self.epoch is None else (self.epoch,)
        return write_arguments(self.broker_id, self.host, self.port, *epoch)


@dataclass(frozen=True, slots=True)
class BrokerRegistered:
    """A broker and its address."""

    broker_id: int
    host: str
    port: int
    term: int
    index: int

    def encode(self) -> bytes:
        """``broker_id= host= port= term= index=``."""
        return write_payload(broker_id=self.broker_id, host=self.host, port=self.port, term=self.term, index=self.index)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.integer("broker_id"),
            fields.text("host"),
            fields.integer("port"),
            fields.integer("term"),
            fields.integer("index"),
        )


@dataclass(frozen=True, slots=True)
class AboutBroker:
    """A command about one broker."""

    broker_id: int

    COMMAND: ClassVar[str]
    USAGE: ClassVar[str] = "<id>"

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.integer("broker id", minimum=0))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The arguments."""
        return write_arguments(self.broker_id)


class BrokerHeartbeat(AboutBroker):
    """A sign of life."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_BROKER_HEARTBEAT"
    HELP: ClassVar[str] = (
        "A sign of life of a registered broker, which may lead from then on. One that is silent for broker_timeout_ms is fenced"
        " until its next heartbeat. A heartbeat that changes nothing leaves term and index as they are."
    )


@dataclass(frozen=True, slots=True)
class BrokerAlive:
    """The heartbeat was heard."""

    broker_id: int
    term: int
    index: int

    def encode(self) -> bytes:
        """``broker_id= heartbeat=ok term= index=``."""
        return write_payload(broker_id=self.broker_id, heartbeat="ok", term=self.term, index=self.index)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing, or this is something else."""
        fields = Payload(payload)
        if fields.text("heartbeat") != "ok":
            raise BadRequest(f"heartbeat: {shown(payload)} does not say ok; is this a broker that speaks V1?")
        return cls(fields.integer("broker_id"), fields.integer("term"), fields.integer("index"))


class FenceBroker(AboutBroker):
    """Keeps a broker from leading."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_FENCE_BROKER"
    HELP: ClassVar[str] = (
        "Keeps a broker from leading until ADMIN_UNFENCE_BROKER, over restarts too; heartbeats do not lift it. What it leads goes to"
        " others who are in sync; where there is nobody, nobody leads."
    )


class UnfenceBroker(AboutBroker):
    """Lets a broker lead again."""

    __slots__ = ()
    COMMAND: ClassVar[str] = "ADMIN_UNFENCE_BROKER"
    HELP: ClassVar[str] = (
        "Lets a broker lead again, for whatever reason it was fenced. It takes up what nobody leads; ADMIN_ELECT_TOPIC_LEADERS"
        " gives it back what it preferably leads."
    )


@dataclass(frozen=True, slots=True)
class BrokerFenced:
    """Whether a broker is kept from leading."""

    broker_id: int
    fenced: bool
    term: int
    index: int

    def encode(self) -> bytes:
        """``broker_id= fenced= term= index=``."""
        return write_payload(broker_id=self.broker_id, fenced=self.fenced, term=self.term, index=self.index)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(
            fields.integer("broker_id"), fields.boolean("fenced"), fields.integer("term"), fields.integer("index")
        )


@dataclass(frozen=True, slots=True)
class ReconcileBrokerHealth:
    """Looks now who is silent."""

    timeout_ms: int

    COMMAND: ClassVar[str] = "ADMIN_RECONCILE_BROKER_HEALTH"
    USAGE: ClassVar[str] = "<timeout ms>"
    HELP: ClassVar[str] = (
        "Fences every broker that was silent for so long, lifts the fence of those fenced for silence that were not, and answers how"
        " many changed. The broker does so by itself, with broker_timeout_ms."
    )

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        found = cls(cursor.integer("timeout ms", minimum=1))
        cursor.end()
        return found

    def encode(self) -> bytes:
        """The argument."""
        return write_arguments(self.timeout_ms)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many brokers changed."""

    reconciled: int

    def encode(self) -> bytes:
        """``reconciled=``."""
        return write_payload(reconciled=self.reconciled)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: the field is missing."""
        return cls(Payload(payload).integer("reconciled"))


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """Asks what there is."""

    COMMAND: ClassVar[str] = "ADMIN_GET_METADATA"
    USAGE: ClassVar[str] = ""
    HELP: ClassVar[str] = (
        "Answers the names of all topics, and the ids of all registered brokers and of the fenced ones."
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
class Metadata:
    """What there is, sorted."""

    topics: Sequence[str]
    brokers: Sequence[int]
    fenced: Sequence[int]

    def encode(self) -> bytes:
        """``topics=[…] brokers=[…] fenced=[…]``."""
        return write_payload(topics=self.topics, brokers=self.brokers, fenced=self.fenced)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.texts("topics"), fields.integers("brokers"), fields.integers("fenced"))
