"""The metadata as one immutable value. A change makes the next image (:mod:`flux.cluster.changes`); what it leaves alone is shared, so
``is`` tells an observer what to skip.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flux.errors import BadRequest, UnknownTopic

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Fence(enum.Enum):
    """Why a broker leads nothing."""

    OPERATOR = "operator"  # stays until an operator lifts it
    SILENCE = "silence"  # the next heartbeat lifts it


@dataclass(frozen=True, slots=True)
class BrokerState:
    """A registered broker. ``epoch`` tells its incarnations apart; ``alive``: this incarnation was heard at least once."""

    id: int
    host: str
    port: int
    epoch: int
    alive: bool = False
    fenced_by: Fence | None = None

    @property
    def address(self) -> str:
        """Where clients reach it, as they write it in a bootstrap list."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def fenced(self) -> bool:
        """It may not lead, for whatever reason."""
        return self.fenced_by is not None

    @property
    def electable(self) -> bool:
        """It may lead."""
        return self.alive and self.fenced_by is None


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Who holds a partition (broker ids, the preferred leader first), who is in sync, who leads; since when, and what made it so.

    ``held``: an operator took its leader away; elections pass it by until an operator gives it one.
    """

    leader: int | None
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    cause: str = "created"
    since_ms: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. ``topic_id`` tells it from others that had or will have its name; ``term`` and ``index`` are its creation's."""

    name: str
    topic_id: str
    partitions: tuple[PartitionState, ...]
    replication_factor: int
    config: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    term: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted topic whose files are not all gone yet."""

    topic_id: str
    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Image:
    """All metadata. ``term`` rises when a controller takes over, ``index`` with every change; topics and tombstones by name and by id."""

    term: int = 0
    index: int = 0
    topics: Mapping[str, Topic] = field(default_factory=lambda: _NOTHING)
    brokers: Mapping[int, BrokerState] = field(default_factory=lambda: _NOTHING)
    tombstones: Mapping[str, Tombstone] = field(default_factory=lambda: _NOTHING)

    def topic(self, name: str) -> Topic:
        """:raises UnknownTopic: there is none of that name."""
        topic = self.topics.get(name)
        if topic is None:
            raise UnknownTopic(f"topic: {name} does not exist")
        return topic

    def partition(self, name: str, number: int) -> PartitionState:
        """:raises UnknownTopic: no such topic. :raises BadRequest: it has no such partition."""
        partitions = self.topic(name).partitions
        if not 0 <= number < len(partitions):
            raise BadRequest(
                f"partition: {number} is not one of the {len(partitions)} partitions of {name}, 0 to {len(partitions) - 1}"
            )
        return partitions[number]

    def broker(self, broker_id: int) -> BrokerState:
        """:raises BadRequest: it is not registered."""
        broker = self.brokers.get(broker_id)
        if broker is None:
            raise BadRequest(f"broker id: {broker_id} is not registered; ADMIN_REGISTER_BROKER comes first")
        return broker
