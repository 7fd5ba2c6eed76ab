"""Image ↔ the dictionary ``metadata.json`` holds. Pure.

Written to be read by people. Unknown fields are passed over, so that a newer broker's file can be read; what is missing or of the wrong
kind is an error that names its place.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flux.cluster.image import BrokerState, Fence, Image, PartitionState, Tombstone, Topic
from flux.errors import StorageError

VERSION = 1
T = TypeVar("T")


def encode(image: Image) -> dict[str, Any]:
    """*image* as JSON would have it."""
    return _encode(image, {topic.name: _encode_topic(topic) for topic in image.topics.values()})


class Encoder:
    """Encodes one image after another, and of each only the topics that are not the objects they were in the one before."""

    def __init__(self) -> None:
        self._topics: dict[str, tuple[Topic, dict[str, Any]]] = {}

    def encode(self, image: Image) -> dict[str, Any]:
        """*image* as JSON would have it. Parts are shared with earlier answers: not to be changed."""
        known = self._topics
        self._topics = {
            name: known[name] if name in known and known[name][0] is topic else (topic, _encode_topic(topic))
            for name, topic in image.topics.items()
        }
        return _encode(image, {name: encoded for name, (_, encoded) in self._topics.items()})


def decode(data: Mapping[str, Any]) -> Image:
    """The image *data* holds; nothing at all is the empty image. :raises StorageError: names the field that is damaged."""
    if not data:
        return Image()
    root = _Fields("metadata", data)
    version = root.integer("version", 1)
    if version > VERSION:
        raise StorageError(f"metadata: version {version} was written by a later Flux; this one reads up to {VERSION}")
    return Image(
        root.integer("term", 0),
        root.integer("index", 0),
        root.map("topics", _decode_topic),
        {broker.id: broker for broker in root.map("brokers", _decode_broker).values()},
        root.map("tombstones", _decode_tombstone),
    )


def _encode(image: Image, topics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "term": image.term,
        "index": image.index,
        "brokers": {str(broker.id): _encode_broker(broker) for broker in image.brokers.values()},
        "topics": topics,
        "tombstones": {
            stone.topic_id: {"topic": stone.topic, "partitions": stone.partitions}
            for stone in image.tombstones.values()
        },
    }


def _encode_broker(broker: BrokerState) -> dict[str, Any]:
    fenced_by = None if broker.fenced_by is None else broker.fenced_by.value
    return {
        "host": broker.host,
        "port": broker.port,
        "epoch": broker.epoch,
        "alive": broker.alive,
        "fenced_by": fenced_by,
    }


def _encode_topic(topic: Topic) -> dict[str, Any]:
    return {
        "topic_id": topic.topic_id,
        "replication_factor": topic.replication_factor,
        "term": topic.term,
        "index": topic.index,
        "config": dict(topic.config),
        "partitions": [_encode_partition(state) for state in topic.partitions],
    }


def _encode_partition(state: PartitionState) -> dict[str, Any]:
    return {
        "leader": state.leader,
        "leader_epoch": state.leader_epoch,
        "replicas": list(state.replicas),
        "isr": list(state.isr),
        "cause": state.cause,
        "since_ms": state.since_ms,
        "held": state.held,
    }


def _decode_broker(key: str, fields: "_Fields") -> BrokerState:
    if not (key.isascii() and key.isdigit()):
        raise fields.damaged("the broker id", key)
    fenced_by = fields.value("fenced_by")
    if fenced_by not in (None, *(fence.value for fence in Fence)):
        raise fields.damaged("fenced_by", fenced_by)
    return BrokerState(
        int(key),
        fields.text("host"),
        fields.integer("port", 0),
        fields.integer("epoch", 0),
        fields.boolean("alive"),
        None if fenced_by is None else Fence(fenced_by),
    )


def _decode_topic(name: str, fields: "_Fields") -> Topic:
    config = fields.of("config", dict)
    for setting, value in config.items():
        if not isinstance(value, str):
            raise fields.damaged(f"config.{setting}", value)
    partitions = tuple(
        _decode_partition(_Fields(f"{fields.place}.partitions[{number}]", state))
        for number, state in enumerate(fields.of("partitions", list))
    )
    if not partitions:
        raise fields.damaged("partitions", [])
    return Topic(
        name,
        fields.text("topic_id"),
        partitions,
        fields.integer("replication_factor", 1),
        config,
        fields.integer("term", 0),
        fields.integer("index", 0),
    )


def _decode_partition(fields: "_Fields") -> PartitionState:
    leader = None if fields.value("leader") is None else fields.integer("leader", 0)
    return PartitionState(
        leader,
        fields.integer("leader_epoch", -1),
        fields.ids("replicas"),
        fields.ids("isr"),
        fields.text("cause"),
        fields.integer("since_ms", 0),
        fields.boolean("held"),
    )


def _decode_tombstone(topic_id: str, fields: "_Fields") -> Tombstone:
    return Tombstone(topic_id, fields.text("topic"), fields.integer("partitions", 1))


class _Fields:
    """One JSON object and where it stands."""

    def __init__(self, place: str, data: Any) -> None:
        self.place = place
        if not isinstance(data, Mapping):
            raise StorageError(f"{place}: {data!r:.80} is not an object")
        self._data = data

    def damaged(self, name: str, value: Any) -> StorageError:
        """The error that names field *name* of this object."""
        return StorageError(f"{self.place}.{name}: {value!r:.80} cannot be right")

    def value(self, name: str) -> Any:
        if name not in self._data:
            raise StorageError(f"{self.place}.{name} is missing")
        return self._data[name]

    def of(self, name: str, kind: type[T]) -> T:
        value = self.value(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.damaged(name, value)
        return value

    def text(self, name: str) -> str:
        return self.of(name, str)

    def boolean(self, name: str) -> bool:
        return self.of(name, bool)

    def integer(self, name: str, minimum: int) -> int:
        value = self.of(name, int)
        if value < minimum:
            raise self.damaged(name, value)
        return value

    def ids(self, name: str) -> tuple[int, ...]:
        values = self.of(name, list)
        if not values or any(isinstance(value, bool) or not isinstance(value, int) or value < 0 for value in values):
            raise self.damaged(name, values)
        return tuple(values)

    def map(self, name: str, read: Callable[[str, "_Fields"], T]) -> dict[str, T]:
        return {
            key: read(key, _Fields(f"{self.place}.{name}.{key}", value)) for key, value in self.of(name, dict).items()
        }
