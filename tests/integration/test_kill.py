"""Acknowledged means kept: pipelined producers, ``kill -9`` at random moments, restarts.

What SIGKILL proves is about the process: that nothing acknowledged waits in its memory, and that a restart finds what the
kernel holds. It proves next to nothing about the disk, which never loses power here: a log that never syncs at all passes.
That is what ``tests/storage/test_power_cuts.py`` (a model disk) and ``bench/power_cut.py`` (a real file system) are for.
"""

import os
import random
import threading
import time
from pathlib import Path

from tests.integration.broker import BrokerProcess, LineClient

ROUNDS = int(os.environ.get("FLUX_TEST_KILLS", "30"))
PRODUCERS = 4
DEPTH = 32
PARTITIONS = 3


class Producer(threading.Thread):
    """Keeps DEPTH numbered records in flight on one connection; remembers which were acknowledged where."""

    def __init__(self, port: int, name: str, acked: dict[tuple[int, int], str], sent: list[str]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._label = name
        self._acked = acked
        self._sent = sent

    def run(self) -> None:
        """Until the broker is gone."""
        try:
            client = LineClient(self._port)
        except OSError:
            return
        number = 0
        try:
            while True:
                values = [f"{self._label}.{number + i}" for i in range(DEPTH)]
                number += DEPTH
                self._sent += values
                lines = [f"V1|{v}|PRODUCE|events {self._label}{i % 7}:{v} acks=1\n" for i, v in enumerate(values)]
                client.socket.sendall("".join(lines).encode())
                for value in values:
                    reply = client.line()
                    head, _, payload = reply.partition("|OK|")
                    assert head == f"V1|{value}", reply
                    fields = dict(field.split("=") for field in payload.split(" "))
                    self._acked[int(fields["partition"]), int(fields["offset"])] = value
        except OSError:
            pass
        finally:
            client.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Over all rounds: every acknowledged record at its offset, offsets dense, nothing twice, each producer's order kept."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    acked: dict[tuple[int, int], str] = {}
    sent: list[str] = []
    broker = BrokerProcess(tmp_path / "data", "--set", "segment_max_bytes=65536")
    for round_number in range(ROUNDS):
        broker.start()
        producers = [Producer(broker.port, f"r{round_number}p{p}k", acked, sent) for p in range(PRODUCERS)]
        for producer in producers:
            producer.start()
        time.sleep(dice.uniform(0.02, 0.25))  # the moment of the kill is the experiment
        broker.kill()
        for producer in producers:
            producer.join(20)
            assert not producer.is_alive()
    broker.start()
    try:
        _check(broker, dict(acked), set(sent), f"seed {seed}")
    finally:
        broker.stop()
    assert "Traceback" not in broker.log(), broker.log()[-3000:]
    print(f"{ROUNDS} kills, {len(acked)} records acknowledged, 0 lost (95 %: below {3 / ROUNDS:.0%} a kill)")


def _check(broker: BrokerProcess, acked: dict[tuple[int, int], str], sent: set[str], label: str) -> None:
    client = broker.client()
    seen: set[str] = set()
    for partition in range(PARTITIONS):
        last_of: dict[str, int] = {}
        for expected_offset, (offset, raw) in enumerate(client.records("events", partition)):
            value = raw.decode()
            assert offset == expected_offset, (
                f"{label}: offset {offset} of partition {partition}, {expected_offset} was due"
            )
            assert value in sent, f"{label}: {value} was never sent"
            assert value not in seen, f"{label}: {value} is there twice"
            seen.add(value)
            assert acked.pop((partition, offset), value) == value, f"{label}: another value at {partition}/{offset}"
            producer, _, number = value.rpartition(".")
            assert last_of.get(producer, -1) < int(number), f"{label}: {value} overtook {last_of[producer]}"
            last_of[producer] = int(number)
    assert not acked, f"{label}: {len(acked)} acknowledged records are missing, such as {next(iter(acked.items()))}"
    assert seen, "the test produced nothing"
    client.close()
