"""Commits survive ``kill -9``: consumers and a producer at work, the broker killed at random moments, and restarted.

As for records, SIGKILL proves little about the disk: ``tests/group`` cuts the power of a model disk at every write.
"""

import os
import random
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from tests.integration.broker import BrokerProcess, LineClient

ROUNDS = int(os.environ.get("FLUX_TEST_GROUP_KILLS", "20"))
GROUP, TOPIC = "readers", "work"


class Ledger:
    """What was acknowledged: partition → the highest offset committed, and the highest generation anybody was told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.committed: dict[int, int] = {}
        self.asked: dict[int, set[int]] = {}
        self.generation = 0
        self.commits = 0
        self.failures: list[str] = []


class Consumer(threading.Thread):
    """JOIN, then CONSUME and COMMIT what it owns, until the broker is gone; ever forward, as consumers do."""

    def __init__(self, port: int, name: str, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._member = name
        self._ledger = ledger

    def run(self) -> None:
        """Until the broker is gone."""
        try:
            client = LineClient(self._port)
        except OSError:
            return
        try:
            while True:
                self._work(client)
        except OSError:
            pass
        finally:
            client.close()

    def _work(self, client: LineClient) -> None:
        joined = client.ask("JOIN", f"{GROUP} {TOPIC} {self._member}")
        assert joined.startswith("OK|generation="), joined
        generation = int(joined.removeprefix("OK|generation=").split(" ")[0])
        partitions = [int(p) for p in joined.partition("assigned=[")[2].rstrip("]").split()]
        with self._ledger.lock:
            if generation < self._ledger.generation:
                # Another member may have been told a newer one between our answer and this line; ask again to be sure.
                again = client.ask("JOIN", f"{GROUP} {TOPIC} {self._member}")
                if int(again.removeprefix("OK|generation=").split(" ")[0]) < self._ledger.generation:
                    self._ledger.failures.append(f"generation fell to {generation} from {self._ledger.generation}")
            self._ledger.generation = max(self._ledger.generation, generation)
        for partition in partitions:
            known = client.ask("OFFSET", f"{GROUP} {TOPIC} {partition}")
            offset = int(known.removeprefix("OK|offset=").split(" ")[0])
            page = client.ask("CONSUME", f"{TOPIC} {partition} {offset} max_records=5")
            following = int(page.split(" next=")[1].split(" ")[0])
            if following == offset:
                continue
            with self._ledger.lock:
                self._ledger.asked.setdefault(partition, set()).add(following)
            arguments = f"{GROUP} {TOPIC} {self._member} {generation} {partition} {following}"
            answer = client.ask("COMMIT", arguments)
            if answer == "OK|committed=true":
                with self._ledger.lock:
                    self._ledger.commits += 1
                    self._ledger.committed[partition] = max(self._ledger.committed.get(partition, 0), following)
            else:
                assert answer.startswith("ERR|GENERATION_MISMATCH|"), answer


def _produce(port: int, stop: threading.Event) -> None:
    with suppress(OSError), closing(LineClient(port)) as client:
        while not stop.is_set():
            client.ask_all([("PRODUCE", f"{TOPIC} k{i}:v acks=1") for i in range(20)])


def test_commits_survive_kill_9(tmp_path: Path) -> None:
    """No acknowledged commit is missing or older, generations never fall, a member of an old one cannot commit."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    ledger = Ledger()
    broker = BrokerProcess(tmp_path / "data", "--set", "group_snapshot_records=50", "--set", "session_timeout_ms=60000")
    for round_number in range(ROUNDS):
        broker.start()
        _check(broker, ledger, seed)
        stop = threading.Event()
        # Old names and a new one: some rounds only refresh the members, some change the generation.
        names = ["c1", "c2", f"c{3 + dice.randrange(3)}"]
        workers: list[threading.Thread] = [Consumer(broker.port, name, ledger) for name in names]
        workers.append(threading.Thread(target=_produce, args=(broker.port, stop), daemon=True))
        for worker in workers:
            worker.start()
        time.sleep(dice.uniform(0.05, 0.4))  # the moment of the kill is the experiment
        stop.set()
        broker.kill()
        for worker in workers:
            worker.join(20)
            assert not worker.is_alive()
        assert not ledger.failures, (seed, round_number, ledger.failures)
    broker.start()
    _check(broker, ledger, seed)
    assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()[-3000:]
    assert ledger.commits > ROUNDS
    print(f"{ROUNDS} kills, {ledger.commits} commits acknowledged, generation {ledger.generation}, nothing lost")


def _check(broker: BrokerProcess, ledger: Ledger, seed: int) -> None:
    client = broker.client()
    for partition, least in ledger.committed.items():
        answer = client.ask("OFFSET", f"{GROUP} {TOPIC} {partition}")
        assert answer.endswith("committed=true"), (seed, answer)
        offset = int(answer.removeprefix("OK|offset=").split(" ")[0])
        assert offset >= least, f"seed {seed}: partition {partition} was committed at {least}, now {offset}"
        assert offset in ledger.asked[partition], f"seed {seed}: nobody committed {offset}"
        ledger.committed[partition] = offset
    if ledger.generation:
        joined = client.ask("JOIN", f"{GROUP} {TOPIC} c1")
        generation = int(joined.removeprefix("OK|generation=").split(" ")[0])
        assert generation >= ledger.generation, f"seed {seed}: generation {generation} after {ledger.generation}"
        owned = joined.partition("assigned=[")[2].rstrip("]").split()
        stale = client.ask("COMMIT", f"{GROUP} {TOPIC} c1 {generation - 1} {owned[0]} 0")
        assert stale.startswith("ERR|GENERATION_MISMATCH|"), (seed, stale)
    client.close()
