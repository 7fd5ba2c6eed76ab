"""Producers and consumers while their broker dies and comes back, and while one of them is stopped and wakes."""

import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from flux.client import BlockingClient, ConsumerOptions, ProducerOptions, Record
from flux.client.calls import produce
from flux.errors import FluxError
from flux.model import TopicPartition
from flux.wire.produce import Produced
from tests.integration.broker import BrokerProcess
from tests.integration.client.faces import PATIENCE_S, World

KILLS = 5
BETWEEN_KILLS = 300  # acknowledged records, at least


class Ledger:
    """What was acknowledged where, and what was handled."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, tuple[int, int]] = {}
        self.handled: set[tuple[int, int]] = set()
        self.values: set[str] = set()
        self.failed = 0
        self._changed = threading.Condition()

    def sent(self, value: str, future: "Future[Produced]") -> None:
        """Note what becomes of it."""

        def done(future: "Future[Produced]") -> None:
            with self._changed:
                if future.exception() is None:
                    produced = future.result()
                    self.acknowledged[value] = (produced.partition, produced.offset)
                else:
                    self.failed += 1
                self._changed.notify_all()

        future.add_done_callback(done)

    def handle(self, record: Record) -> None:
        """A consumer's handler."""
        with self._changed:
            self.handled.add((record.partition, record.offset))
            self.values.add((record.value or b"").decode())
            self._changed.notify_all()

    def wait_for_acknowledged(self, more: int) -> None:
        """So many more than now."""
        with self._changed:
            target = len(self.acknowledged) + more
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= target, PATIENCE_S), self.failed

    def wait_until_all_is_handled(self) -> None:
        """Everything that was acknowledged."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.acknowledged.keys() <= self.values, PATIENCE_S), (
                self.acknowledged.keys() - self.values
            )


def test_nothing_acknowledged_is_lost_while_the_broker_dies_again_and_again(world: World, tmp_path: Path) -> None:
    """Everything is handled at least once, and no commit is ahead of what is handled."""
    ledger, stop = Ledger(), threading.Event()
    with BrokerProcess(tmp_path / "data") as broker:
        port, address = broker.port, f"127.0.0.1:{broker.port}"
        options = ConsumerOptions(heartbeat_ms=200, session_ms=3000, max_backoff_ms=500)
        consumers = [
            world.face(address, timeout_s=5.0).made("consumer", "g", "t", options, on_error=lambda error: None)
            for _ in range(2)
        ]
        runs = [consumer.start("run", ledger.handle) for consumer in consumers]
        producer = world.face(address, timeout_s=5.0).made("producer", ProducerOptions(max_buffered=200))

        def produces() -> None:
            number = 0
            while not stop.is_set():
                producer.room()
                value = f"v{number}"
                ledger.sent(value, world.send(producer, "t", f"k{number % 17}", value))
                number += 1

        thread = threading.Thread(target=produces)
        thread.start()
        try:
            for _ in range(KILLS):
                ledger.wait_for_acknowledged(BETWEEN_KILLS)
                broker.kill()
                broker = BrokerProcess(tmp_path / "data", "--port", str(port)).start()
            ledger.wait_for_acknowledged(BETWEEN_KILLS)
        finally:
            stop.set()
            thread.join(PATIENCE_S)
        producer.flush()
        ledger.wait_until_all_is_handled()
        client = world.face(address)
        for consumer, run in zip(consumers, runs, strict=True):
            consumer.close()
            run.result(PATIENCE_S)
        for partition in range(3):
            committed = client.offset("g", "t", partition)
            assert committed.committed
            below = {offset for where, offset in ledger.acknowledged.values() if where == partition}
            assert all((partition, offset) in ledger.handled for offset in below if offset < committed.offset), (
                committed
            )
        assert len(set(ledger.acknowledged.values())) == len(ledger.acknowledged) >= KILLS * BETWEEN_KILLS
        world.leave()
        broker.kill()


SLEEPER = """
import sys
from flux.client import BlockingClient, ConsumerOptions

with BlockingClient(sys.argv[1]) as client:
    options = ConsumerOptions(session_ms=1000, heartbeat_ms=200)
    tell = lambda what: lambda them: print(what, *(tp.partition for tp in them), flush=True)
    with client.consumer("g", sys.argv[2], options, member="a", on_assign=tell("+"), on_revoke=tell("-")) as consumer:
        for record in consumer:
            print("=", record.value.decode(), flush=True)
"""


def partition_of(outcome: Produced | FluxError) -> int:
    """Where it went. :raises FluxError: nowhere."""
    if isinstance(outcome, FluxError):
        raise outcome
    return outcome.partition


def test_a_stopped_consumer_is_replaced_and_finds_out_when_it_wakes(broker: BrokerProcess) -> None:
    """Its partitions go to the other one, its commits are refused; awake, it joins again and gets its share."""
    topic, address = f"t-{uuid.uuid4().hex}", f"127.0.0.1:{broker.port}"
    owned: set[TopicPartition] = set()
    changed = threading.Condition()
    seen: list[str] = []

    def note(change: Any) -> Any:
        def told(partitions: Any) -> None:
            with changed:
                change(partitions)
                changed.notify_all()

        return told

    def wait_for(count: int) -> None:
        with changed:
            assert changed.wait_for(lambda: len(owned) == count, PATIENCE_S), owned

    with BlockingClient(address) as client:
        client.admin_create_topic(topic, 3)
        sleeper = subprocess.Popen(
            [sys.executable, "-c", SLEEPER, address, topic], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert sleeper.stdout is not None
        try:
            assert sleeper.stdout.readline() == "+ 0 1 2\n"
            consumer = client.consumer(
                "g",
                topic,
                ConsumerOptions(session_ms=1000, heartbeat_ms=200),
                member="b",
                on_assign=note(owned.update),
                on_revoke=note(owned.difference_update),
            )
            with consumer:
                thread = threading.Thread(
                    target=consumer.run, args=(lambda record: seen.append(record.value.decode()),)
                )
                thread.start()
                wait_for(1)
                assert sleeper.stdout.readline() == "- 1\n"
                sleeper.send_signal(signal.SIGSTOP)
                wait_for(3)
                client.send_all([produce(topic, str(number), str(number)) for number in range(30)])
                while sum(client.offset("g", topic, partition).offset for partition in range(3)) < 30:
                    client.ping()
                sleeper.send_signal(signal.SIGCONT)
                wait_for(1)
                appended = client.send_all([produce(topic, str(number), str(number)) for number in range(100, 130)])
                share = {str(number) for number, each in enumerate(appended, 100) if partition_of(each) != 1}
                handled: set[str] = set()
                while not handled >= share:
                    line = sleeper.stdout.readline()
                    assert line, handled
                    if line.startswith("="):
                        handled.add(line.split()[1])
                assert handled == share  # and nothing that was handled while it slept
            thread.join(PATIENCE_S)
        finally:
            sleeper.kill()
            sleeper.stdout.close()
            sleeper.wait(PATIENCE_S)
