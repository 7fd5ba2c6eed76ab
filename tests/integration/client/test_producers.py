"""What the producers of every face promise."""

import threading
import uuid
from collections import defaultdict

import pytest

from flux.client import ProducerOptions
from flux.errors import BadRequest, FluxError, Throttled, UnknownTopic
from flux.model import Acks
from tests.integration.broker import BrokerProcess
from tests.integration.client.faces import Face, World
from tests.integration.client.scripted import Caller, ScriptedBroker


@pytest.fixture
def face(world: World, broker: BrokerProcess) -> Face:
    """A client of the broker."""
    return world.face(f"127.0.0.1:{broker.port}")


@pytest.mark.parametrize("options", [ProducerOptions(), ProducerOptions(linger_ms=20, batch=7, acks=Acks.ALL)])
def test_every_record_is_acknowledged_where_it_is(world: World, face: Face, options: ProducerOptions) -> None:
    """In order per key, with whatever was sent before it."""
    topic = f"t-{uuid.uuid4().hex}"
    producer = face.made("producer", options)
    sent = [(f"key {number % 10}", str(number)) for number in range(1000)]
    acknowledged = [world.send(producer, topic, key, value) for key, value in sent]
    unkeyed = world.send(producer, topic, None, b"\x00,\n", timestamp_ms=5)
    producer.flush()
    places = defaultdict(list)
    for (key, value), each in zip(sent, acknowledged, strict=True):
        produced = each.result(0)
        places[produced.partition, key].append(produced.offset)
        (record,) = face.consume(topic, produced.partition, produced.offset, max_records=1)
        assert record.value == value.encode()
    assert all(offsets == sorted(offsets) for offsets in places.values())
    where = unkeyed.result(0)
    assert face.consume(topic, where.partition, where.offset).records[0].value == b"\x00,\n"


def test_a_record_that_cannot_be_appended_fails_alone(world: World, face: Face) -> None:
    """Those around it do not notice."""
    topic = f"t-{uuid.uuid4().hex}"
    producer = face.made("producer")
    results = [world.send(producer, name, "k", "v") for name in (topic, "no topic", topic)]
    too_long = world.send(producer, topic, "k", "x" * (2 << 20))
    assert (results[0].result(30).offset, results[2].result(30).offset) == (0, 1)
    for refused, code in [(results[1], "BAD_REQUEST"), (too_long, "MESSAGE_TOO_LARGE")]:
        with pytest.raises(FluxError) as raised:
            refused.result(30)
        assert raised.value.code == code


def test_closing_sends_what_lingers_and_accepts_no_more(world: World, face: Face) -> None:
    """The client stays open; closing twice is closing."""
    topic = f"t-{uuid.uuid4().hex}"
    producer = face.made("producer", ProducerOptions(linger_ms=60_000))
    lingering = world.send(producer, topic, "k", "v")
    assert not lingering.done()
    producer.close()
    assert lingering.result(0).offset == 0
    with pytest.raises(FluxError) as raised:
        world.send(producer, topic, "k", "v").result(30)
    assert raised.value.code == "CLIENT_CLOSED"
    producer.close()
    assert face.ping()


def test_what_was_refused_for_now_is_sent_again_in_order(world: World, scripted: ScriptedBroker) -> None:
    """And what was refused for good is not."""
    seen: list[bytes] = []

    def script(caller: Caller) -> None:
        caller.welcome()
        for code in ("THROTTLED", "THROTTLED", "UNKNOWN_TOPIC"):
            correlation_id, _, arguments = caller.request()
            seen.append(arguments)
            caller.refuse(correlation_id, code, "no")
        for offset in range(2):
            correlation_id, _, arguments = caller.request()
            seen.append(arguments)
            caller.answer(correlation_id, b"partition=0 offset=%d hw=%d" % (offset, offset))
        caller.until_it_hangs_up()

    scripted.plays(script)
    face = world.face(scripted.address)
    producer = face.made("producer", ProducerOptions(linger_ms=50, backoff_ms=50))
    results = [world.send(producer, "t", key, str(number)) for number, key in enumerate("aab")]
    assert [results[0].result(30).offset, results[1].result(30).offset] == [0, 1]
    with pytest.raises(UnknownTopic):
        results[2].result(30)
    assert seen == [b"t a:0 acks=1", b"t a:1 acks=1", b"t b:2 acks=1", b"t a:0 acks=1", b"t a:1 acks=1"]
    producer.close()
    face.close()


def test_there_is_room_for_so_many(world: World, scripted: ScriptedBroker) -> None:
    """Then senders wait: where a face cannot wait inside ``send``, it refuses, and ``room`` waits."""
    go_on = threading.Event()

    def script(caller: Caller) -> None:
        caller.welcome()
        requests = [caller.request() for _ in range(3)]
        go_on.wait(30)
        for correlation_id, _, _ in requests:
            caller.answer(correlation_id, b"partition=0 offset=0 hw=0")
        caller.answer(caller.request()[0], b"partition=0 offset=0 hw=0")
        caller.until_it_hangs_up()

    scripted.plays(script)
    face = world.face(scripted.address)
    producer = face.made("producer", ProducerOptions(max_buffered=3))
    accepted = [world.send(producer, "t", str(number), "v") for number in range(3)]
    fourth = producer.start("send", "t", "3", "v")
    room = producer.start("room")
    if world.waits_in_send:
        assert not fourth.done()
    else:
        with pytest.raises(Throttled):
            fourth.result(30)
    assert not room.done()
    go_on.set()
    assert [each.result(30).offset for each in accepted] == [0, 0, 0]
    room.result(30)
    if not world.waits_in_send:
        fourth = world.send(producer, "t", "3", "v")
    assert fourth.result(30).offset == 0
    producer.close()
    face.close()


def test_a_bad_acks_is_an_error_at_once(face: Face) -> None:
    """As everywhere."""
    with pytest.raises(BadRequest):
        face.produce("t", "k", "v", acks="most")
