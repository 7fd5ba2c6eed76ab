"""Image ↔ JSON."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.cluster import changes
from flux.cluster.codec import Encoder, decode, encode
from flux.cluster.image import BrokerState, Fence, Image, PartitionState, Tombstone, Topic
from flux.errors import StorageError
from tests.cluster.images import TP, brokers, with_topic

_names = st.text("abcXYZ019._-", min_size=1, max_size=12)
_whole = st.integers(0, 1 << 40)
_ids = st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(tuple)
_states = st.builds(
    PartitionState,
    st.none() | st.integers(0, 9),
    st.integers(-1, 1 << 31),
    _ids,
    _ids,
    st.text(),
    _whole,
    st.booleans(),
)
_topics = st.builds(
    Topic,
    _names,
    _names,
    st.lists(_states, min_size=1, max_size=3).map(tuple),
    st.integers(1, 9),
    st.dictionaries(_names, st.text()),
    _whole,
    _whole,
)
_brokers = st.builds(
    BrokerState, st.integers(0, 99), st.text(), _whole, _whole, st.booleans(), st.none() | st.sampled_from(Fence)
)
_tombstones = st.builds(Tombstone, _names, _names, st.integers(1, 99))
_images = st.builds(
    Image,
    _whole,
    _whole,
    st.lists(_topics, max_size=3).map(lambda topics: {topic.name: topic for topic in topics}),
    st.lists(_brokers, max_size=3).map(lambda known: {broker.id: broker for broker in known}),
    st.lists(_tombstones, max_size=3).map(lambda stones: {stone.topic_id: stone for stone in stones}),
)


def sample() -> dict[str, Any]:
    """One of everything, as it stands in the file."""
    image = with_topic(with_topic(brokers(0, 1), factor=2, retention_ms="5"), "gone")
    image = changes.fence_brokers(changes.delete_topic(image, "gone"), [1], Fence.OPERATOR, 0)
    data: dict[str, Any] = json.loads(json.dumps(encode(changes.take_leader(image, TP, 9))))
    return data


class CodecTests(SynchronousTestCase):
    """What is written is read again, and damage is named."""

    @given(_images)
    def test_round_trip(self, image: Image) -> None:
        """Any image comes back from its JSON as it was."""
        self.assertEqual(decode(json.loads(json.dumps(encode(image)))), image)

    @given(st.lists(_images, max_size=4))
    def test_encoding_one_after_another_is_the_same(self, images: list[Image]) -> None:
        """What is taken over from the image before is what would be encoded anew."""
        encoder = Encoder()
        for image in [*images, *images]:
            self.assertEqual(encoder.encode(image), encode(image))

    def test_nothing_is_the_empty_image(self) -> None:
        """Before the first start there is no file."""
        self.assertEqual(decode({}), Image())

    def test_unknown_fields_are_passed_over(self) -> None:
        """A newer broker may have written more, at every level."""
        data = sample()
        for place in (data, data["topics"]["orders"], data["topics"]["orders"]["partitions"][0], data["brokers"]["1"]):
            place["colour"] = {"later": True}
        self.assertEqual(decode(data), decode(sample()))

    def test_a_later_version_is_not_guessed_at(self) -> None:
        """It says who could read it."""
        self.assertIn("later", str(self.assertRaises(StorageError, decode, {**sample(), "version": 2})))

    def test_every_missing_field_is_named(self) -> None:
        """Wherever it is missing, the message says which and where."""
        for path in _paths(sample()):
            data = sample()
            _at(data, path[:-1]).pop(path[-1])
            if path[:-1] in (("topics",), ("brokers",), ("tombstones",), ("topics", "orders", "config")):
                decode(data)  # one entry less is no damage
                continue
            message = str(self.assertRaises(StorageError, decode, data))
            self.assertIn(f"{path[-1]} is missing", message)

    def test_every_field_of_the_wrong_kind_is_named(self) -> None:
        """Numbers for text, text for numbers, null for anything that must be there."""
        for path in _paths(sample()):
            for wrong in (None, [], {}, "x", -2, 1.5, True, [None], {"a": 1}):
                data = sample()
                _at(data, path[:-1])[path[-1]] = wrong
                try:
                    decode(data)
                except StorageError as error:
                    self.assertIn(str(path[-1]), str(error))

    def test_a_wrong_number_is_damage(self) -> None:
        """Negative ids, epochs and counts, booleans for integers."""
        for path, wrong in (
            (("index",), -1),
            (("term",), True),
            (("topics", "orders", "replication_factor"), 0),
            (("topics", "orders", "partitions"), []),
            (("topics", "orders", "config", "retention.ms"), 5),
            (("topics", "orders", "partitions", 0, "leader_epoch"), -2),
            (("topics", "orders", "partitions", 0, "isr"), [-1]),
            (("brokers", "1", "fenced_by"), "rain"),
        ):
            data = sample()
            _at(data, path[:-1])[path[-1]] = wrong
            self.assertIn(str(path[-1]), str(self.assertRaises(StorageError, decode, data)))


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key of every object in *data*."""
    found: list[tuple[Any, ...]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        if isinstance(data, dict):
            found.append((*path, key))
        found += _paths(value, (*path, key))
    return found


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data
