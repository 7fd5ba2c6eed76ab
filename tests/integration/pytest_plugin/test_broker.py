"""What may happen to a broker of a test, in either of its hosts. The fixtures here are the plugin's own."""

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from flux.broker import CannotStart
from flux.client import BlockingClient, OutcomeUnknown, ProducerOptions
from flux.client.calls import produce
from flux.embedded import EmbeddedBroker
from flux.embedded.broker import Mode
from flux.errors import BadRequest, FluxError, GenerationMismatch, StorageError, UnknownTopic
from flux.loading import BadSetting
from tests.integration.broker import LineClient

Factory = Callable[..., EmbeddedBroker]

both = pytest.mark.parametrize("mode", ["thread", "process"])


@pytest.fixture
def broker(flux_broker_factory: Factory, mode: Mode) -> EmbeddedBroker:
    return flux_broker_factory(mode=mode)


@both
def test_records_go_in_and_come_out(broker: EmbeddedBroker) -> None:
    """In order, with keys and any bytes, by the partition the key has anywhere."""
    topic = broker.topic("orders", partitions=3)
    assert [each.offset for each in broker.produce(topic, "a", b"\0,\n", None, key="user1")] == [0, 1, 2]
    found = broker.records(topic)
    assert [(each.partition, each.key, each.value) for each in found] == [
        (2, b"user1", b"a"),
        (2, b"user1", b"\0,\n"),
        (2, b"user1", None),
    ]
    assert broker.records(topic, 0) == []
    with pytest.raises(UnknownTopic):
        broker.records("payments")


@both
def test_a_session_expires_when_its_time_has_passed(broker: EmbeddedBroker) -> None:
    """Ten seconds of it, at once; not before they are over."""
    client, topic = broker.client, broker.topic("orders")
    joined = client.join("readers", topic, "one")
    began = time.perf_counter()
    broker.advance(9)
    client.heartbeat("readers", topic, "one", joined.generation)
    broker.advance(9)
    client.heartbeat("readers", topic, "one", joined.generation)
    broker.advance(10.5)
    with pytest.raises(GenerationMismatch):
        client.heartbeat("readers", topic, "one", joined.generation)
    assert client.group_describe("readers").description["state"] == "empty"
    print(f"28.5 s of a group in {(time.perf_counter() - began) * 1000:.1f} ms")


def test_what_is_too_old_is_gone(flux_broker: EmbeddedBroker) -> None:
    """Retention has done its work, files included, when advance() returns; the wall clock moves along."""
    topic = flux_broker.topic("orders", retention_ms=60_000, segment_bytes=1024)
    for _ in range(6):
        flux_broker.produce(topic, "x" * 500)
    first, *_ = flux_broker.records(topic)
    flux_broker.advance(120)
    assert [each.offset for each in flux_broker.records(topic)] == [5]  # what is written to is never removed
    flux_broker.produce(topic, "new")
    assert flux_broker.records(topic)[-1].timestamp_ms - first.timestamp_ms >= 120_000


def test_a_silent_replica_falls_out_of_sync(flux_broker: EmbeddedBroker) -> None:
    """By the lag timeout."""
    topic = flux_broker.topic("orders", replication_factor=2)
    assert list(flux_broker.client.replica_fetch(topic, 0, 1, -1).isr) == [0, 1]
    flux_broker.advance(11)
    partition = flux_broker.client.admin_describe_topic(topic).description["partitions"][0]
    assert partition["isr"] == [0]


def test_a_long_poll_ends(flux_broker: EmbeddedBroker) -> None:
    """An hour of it."""
    topic = flux_broker.topic("orders")
    client = LineClient(flux_broker.port)
    client.socket.sendall(b"V1|poll|CONSUME|%b 0 0 wait_ms=3600000 order=any\nV1|after|PING|\n" % topic.encode())
    assert client.line() == "V1|after|OK|pong=true"
    flux_broker.advance(3600)
    assert client.line() == "V1|poll|OK|messages= hw=-1 next=0 log_start=0"
    client.close()


@both
def test_the_next_request_fails_as_ordered(broker: EmbeddedBroker) -> None:
    """It is not executed; those before and after, and other commands, are as ever."""
    topic = broker.topic("orders")
    broker.produce(topic, "before")
    broker.fail_next("produce", "storage_error", times=2)
    outcomes = broker.client.send_all([produce(topic, None, value) for value in ("a", "b", "after")])
    assert [isinstance(each, StorageError) for each in outcomes] == [True, True, False]
    assert [each.value for each in broker.records(topic)] == [b"before", b"after"]


def test_a_producer_sends_again_what_may_be_sent_again(flux_broker: EmbeddedBroker) -> None:
    """Whoever uses it sees nothing of it."""
    topic = flux_broker.topic("orders")
    flux_broker.fail_next("PRODUCE", "NOT_ENOUGH_REPLICAS")
    with flux_broker.client.producer(ProducerOptions(backoff_ms=1)) as producer:
        producer.send(topic, None, "a").result()
    assert [each.value for each in flux_broker.records(topic)] == [b"a"]


@both
def test_what_is_not_known_cannot_be_ordered(broker: EmbeddedBroker) -> None:
    """Neither a command nor an error; time does not run backwards."""
    with pytest.raises(ValueError, match=r"'SING' is not known here; there are .*PRODUCE"):
        broker.fail_next("SING", "BAD_REQUEST")
    with pytest.raises(ValueError, match="'BAD_MOOD' is no error code; there are BAD_REQUEST"):
        broker.fail_next("PRODUCE", "BAD_MOOD")
    with pytest.raises(ValueError, match="negative"):
        broker.advance(-1)


@both
def test_a_restart_keeps_everything(broker: EmbeddedBroker) -> None:
    """Records, the port and the time; what was ordered is forgotten."""
    topic, port = broker.topic("orders"), broker.port
    broker.produce(topic, "a")
    broker.advance(3600)
    broker.fail_next("PRODUCE", "STORAGE_ERROR")
    broker.restart()
    broker.produce(topic, "b")
    first, second = broker.records(topic)
    assert (first.value, second.value, broker.port) == (b"a", b"b", port)
    assert second.timestamp_ms - first.timestamp_ms >= 3_600_000


@both
def test_what_is_acknowledged_survives_a_kill(tmp_path: Path, mode: Mode) -> None:
    """The start after it finds no clean stop, and the records. Whoever was connected is cut off, whoever comes is refused."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with EmbeddedBroker(str(data_dir), mode=mode) as broker:
        topic = broker.topic("orders")
        broker.produce(topic, "a", "b")
        client = LineClient(broker.port)
        client.socket.sendall(b"V1|1|CONSUME|orders 0 2 wait_ms=60000 order=any\nV1|2|PING|\n")
        assert client.line() == "V1|2|OK|pong=true"
        broker.kill()
        with pytest.raises(ConnectionError):
            client.line()
        client.close()
        assert not (data_dir / "clean-shutdown").exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", broker.port))
        broker.start()
        assert [each.value for each in broker.records(topic)] == [b"a", b"b"]
        broker.stop()
        assert (data_dir / "clean-shutdown").exists()


def test_a_call_that_is_killed_has_an_unknown_outcome(flux_broker: EmbeddedBroker) -> None:
    """As with any flux_broker."""
    topic = flux_broker.topic("orders", replication_factor=2)
    flux_broker.client.replica_fetch(topic, 0, 1, -1)
    client = BlockingClient(flux_broker.bootstrap)
    outcome: list[OutcomeUnknown] = []

    def wait_for_the_replica() -> None:
        with pytest.raises(OutcomeUnknown) as caught:
            client.produce(topic, None, "a", acks="all")
        outcome.append(caught.value)

    waiting = threading.Thread(target=wait_for_the_replica)
    waiting.start()
    while flux_broker.client.admin_describe_topic(topic).description["partitions"][0]["log_end"] == 0:
        pass  # until it is appended
    flux_broker.kill()
    waiting.join()
    client.close()
    assert "it may have been executed" in str(outcome[0])


def test_no_acknowledged_record_is_lost(flux_broker: EmbeddedBroker) -> None:
    """Killed again and again while four producers are at it."""
    topic = flux_broker.topic("orders", partitions=3)
    acknowledged: list[str] = []
    enough, over = threading.Semaphore(0), threading.Event()

    def produce_on(name: int) -> None:
        while not over.is_set():
            with suppress(FluxError), BlockingClient(flux_broker.bootstrap) as client:
                while not over.is_set():
                    values = [f"{name}-{number}" for number in range(len(acknowledged), len(acknowledged) + 50)]
                    outcomes = client.send_all([produce(topic, each, each) for each in values])
                    for value, outcome in zip(values, outcomes, strict=True):
                        if not isinstance(outcome, FluxError):
                            acknowledged.append(value)
                            enough.release()

    producers = [threading.Thread(target=produce_on, args=(name,)) for name in range(4)]
    for producer in producers:
        producer.start()
    for _ in range(3):
        for _ in range(300):
            assert enough.acquire(timeout=30)
        flux_broker.kill()
        flux_broker.start()
    over.set()
    for producer in producers:
        producer.join()
    found = {record.value.decode() for record in flux_broker.records(topic) if record.value is not None}
    assert set(acknowledged) <= found
    assert len(acknowledged) >= 900


@both
def test_a_broker_that_is_down_says_so(broker: EmbeddedBroker) -> None:
    """Whatever it is asked for; one that is up is not started twice."""
    with pytest.raises(RuntimeError, match="up already"):
        broker.start()
    broker.kill()
    for call in (broker.kill, broker.stop, lambda: broker.advance(1), lambda: broker.fail_next("PING", "THROTTLED")):
        with pytest.raises(RuntimeError, match=r"down; start\(\) it first"):
            call()
    assert not broker.is_up


@both
def test_the_environment_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch, flux_broker_factory: Factory, mode: Mode
) -> None:
    """Settings come from the test, and from nowhere else."""
    monkeypatch.setenv("FLUX_NUM_PARTITIONS", "9")
    broker = flux_broker_factory(mode=mode, session_timeout_ms=500, auto_create_topics=True)
    broker.produce("orders", "a")
    assert broker.client.admin_describe_topic("orders").partitions == 3


def test_each_is_alone(flux_broker_factory: Factory) -> None:
    """Another port, other records, another time."""
    one, other = flux_broker_factory(), flux_broker_factory()
    one.produce("orders", "a")
    one.advance(3600)
    other.produce("orders", "b")
    (ahead,), (behind,) = one.records("orders"), other.records("orders")
    assert (ahead.value, behind.value) == (b"a", b"b")
    joined = other.client.join("readers", "orders", "one")
    one.advance(3600)
    other.client.heartbeat("readers", "orders", "one", joined.generation)


@both
def test_a_directory_in_use_is_refused(tmp_path: Path, mode: Mode) -> None:
    """By name, and the one that uses it goes on."""
    with EmbeddedBroker(str(tmp_path)) as first:
        second = EmbeddedBroker(str(tmp_path), mode=mode)
        with pytest.raises(CannotStart, match="is in use by another broker"):
            second.start()
        assert not second.is_up
        second.close()
        first.produce("orders", "a")


def test_a_bad_setting_is_refused_before_anything_starts() -> None:
    """In the words of the command line."""
    with pytest.raises(BadSetting, match="did you mean num_partitions"):
        EmbeddedBroker(num_partition=1)
    with pytest.raises(BadSetting, match="'none' will not do"):
        EmbeddedBroker(num_partitions="none")


def test_the_process_is_another_one(flux_broker_factory: Factory) -> None:
    """Nothing of the broker is in this one; it ends when nobody speaks to it any more, so no kill of pytest leaves one behind."""
    before = threading.active_count()
    flux_broker_factory(mode="process").produce("orders", "a")
    assert threading.active_count() == before
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = f'[["{port}", [], "data", ["disk_reserve_bytes=0"]], false, 0]'
    os.mkdir("data")
    child = subprocess.run(
        [sys.executable, "-m", "flux.embedded.child", told], input="", capture_output=True, text=True, timeout=60
    )
    assert (child.returncode, child.stdout) == (0, "null\n")


@both
def test_nothing_is_left(mode: Mode) -> None:
    """No thread, descriptor, process or file, whether it is stopped, killed or just closed, with clients that wait and that do not read."""
    with EmbeddedBroker(mode=mode):
        pass  # whatever is made once is made
    gc.collect()
    before = open_descriptors(), threading.active_count()
    ends: list[Callable[[EmbeddedBroker], object]] = [
        EmbeddedBroker.stop,
        EmbeddedBroker.kill,
        EmbeddedBroker.restart,
        id,
    ]
    for end in ends if mode == "thread" else ends[1:2]:
        with EmbeddedBroker(mode=mode, drain_timeout_ms=0) as broker:
            topic = broker.topic("orders")
            broker.produce(topic, "x" * 500_000)
            waiting, greedy = LineClient(broker.port), LineClient(broker.port)
            waiting.socket.sendall(b"V1|1|CONSUME|orders 0 1 wait_ms=60000 order=any\nV1|2|PING|\n")
            assert waiting.line() == "V1|2|OK|pong=true"
            greedy.socket.sendall(b"V1|1|CONSUME|orders 0 0\n" * 100)
            assert greedy.line().startswith("V1|1|OK|messages=0:xxx")
            end(broker)
            port, directory = broker.port, broker._data_dir
            assert directory is not None
            assert os.path.exists(directory)
        waiting.close()
        greedy.close()
        assert not os.path.exists(directory)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    gc.collect()
    descriptors, threads = open_descriptors(), threading.active_count()
    assert (descriptors <= before[0], threads <= before[1]) == (True, True), (before, descriptors, threads)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_broker_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    """Its thread and its files neither."""
    with EmbeddedBroker(str(tmp_path)):
        before = open_descriptors(), threading.active_count()
        for _ in range(3):
            second = EmbeddedBroker(str(tmp_path))
            with pytest.raises(CannotStart):
                second.start()
            second.close()
        gc.collect()
        descriptors, threads = open_descriptors(), threading.active_count()
    assert (descriptors <= before[0], threads <= before[1]) == (True, True), (before, descriptors, threads)


def test_a_topic_setting_that_is_none_is_refused(flux_broker: EmbeddedBroker) -> None:
    """By the flux_broker."""
    with pytest.raises(BadRequest, match="retention"):
        flux_broker.topic("orders", retention_mss=1)
