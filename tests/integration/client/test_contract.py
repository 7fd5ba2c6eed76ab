"""What every face promises, on a real broker."""

import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from flux.client import AsyncFluxClient, BlockingClient, Call, FluxClient, NoBroker, OutcomeUnknown
from flux.client.calls import consume, ping, produce
from flux.errors import (
    BadRequest,
    FluxError,
    GenerationMismatch,
    MessageTooLarge,
    NotLeader,
    OffsetOutOfRange,
    TopicExists,
    UnknownCommand,
)
from flux.model import Role
from flux.wire.produce import Produced
from flux.wire.session import Pong
from tests.integration.broker import BrokerProcess
from tests.integration.client.faces import Face, World
from tests.vectors import as_bytes, load

CASES: dict[str, dict[str, Any]] = load("contract.json")["contract"]
VALUES: dict[str, bytes | str] = dict(CASES["any_value_and_any_key_come_back_exactly"]["values"])


@pytest.fixture
def topic() -> str:
    """Of this case alone."""
    return f"t-{uuid.uuid4().hex}"


@pytest.fixture
def dead() -> Iterator[list[str]]:
    """Addresses where nobody listens."""
    sockets = [socket.socket() for _ in range(2)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        yield [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture
def face(world: World, broker: BrokerProcess) -> Face:
    """A client of the broker."""
    return world.face(f"127.0.0.1:{broker.port}")


def fails(kind: type[FluxError], code: str, face: Face, name: str, *args: Any, **options: Any) -> FluxError:
    """The call raises just this."""
    with pytest.raises(FluxError) as raised:
        getattr(face, name)(*args, **options)
    assert (type(raised.value), raised.value.code) == (kind, code), raised.value
    return raised.value


# --- records ---


@pytest.mark.parametrize("name", VALUES)
def test_any_value_and_any_key_come_back_exactly(face: Face, topic: str, name: str) -> None:
    """Whatever bytes they are; str means its UTF-8. Keys of every kind find one partition."""
    value = VALUES[name]
    key = as_bytes(value)[:1000] if name.startswith("large") else value
    produced = face.produce(topic, key, value)
    again = face.produce(topic, as_bytes(key), as_bytes(value), acks="all")
    assert isinstance(produced, Produced)
    assert (produced.offset, again.offset, again.partition) == (0, 1, produced.partition)
    page = face.consume(topic, produced.partition, 0)
    if len(as_bytes(value)) > 500_000:  # a page holds a mebibyte
        assert page.next_offset == 2
    assert [(record.offset, record.value) for record in page] == [(0, as_bytes(value)), (1, as_bytes(value))]
    assert [record.key for record in page] == [as_bytes(key)] * 2
    assert (page.next_offset, page.high_watermark, page.log_start) == (2, 2, 0)


def test_no_key_spreads_and_an_empty_key_does_not(face: Face, topic: str) -> None:
    """They are not the same, nor do they read the same."""
    case = CASES["no_key_spreads_and_an_empty_key_does_not"]
    partitions = {face.produce(topic, None, str(number)).partition for number in range(case["unkeyed"])}
    assert partitions == set(case["partitions"])
    (partition,) = {face.produce(topic, key, "v").partition for key in case["empty_keys"]}
    assert [record.key for record in face.consume(topic, partition, 0)] == [None, None, b"", b"", b""]


def test_a_tombstone_is_no_empty_value(face: Face, topic: str) -> None:
    """And has an offset of its own."""
    values = CASES["a_tombstone_is_no_empty_value"]["values"]
    (partition,) = {face.produce(topic, "k", value).partition for value in values}
    expected = [None if value is None else as_bytes(value) for value in values]
    assert [record.value for record in face.consume(topic, partition, 0)] == expected


def test_a_record_bears_the_time_it_was_given(face: Face, topic: str) -> None:
    """Or that of the broker when it came."""
    age_ms = CASES["a_record_bears_the_time_it_was_given"]["age_ms"]  # not so old that retention takes it
    hour_ago_ms = int(time.time() * 1000) - age_ms
    partition = face.produce(topic, "k", "a", timestamp_ms=hour_ago_ms).partition
    face.produce(topic, "k", "b")
    given, stamped = face.consume(topic, partition, 0)
    assert given.timestamp_ms == hour_ago_ms < stamped.timestamp_ms


def test_acks_by_any_name(face: Face, topic: str) -> None:
    """0, 1 and all, as numbers or as text; nothing else, and that is said before anything is sent."""
    case = CASES["acks_by_any_name"]
    offsets = [face.produce(topic, "k", "v", acks=acks).offset for acks in case["acks"]]
    assert offsets == list(range(len(offsets)))
    for acks in case["refused"]:
        fails(BadRequest, "BAD_REQUEST", face, "produce", topic, "k", "v", acks=acks)


def test_reading_goes_page_by_page(face: Face, topic: str) -> None:
    """As many records or bytes as asked for, and where to go on; past the end nothing, without an error."""
    case = CASES["reading_goes_page_by_page"]
    (partition,) = {face.produce(topic, "k", value).partition for value in case["values"]}
    for each in case["pages"]:
        page = face.consume(topic, partition, each["offset"], **each["options"])
        assert [record.value for record in page] == [as_bytes(value) for value in each["values"]]
        assert (len(page), page.next_offset) == (len(each["values"]), each["next_offset"])
        assert page.high_watermark == len(case["values"])
    error = fails(OffsetOutOfRange, "OFFSET_OUT_OF_RANGE", face, "consume", topic, partition, case["out_of_range"])
    assert not error.retriable


def test_offsets_are_found_by_end_and_by_time(face: Face, topic: str) -> None:
    """None that late is -1, as the broker says it."""
    case = CASES["offsets_are_found_by_end_and_by_time"]
    records = case["records"]
    (partition,) = {face.produce(topic, "k", value, timestamp_ms=time_ms).partition for value, time_ms in records}
    for at, offset in case["found"]:
        found = face.offsets(topic, partition, at)
        assert found.offset == offset
        if isinstance(at, int):
            assert found.timestamp_ms == (records[offset][1] if offset >= 0 else -1)


def test_a_long_poll_is_woken_and_delays_nobody(face: Face, topic: str) -> None:
    """On the one connection of one client."""
    partition = face.produce(topic, "k", "first").partition
    poll = face.start("consume", topic, partition, 1, wait_ms=30_000)
    assert isinstance(face.ping(), Pong)
    assert not poll.done()
    face.produce(topic, "k", "second")
    assert [record.value for record in poll.result(30)] == [b"second"]
    assert face.consume(topic, partition, 2, wait_ms=10).records == ()


# --- many at once ---


def test_calls_overlap_and_each_gets_its_own_answer(face: Face, topic: str) -> None:
    """A hundred at a time, from as many threads as there are."""
    started = [face.start("produce", topic, str(number % 7), str(number)) for number in range(300)]
    wait(started, 60)
    produced = [each.result() for each in started]
    assert len({(each.partition, each.offset) for each in produced}) == 300
    for number, each in enumerate(produced):
        (record,) = face.consume(topic, each.partition, each.offset, max_records=1)
        assert record.value == str(number).encode()


def test_send_all_keeps_order_and_returns_errors_as_values(face: Face, topic: str) -> None:
    """More than may be in flight at once."""
    calls: list[Call[Any]] = [produce(topic, "k", str(number)) for number in range(3000)]
    calls[1500:1500] = [consume(topic, 99, 0), produce("no topic", "k", "v")]
    outcomes = face.send_all(calls)
    assert [type(outcome) for outcome in outcomes[1500:1502]] == [BadRequest, BadRequest]
    del outcomes[1500:1502]
    assert [outcome.offset for outcome in outcomes] == list(range(3000))
    assert face.send_all([]) == []


# --- the session, groups, errors ---


def test_the_session_commands(face: Face) -> None:
    """Who is there, and what can be said."""
    assert face.ping() == Pong()
    welcome = face.connect()
    assert (welcome.server.partition("/")[0], welcome.protocol) == ("flux", "V1")
    assert welcome == face.hello("tests/1")
    assert "PRODUCE" in face.help().text
    assert "colon" in face.help("produce").text


def test_a_member_joins_commits_and_leaves(face: Face, topic: str) -> None:
    """Under a generation; a stale one is refused by name."""
    group = f"g-{topic}"
    partition = face.produce(topic, "k", "v").partition
    joined = face.join(group, topic, "m1", assignor="range", session_ms=60_000)
    assert (joined.generation, joined.partitions) == (2, (0, 1, 2))
    assert face.sync(group, topic, "m1", 2) == joined
    face.heartbeat(group, topic, "m1", 2)
    before = face.offset(group, topic, partition)
    assert (before.offset, before.committed) == (0, False)
    face.commit(group, topic, "m1", 2, partition, 1)
    after = face.offset(group, topic, partition)
    assert (after.offset, after.committed) == (1, True)
    error = fails(GenerationMismatch, "GENERATION_MISMATCH", face, "heartbeat", group, topic, "m1", 1)
    assert not error.retriable
    assert group in [each["group"] for each in face.group_list().groups]
    assert face.group_describe(group).description["members"] == 1
    assert face.explain_group(group).group == group
    moved = face.group_reset(group, topic, "earliest", dry_run=True)
    assert (moved.dry_run, moved.before[partition], moved.after[partition]) == (True, 1, 0)
    face.leave(group, topic, "m1", 2)
    fails(GenerationMismatch, "GENERATION_MISMATCH", face, "leave", group, topic, "m1", 2)


def test_every_command_has_a_method_of_its_name(face: Face) -> None:
    """And where it has none, it is one of a plugin's."""
    commands = face.connect().commands
    assert len(commands) > 10
    for kind in (FluxClient, AsyncFluxClient, BlockingClient):
        assert [command for command in commands if not callable(getattr(kind, command.lower(), None))] == []


def test_a_topic_is_made_described_altered_and_deleted(face: Face, topic: str) -> None:
    """By the admin family."""
    case = CASES["a_topic_is_made_described_altered_and_deleted"]
    made = face.admin_create_topic(topic, 2, 1, case["settings"])
    assert (made.topic, made.partitions, made.replication_factor) == (topic, 2, 1)
    assert face.admin_create_topic(topic, 2, 1) == made
    fails(TopicExists, "TOPIC_EXISTS", face, "admin_create_topic", topic, 3)
    assert face.admin_alter_topic(topic, case["altered"], partitions=4).partitions == 4
    described = face.admin_describe_topic(topic)
    assert (described.partitions, len(described.description["partitions"])) == (4, 4)
    partition = face.produce(topic, "k", "v").partition
    assert face.admin_delete_records(topic, partition, 1).log_start == 1
    assert topic in face.admin_get_metadata().topics
    assert face.admin_delete_topic(topic).topic == topic
    assert topic not in face.admin_get_metadata().topics


def test_brokers_and_leaders_are_administered(face: Face, topic: str) -> None:
    """By the admin family; the broker that answers is number 0."""
    registered = face.admin_register_broker(7, "127.0.0.1", 9099)
    assert (registered.broker_id, registered.host, registered.port) == (7, "127.0.0.1", 9099)
    assert face.admin_broker_heartbeat(7).broker_id == 7
    assert face.admin_fence_broker(7).fenced
    assert 7 in face.admin_get_metadata().fenced
    assert not face.admin_unfence_broker(7).fenced
    assert face.admin_reconcile_broker_health(3_600_000).reconciled == 0
    face.admin_create_topic(topic, 1)
    assert face.admin_set_partition_leader(topic, 0, 0, [0]).isr == (0,)
    assert face.admin_elect_topic_leaders(topic).elected_changes == 0


def test_replicas_report_and_a_follower_refuses(face: Face, topic: str) -> None:
    """By the replication family."""
    face.admin_create_topic(topic, 1, 2)
    face.produce(topic, "k", "v")
    fetched = face.replica_fetch(topic, 0, 1, 0)
    assert (fetched.replica, fetched.acked_offset, fetched.high_watermark) == (1, 0, 1)
    assert face.explain_partition(topic, 0).partition == 0
    assert face.set_partition_role(topic, 0, "follower").role is Role.FOLLOWER
    fails(NotLeader, "NOT_LEADER", face, "produce", topic, "k", "v")
    assert face.set_partition_role(topic, 0, Role.LEADER).high_watermark == 1
    fails(BadRequest, "BAD_REQUEST", face, "set_partition_role", topic, 0, "boss")


def test_what_cannot_be_sent_is_refused_before_it_is(face: Face) -> None:
    """Names that are several words, or none."""
    for each in CASES["what_cannot_be_sent_is_refused_before_it_is"]["calls"]:
        fails(BadRequest, "BAD_REQUEST", face, each["call"], *each["args"])


def test_a_request_longer_than_the_broker_takes_is_refused_and_the_connection_lives(face: Face, topic: str) -> None:
    """The broker would have closed it."""
    pong = face.start("ping")
    value = CASES["a_request_longer_than_the_broker_takes_is_refused_and_the_connection_lives"]["value"]
    fails(MessageTooLarge, "MESSAGE_TOO_LARGE", face, "produce", topic, "k", value)
    assert pong.result(30) == Pong()


def test_any_call_can_be_sent(face: Face) -> None:
    """A plugin's command needs no method."""

    class Mine:
        COMMAND = "MINE"

        def encode(self) -> bytes:
            return b"some words"

    error = fails(UnknownCommand, "UNKNOWN_COMMAND", face, "send", Call(Mine(), Pong.decode))
    assert "MINE" in str(error)
    assert face.send(ping()) == Pong()


# --- brokers come and go ---


def test_a_list_of_brokers_is_tried_in_order(world: World, broker: BrokerProcess, dead: list[str]) -> None:
    """The first that answers is the one; when none does, each says why."""
    face = world.face(",".join([*dead, f"127.0.0.1:{broker.port}"]))
    assert face.ping() == Pong()
    error = fails(NoBroker, "NO_BROKER", world.face(",".join(dead)), "connect")
    assert error.retriable
    assert all(f"{address}: " in str(error) for address in dead)


def test_a_restarted_broker_is_found_again(world: World, tmp_path: Path) -> None:
    """By the same client. Nothing that failed meanwhile is done afterwards, and nothing twice."""
    with BrokerProcess(tmp_path / "data") as broker:
        face = world.face(f"127.0.0.1:{broker.port}")
        partition = face.produce("t", "k", "before").partition
        broker.kill()
        for _ in range(2):  # a face that has not noticed yet cannot know what becomes of the first
            with pytest.raises((NoBroker, OutcomeUnknown)):
                face.produce("t", "k", "meanwhile")
        with pytest.raises(NoBroker):
            face.produce("t", "k", "meanwhile")
        with BrokerProcess(tmp_path / "data", "--port", str(broker.port)):
            face.produce("t", "k", "after")
            assert [record.value for record in face.consume("t", partition, 0)] == [b"before", b"after"]


def test_a_broker_killed_while_it_answers_leaves_the_outcome_unknown(world: World, tmp_path: Path) -> None:
    """A long poll is under way when it dies."""
    with BrokerProcess(tmp_path / "data") as broker:
        face = world.face(f"127.0.0.1:{broker.port}")
        partition = face.produce("t", "k", "v").partition
        poll = face.start("consume", "t", partition, 1, wait_ms=60_000)
        face.ping()
        broker.kill()
        with pytest.raises(OutcomeUnknown) as raised:
            poll.result(30)
        assert not raised.value.retriable


def test_a_closed_client_says_so(face: Face) -> None:
    """Before anything was sent, too; closing twice is closing."""
    face.ping()
    face.close()
    with pytest.raises(FluxError) as raised:
        face.ping()
    assert raised.value.code == "CLIENT_CLOSED"
    face.close()
