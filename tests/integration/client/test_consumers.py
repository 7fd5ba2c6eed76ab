"""What the consumers of every face promise."""

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flux.client import ConsumerOptions, Record
from flux.client.calls import produce
from flux.errors import FluxError, OffsetOutOfRange
from flux.model import TopicPartition
from tests.integration.broker import BrokerProcess
from tests.integration.client.faces import PATIENCE_S, Face, World


@pytest.fixture
def topic() -> str:
    """Of this case alone."""
    return f"t-{uuid.uuid4().hex}"


@pytest.fixture
def face(world: World, broker: BrokerProcess) -> Face:
    """A client of the broker."""
    return world.face(f"127.0.0.1:{broker.port}")


def fill(face: Face, topic: str, count: int, start: int = 0) -> None:
    """Records over all partitions, numbered in their values."""
    for outcome in face.send_all([produce(topic, str(number), str(number)) for number in range(start, start + count)]):
        assert not isinstance(outcome, FluxError), outcome


class Handler:
    """Notes what it is given; others wait until there is enough."""

    def __init__(self, then: Callable[[Record], Any] = lambda record: None) -> None:
        self.records: list[Record] = []
        self._then = then
        self._changed = threading.Condition()

    def __call__(self, record: Record) -> Any:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()
        return self._then(record)

    @property
    def numbers(self) -> list[int]:
        return [int(record.value or b"") for record in self.records]

    def wait_for(self, count: int) -> None:
        """At least so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.records) >= count, PATIENCE_S), self.records


class Partitions:
    """What a consumer is told to own."""

    def __init__(self) -> None:
        self.owned: set[TopicPartition] = set()
        self.told: list[str] = []
        self._changed = threading.Condition()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        with self._changed:
            assert not self.owned & set(partitions)
            self.owned |= set(partitions)
            self.told.append("assigned")
            self._changed.notify_all()

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        with self._changed:
            assert self.owned >= set(partitions)
            self.owned -= set(partitions)
            self.told.append("revoked")
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Just so many owned."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.owned) == count, PATIENCE_S), self.owned


def committed(face: Face, group: str, topic: str) -> list[int | None]:
    """By partition."""
    found = [face.offset(group, topic, partition) for partition in range(3)]
    return [each.offset if each.committed else None for each in found]


def test_a_handler_gets_every_record_and_what_it_handled_is_committed(face: Face, topic: str) -> None:
    """Over several topics, in order per partition; the next member of the group goes on behind it."""
    other = f"{topic}-too"
    fill(face, topic, 100)
    fill(face, other, 50, 100)
    handler = Handler()
    consumer = face.made("consumer", topic, [topic, other])
    running = consumer.start("run", handler)
    handler.wait_for(150)
    consumer.close()
    running.result(PATIENCE_S)
    assert sorted(handler.numbers) == list(range(150))
    for name in (topic, other):
        ends = [face.offsets(name, partition, "latest").offset for partition in range(3)]
        assert committed(face, topic, name) == [end or None for end in ends]
        for partition in range(3):
            seen = [record.offset for record in handler.records if record[:2] == (name, partition)]
            assert seen == sorted(seen)
    fill(face, topic, 10, 1000)
    handler = Handler()
    consumer = face.made("consumer", topic, topic)
    consumer.start("run", handler)
    handler.wait_for(10)
    consumer.close()
    assert sorted(handler.numbers) == list(range(1000, 1010))


def test_iterating_hands_out_one_after_the_other(face: Face, topic: str) -> None:
    """What the next one was asked for behind is handled; the last one is not."""
    fill(face, topic, 20)
    consumer = face.made("consumer", "g-" + topic, topic)
    step = "__next__" if hasattr(consumer.target, "__next__") else "__anext__"
    taken = [getattr(consumer, step)() for _ in range(20)]
    assert sorted(int(record.value) for record in taken) == list(range(20))
    consumer.close()
    handled = sum(offset or 0 for offset in committed(face, "g-" + topic, topic))
    assert handled == 19


def test_who_wants_no_next_one_says_that_the_last_one_is_handled(face: Face, topic: str) -> None:
    """And then it is committed."""
    fill(face, topic, 3)
    consumer = face.made("consumer", "g-" + topic, topic)
    step = "__next__" if hasattr(consumer.target, "__next__") else "__anext__"
    for _ in range(3):
        getattr(consumer, step)()
    consumer.handled()
    consumer.close()
    assert sum(offset or 0 for offset in committed(face, "g-" + topic, topic)) == 3


def test_a_handler_that_fails_gets_the_record_again_and_then_it_is_the_end(face: Face, topic: str) -> None:
    """What came before it is committed, it is not."""
    partition = face.produce(topic, "k", "0").partition
    for number in range(1, 5):
        face.produce(topic, "k", str(number))

    def fails(record: Record) -> None:
        if record.offset == 2:
            raise ValueError("2 is too much")

    handler = Handler(fails)
    consumer = face.made("consumer", "g-" + topic, topic, ConsumerOptions(max_retries=2, backoff_ms=10))
    with pytest.raises(ValueError, match="too much"):
        consumer.run(handler)
    consumer.close()
    assert handler.numbers == [0, 1, 2, 2, 2]
    assert face.offset("g-" + topic, topic, partition).offset == 2


def test_members_share_the_partitions(face: Face, world: World, broker: BrokerProcess, topic: str) -> None:
    """Whoever comes takes some, whoever goes leaves them; each is told."""
    fill(face, topic, 1)
    options = ConsumerOptions(heartbeat_ms=50)
    first, second = Partitions(), Partitions()
    one = face.made("consumer", topic, topic, options, member="a", on_assign=first.assign, on_revoke=first.revoke)
    one_runs = one.start("run", Handler())
    first.wait_for(3)
    assert one.target.assignment == tuple(TopicPartition(topic, partition) for partition in range(3))
    other_face = world.face(f"127.0.0.1:{broker.port}")
    other = other_face.made(
        "consumer", topic, topic, options, member="b", on_assign=second.assign, on_revoke=second.revoke
    )
    other_runs = other.start("run", Handler())
    second.wait_for(1)  # round robin, members in the order of their names
    first.wait_for(2)
    assert not first.owned & second.owned
    one.close()
    one_runs.result(PATIENCE_S)
    second.wait_for(3)
    assert first.owned == set()
    other.close()
    other_runs.result(PATIENCE_S)
    assert second.owned == set()
    assert (first.told, second.told[0]) == (["assigned", "revoked", "revoked"], "assigned")


def test_a_slow_handler_keeps_its_partitions(face: Face, world: World, topic: str) -> None:
    """It takes five sessions for one record; signs of life are given all the while."""
    fill(face, topic, 1)
    partitions = Partitions()
    options = ConsumerOptions(session_ms=400, heartbeat_ms=100)
    slow = Handler(lambda record: world.pause(2.0))
    consumer = face.made("consumer", topic, topic, options, on_assign=partitions.assign, on_revoke=partitions.revoke)
    running = consumer.start("run", slow)
    slow.wait_for(1)
    fill(face, topic, 1, 1)
    slow.wait_for(2)
    assert partitions.told == ["assigned"]
    consumer.close()
    running.result(PATIENCE_S)
    assert slow.numbers == [0, 1]


def test_a_reset_sends_running_consumers_back(face: Face, topic: str) -> None:
    """They join again and go on from where the operator sent them."""
    fill(face, topic, 9)
    handler = Handler()
    consumer = face.made("consumer", topic, topic, ConsumerOptions(heartbeat_ms=50, commit_interval_ms=0))
    consumer.start("run", handler)
    handler.wait_for(9)
    face.group_reset(topic, topic, "earliest")
    handler.wait_for(18)
    consumer.close()
    assert sorted(handler.numbers) == sorted([*range(9), *range(9)])


def test_where_nothing_is_committed_the_options_say_where_to_begin(face: Face, topic: str) -> None:
    """At the end, or not at all."""
    fill(face, topic, 9)
    partitions, handler = Partitions(), Handler()
    consumer = face.made(
        "consumer", topic, topic, ConsumerOptions(auto_offset_reset="latest"), on_assign=partitions.assign
    )
    consumer.start("run", handler)
    partitions.wait_for(3)
    while any(consumer.position(topic, partition) is None for partition in range(3)):
        face.ping()
    fill(face, topic, 5, 100)
    handler.wait_for(5)
    consumer.close()
    assert sorted(handler.numbers) == list(range(100, 105))
    consumer = face.made("consumer", f"{topic}-2", topic, ConsumerOptions(auto_offset_reset="error"))
    with pytest.raises(OffsetOutOfRange):
        consumer.run(Handler())
    consumer.close()


def test_a_consumer_is_sent_elsewhere_and_halted(face: Face, topic: str) -> None:
    """By its caller, partition by partition; those that are not its own, not."""
    partition = face.produce(topic, "k", "0").partition
    for number in range(1, 10):
        face.produce(topic, "k", str(number))
    handler = Handler()
    consumer = face.made("consumer", topic, topic)
    consumer.start("run", handler)
    handler.wait_for(10)
    consumer.pause(topic, partition)
    consumer.seek(topic, partition, 7)
    face.produce(topic, "k", "10")
    assert consumer.position(topic, partition) == 7
    assert len(handler.records) == 10
    consumer.resume(topic, partition)
    handler.wait_for(14)
    assert handler.numbers[10:] == [7, 8, 9, 10]
    with pytest.raises(FluxError):
        consumer.seek(topic, 99, 0)
    consumer.close()


def test_a_topic_that_cannot_be_is_an_error(face: Face) -> None:
    """No repetition would mend it."""
    consumer = face.made("consumer", "g", "no topic")
    with pytest.raises(FluxError) as raised:
        consumer.run(Handler())
    assert raised.value.code == "BAD_REQUEST"
    consumer.close()
