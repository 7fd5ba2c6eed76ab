"""A partition with three replicas, two of which must be in sync, over real sockets and restarts. Its followers are this test's reports."""

import json
import random
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.integration.broker import BrokerProcess, LineClient

LAG_TIMEOUT_S = 2.0
LATE_S = 5.0  # a loaded machine: the ISR is looked at ten times a second
PATIENCE_S = 30.0
KILLS = 8
SETTINGS = ("min_isr=2", f"replica_lag_timeout_ms={LAG_TIMEOUT_S * 1000:.0f}", "ack_all_timeout_ms=300")


class Watcher:
    """Asks about partition 0 of ``t``, and remembers every watermark it is told."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._client: LineClient | None = None

    def connect(self, broker: BrokerProcess) -> None:
        """To this one from now on."""
        self.close()
        self._client = broker.client()

    def ask(self, command: str, arguments: str) -> str:
        """What :meth:`LineClient.ask` answers."""
        assert self._client is not None
        answer = self._client.ask(command, arguments)
        if answer.startswith("OK|") and " hw=" in answer:
            self.seen.append(int(answer.partition(" hw=")[2].split(" ")[0]))
        return answer

    def report(self, replica: int, offset: int) -> str:
        """The ISR after a report, as it is printed."""
        answer = self.ask("REPLICA_FETCH", f"t 0 {replica} {offset}")
        assert answer.startswith(f"OK|replica={replica} acked_offset={offset} hw="), answer
        return answer.partition(" isr=")[2].partition(" under_replicated=")[0]

    def explain(self) -> dict[str, Any]:
        """EXPLAIN_PARTITION."""
        answer = self.ask("EXPLAIN_PARTITION", "t 0")
        assert answer.startswith("OK|topic=t partition=0 json="), answer
        found: dict[str, Any] = json.loads(unquote(answer.partition("json=")[2]))
        return found

    def shown(self) -> list[bytes]:
        """What a consumer sees."""
        assert self._client is not None
        return [value for _, value in self._client.records("t", 0)]

    def wait_for_isr(self, isr: list[int], *reporting: int) -> dict[str, Any]:
        """The explanation, once *isr* is in sync; replicas *reporting* go on doing so meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = self.explain()
            if found["isr"] == isr:
                return found
            for replica in reporting:
                self.report(replica, found["log_end"] - 1)
            self.ask("CONSUME", f"t 0 {found['log_end']} wait_ms=20")
        raise AssertionError(f"{isr} is not in sync: {self.explain()}")

    def wait_for_end(self, end: int) -> None:
        """Until the log holds everything below offset *end*."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.explain()["log_end"]) < end:
            assert time.monotonic() < deadline, f"the log ends at {found}"

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()


def broker_on(path: Path) -> BrokerProcess:
    """With the settings above."""
    return BrokerProcess(path, *[word for setting in SETTINGS for word in ("--set", setting)])


def test_commits_follow_the_replicas(tmp_path: Path) -> None:
    """Time out, confirm, fall behind, be invisible, come back; the watermark never falls, over role changes and restarts too."""
    watcher = Watcher()
    with broker_on(tmp_path / "data") as broker:
        watcher.connect(broker)
        producer = broker.client()

        # Nobody reports: appended, not confirmed, and the answer says which.
        assert producer.ask("ADMIN_CREATE_TOPIC", "t 1 3").startswith("OK|topic=t partitions=1 replication_factor=3 ")
        answer = producer.ask("PRODUCE", "t k:first acks=all")
        assert answer.startswith("ERR|REPLICATION_TIMEOUT|partition t-0, offset 0: appended, not yet confirmed"), answer
        assert watcher.shown() == []

        # Reports confirm it, and what is under way.
        assert watcher.report(1, 0) == watcher.report(2, 0) == "[0 1 2]"
        assert watcher.shown() == [b"first"]
        producer.socket.sendall(b"V1|all|PRODUCE|t k:second acks=all\n")
        watcher.wait_for_end(2)
        assert watcher.report(1, 1) == watcher.report(2, 1) == "[0 1 2]"
        assert producer.line() == "V1|all|OK|partition=0 offset=1 hw=1"

        # A silent follower leaves on time, while the other stays.
        heard = time.monotonic()
        found = watcher.wait_for_isr([0, 1], 1)
        assert LAG_TIMEOUT_S - 0.1 <= time.monotonic() - heard <= LAG_TIMEOUT_S + LATE_S
        assert found["replicas"][2]["why"].startswith("silent for ")
        assert producer.ask("PRODUCE", "t k:third acks=1") == "OK|partition=0 offset=2 hw=1"
        assert watcher.report(1, 2) == "[0 1]"
        assert watcher.shown() == [b"first", b"second", b"third"]

        # Below min ISR: written for acks=1, invisible; refused for acks=all.
        watcher.wait_for_isr([0])
        assert producer.ask("PRODUCE", "t k:fourth acks=1") == "OK|partition=0 offset=3 hw=2"
        assert producer.ask("PRODUCE", "t k:never acks=all").startswith("ERR|NOT_ENOUGH_REPLICAS|")
        assert watcher.shown() == [b"first", b"second", b"third"]
        found = watcher.explain()
        assert found["why"].startswith("1 records are not committed: 1 replicas are in sync"), found["why"]
        assert (found["min_isr"], found["log_end"], found["hw"]) == (2, 4, 2)

        # A role change neither shows nor hides anything.
        assert watcher.ask("SET_PARTITION_ROLE", "t 0 follower") == "OK|topic=t partition=0 role=follower hw=2"
        assert watcher.ask("REPLICA_FETCH", "t 0 1 3").startswith("ERR|BAD_REQUEST|")
        assert watcher.shown() == [b"first", b"second", b"third"]
        assert watcher.ask("SET_PARTITION_ROLE", "t 0 leader") == "OK|topic=t partition=0 role=leader hw=2"

        # Late followers come back: one that lacks records does not count before it has them.
        assert watcher.report(2, 1) == "[0]"
        assert watcher.report(1, 3) == "[0 1]"
        assert watcher.report(2, 3) == "[0 1 2]"
        assert watcher.shown() == [b"first", b"second", b"third", b"fourth"]
        assert producer.ask("PRODUCE", "t k:fifth acks=1") == "OK|partition=0 offset=4 hw=3"
        producer.close()
        assert broker.stop() == 0

    with broker_on(tmp_path / "data") as broker:  # after a clean stop
        watcher.connect(broker)
        assert watcher.explain()["hw"] == 3
        assert watcher.shown() == [b"first", b"second", b"third", b"fourth"]
        watcher.report(1, 4)
        watcher.report(2, 4)
        watcher.wait_for_isr([0, 1, 2], 1, 2)
        assert len(watcher.shown()) == 5
        broker.kill()

    with broker_on(tmp_path / "data") as broker:  # after kill -9
        watcher.connect(broker)
        assert len(watcher.shown()) == 5
        assert "Traceback" not in broker.log()
        watcher.close()
    assert watcher.seen == sorted(watcher.seen)
    assert watcher.seen[-1] == 4


class Follower(threading.Thread):
    """A replica that has everything the moment it is there, and says so until the broker is gone; it notes what it is told."""

    def __init__(self, broker: BrokerProcess, replica: int) -> None:
        super().__init__()
        self.shown = -1
        self._client = broker.client()
        self._replica = replica

    def run(self) -> None:
        """Report, look, report."""
        with suppress(OSError):
            while True:
                # An offset far beyond the end: reports are capped at it.
                answer = self._client.ask("REPLICA_FETCH", f"t 0 {self._replica} 1000000000")
                self.shown = max(self.shown, int(answer.partition(" hw=")[2].split(" ")[0]))
        self._client.close()


def test_a_kill_never_shows_less_than_was_shown(tmp_path: Path) -> None:
    """Nor less than acks=all confirmed: before any follower has spoken again, all of it is there."""
    dice = random.Random(4)
    shown = confirmed = -1
    with broker_on(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("ADMIN_CREATE_TOPIC", "t 1 3").startswith("OK|")
        for _ in range(KILLS):
            followers = [Follower(broker, replica) for replica in (1, 2)]
            for follower in followers:
                follower.start()
            victim = threading.Timer(dice.uniform(0.02, 0.2), broker.kill)
            victim.start()
            with suppress(OSError):
                while True:
                    answers = client.ask_all([("PRODUCE", b"t k:v acks=all")] * 8)
                    offsets = [
                        int(each.split("offset=")[1].split(" ")[0]) for each in answers if each.startswith("OK|")
                    ]
                    confirmed = max([confirmed, *offsets])
            victim.join()
            for follower in followers:
                follower.join()
            shown = max(shown, *[follower.shown for follower in followers])
            client.close()
            broker.start()
            client = broker.client()
            answer = client.ask("CONSUME", f"t 0 {max(shown, confirmed)}")
            assert answer.startswith("OK|messages="), answer
            assert int(answer.partition(" hw=")[2].split(" ")[0]) >= max(shown, confirmed), (answer, shown, confirmed)
        client.close()
    print(f"{KILLS} kills, watermark {shown}, {confirmed + 1} records confirmed by acks=all; never less was shown")


def test_a_role_stays_until_it_is_changed(tmp_path: Path) -> None:
    """Over a clean stop and over kill -9; the log is untouched."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:a acks=all") == "OK|partition=2 offset=0 hw=0"
        assert client.ask("SET_PARTITION_ROLE", "orders 2 follower") == "OK|topic=orders partition=2 role=follower hw=0"
        client.close()
        assert broker.stop() == 0
        broker.start()
        broker.kill()
        broker.start()
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:b").startswith("ERR|NOT_LEADER|")
        assert client.ask("CONSUME", "orders 2 0").startswith("OK|messages=0:a hw=0 ")
        assert client.ask("SET_PARTITION_ROLE", "orders 2 leader") == "OK|topic=orders partition=2 role=leader hw=0"
        assert client.ask("PRODUCE", "orders user1:b acks=all") == "OK|partition=2 offset=1 hw=1"
        client.close()
