"""Consumer groups through a real broker: commits survive ``kill -9``, and a person at ``nc`` sees and moves a live group.

As in ``test_kill.py``, SIGKILL proves something about the process and next to nothing about the disk; power cuts at every write
of the group log are in ``tests/group/test_power.py``.
"""

import json
import os
import random
import threading
import time
from pathlib import Path
from urllib.parse import unquote

from tests.integration.broker import BrokerProcess, LineClient

ROUNDS = int(os.environ.get("FLUX_TEST_GROUP_KILLS", "20"))
CONSUMERS = 3
PARTITIONS = 3


def fields_of(answer: str) -> dict[str, str]:
    """``OK|a=1 b=[0 1]`` by name."""
    assert answer.startswith("OK|"), answer
    fields: dict[str, str] = {}
    name = ""
    for word in answer.removeprefix("OK|").split(" "):
        if "=" in word:
            name, _, fields[name] = word.partition("=")
        else:
            fields[name] += " " + word
    return fields


class Ledger:
    """What the broker has acknowledged, over all its lives."""

    def __init__(self) -> None:
        self.offsets = dict.fromkeys(range(PARTITIONS), 0)
        self.attempted = dict.fromkeys(range(PARTITIONS), 0)
        self.generation = 1
        self.commits = 0
        self.refused = 0
        self._lock = threading.Lock()

    def joined(self, generation: int) -> None:
        with self._lock:
            self.generation = max(self.generation, generation)

    def attempts(self, partition: int, offset: int) -> None:
        with self._lock:
            self.attempted[partition] = max(self.attempted[partition], offset)

    def committed(self, partition: int, offset: int) -> None:
        with self._lock:
            self.offsets[partition] = max(self.offsets[partition], offset)
            self.commits += 1


class Consumer(threading.Thread):
    """Joins, goes on where the group is, commits one further each time; joins again now and then, and when it is fenced."""

    def __init__(self, port: int, name: str, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._label = name
        self._ledger = ledger
        self._dice = random.Random(name)

    def run(self) -> None:
        """Until the broker is gone."""
        try:
            client = LineClient(self._port)
        except OSError:
            return
        try:
            while True:
                self._consume(client)
        except OSError:
            pass
        finally:
            client.close()

    def _consume(self, client: LineClient) -> None:
        joined = fields_of(client.ask("JOIN", f"g events {self._label} session_ms=60000"))
        generation = int(joined["generation"])
        self._ledger.joined(generation)
        owned = [int(partition) for partition in joined["assigned"].strip("[]").split()]
        next_offset = {p: int(fields_of(client.ask("OFFSET", f"g events {p}"))["offset"]) for p in owned}
        while self._dice.random() < 0.98:
            for partition in owned:
                next_offset[partition] += 1
                self._ledger.attempts(partition, next_offset[partition])
                text = f"g events {self._label} {generation} {partition} {next_offset[partition]}"
                answer = client.ask("COMMIT", text)
                if answer.startswith("ERR|GENERATION_MISMATCH|"):
                    self._ledger.refused += 1
                    return
                assert answer == "OK|committed=true", answer
                self._ledger.committed(partition, next_offset[partition])
            if not owned:
                client.ask("HEARTBEAT", f"g events {self._label} {generation}")
        client.ask("LEAVE", f"g events {self._label} {generation}")


def test_acknowledged_commits_survive_kill_9(tmp_path: Path) -> None:
    """No commit is missing or older, no generation falls, and a member of an old one cannot commit."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    ledger = Ledger()
    broker = BrokerProcess(tmp_path / "data", "--set", "group_snapshot_records=50")
    for round_number in range(ROUNDS):
        broker.start()
        _check(broker.client(), ledger, f"seed {seed}, round {round_number}")
        consumers = [Consumer(broker.port, f"c{number}", ledger) for number in range(CONSUMERS)]
        for consumer in consumers:
            consumer.start()
        time.sleep(dice.uniform(0.02, 0.25))  # the moment of the kill is the experiment
        broker.kill()
        for consumer in consumers:
            consumer.join(20)
            assert not consumer.is_alive()
    with broker:
        _check(broker.client(), ledger, f"seed {seed}, after all rounds")
        assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()[-3000:]
    assert ledger.commits > ROUNDS
    print(
        f"{ROUNDS} kills, {ledger.commits} commits acknowledged, {ledger.refused} of old generations refused,"
        f" generation {ledger.generation}, 0 lost (95 %: below {3 / ROUNDS:.0%} a kill)"
    )


def _check(client: LineClient, ledger: Ledger, label: str) -> None:
    for partition in range(PARTITIONS):
        offset = int(fields_of(client.ask("OFFSET", f"g events {partition}"))["offset"])
        acknowledged, attempted = ledger.offsets[partition], ledger.attempted[partition]
        assert acknowledged <= offset <= attempted, f"{label}: {acknowledged} <= {offset} <= {attempted}"
    generation = int(fields_of(client.ask("JOIN", "g events checker session_ms=60000"))["generation"])
    assert generation > ledger.generation, f"{label}: generation {generation} <= {ledger.generation}"
    zombie = client.ask("COMMIT", f"g events c0 {generation - 1} 0 999999")
    assert zombie.startswith("ERR|GENERATION_MISMATCH|"), f"{label}: {zombie}"
    ledger.joined(generation + 1)
    assert client.ask("LEAVE", f"g events checker {generation}") == "OK|left=true"
    client.close()


def test_a_person_sees_and_moves_a_live_group(tmp_path: Path) -> None:
    """GROUP_DESCRIBE, GROUP_RESET and EXPLAIN_GROUP beside a consumer that is fenced and goes on."""
    with BrokerProcess(tmp_path / "data") as broker:
        consumer, person = broker.client(), broker.client()
        for number in range(4):
            consumer.ask("PRODUCE", f"events user1:{number}")  # partition 2
        assert consumer.ask("JOIN", "g events c1") == "OK|generation=2 assigned=[0 1 2]"
        assert consumer.ask("COMMIT", "g events c1 2 2 3") == "OK|committed=true"
        described = person.ask("GROUP_DESCRIBE", "g")
        assert described.startswith("OK|group=g state=stable members=1 lag=1 json="), described
        details = json.loads(unquote(fields_of(described)["json"]))
        assert details["topics"][0]["partitions"][2]["lag_seconds"] >= 0
        moved = person.ask("GROUP_RESET", "g events to=offset:1")
        assert moved.startswith("OK|group=g topic=events generation=3 dry_run=false before=[none none 3] after=[0 0 1]")
        assert consumer.ask("COMMIT", "g events c1 2 2 4").startswith("ERR|GENERATION_MISMATCH|")
        assert consumer.ask("JOIN", "g events c1") == "OK|generation=3 assigned=[0 1 2]"
        assert consumer.ask("OFFSET", "g events 2") == "OK|offset=1 committed=true"
        events = json.loads(unquote(fields_of(person.ask("EXPLAIN_GROUP", "g"))["json"]))
        assert [event["cause"] for event in events] == ["joined", "reset"]
        consumer.close()
        person.close()
        assert broker.stop() == 0
