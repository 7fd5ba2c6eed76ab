"""Topics that are deleted under load, grow, and forget, on a real directory."""

import json
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.integration.broker import BrokerProcess, LineClient

PATIENCE_S = 30.0
DEPTH = 16
PRODUCERS, CONSUMERS = 2, 2
LIVES = 8


class Load(threading.Thread):
    """One client that sends the same requests over and over, and counts its answers by code."""

    def __init__(self, port: int, requests: list[tuple[str, str]]) -> None:
        super().__init__(daemon=True)
        self.answers: dict[str, int] = {}
        self.strange: list[str] = []
        self.over = threading.Event()
        self._requests = requests
        self._client = LineClient(port)

    def run(self) -> None:
        """Until it is over."""
        while not self.over.is_set():
            try:
                answers = self._client.ask_all(self._requests)
            except (OSError, AssertionError) as error:
                self.strange.append(repr(error))
                return
            for answer in answers:
                code = "OK" if answer.startswith("OK|") else answer.split("|")[1]
                self.answers[code] = self.answers.get(code, 0) + 1
                if code not in ("OK", "UNKNOWN_TOPIC"):
                    self.strange.append(answer)
        self._client.close()


def topic_id(client: LineClient, topic: str) -> str:
    """What tells it from others of its name."""
    answer = client.ask("ADMIN_DESCRIBE_TOPIC", topic)
    assert answer.startswith(f"OK|topic={topic} "), answer
    found: str = json.loads(unquote(answer.partition("json=")[2]))["topic_id"]
    return found


def directories(data: Path, topic: str) -> list[str]:
    """Those of its partitions, living or half deleted."""
    return sorted(path.name for path in data.iterdir() if path.name.startswith(f"{topic}-"))


@pytest.mark.parametrize("auto_create", [False, True], ids=["made by command", "made on first use"])
def test_a_topic_is_deleted_under_load(tmp_path: Path, auto_create: bool) -> None:
    """Clients hear OK or UNKNOWN_TOPIC and nothing else; each life begins at offset 0 under its own id; no file and no traceback stay."""
    with BrokerProcess(tmp_path / "data", "--set", f"auto_create_topics={auto_create}".lower()) as broker:
        admin = broker.client()
        produce = [("PRODUCE", f"t key{number}:value acks={acks}") for number in range(DEPTH) for acks in ("1", "all")]
        consume = [
            ("CONSUME", "t 0 0 reset=earliest wait_ms=20"),
            ("CONSUME", "t 1 0 reset=earliest"),
            ("OFFSETS", "t 2 at=latest"),
        ]
        load = [Load(broker.port, produce) for _ in range(PRODUCERS)]
        load += [Load(broker.port, consume) for _ in range(CONSUMERS)]
        for client in load:
            client.start()
        ids = set()
        try:
            for life in range(LIVES):
                if not auto_create:
                    assert admin.ask("ADMIN_CREATE_TOPIC", "t 3 1").startswith("OK|topic=t partitions=3 ")
                until_produced(admin, load)
                if not auto_create:
                    ids.add(topic_id(admin, "t"))
                    assert len(ids) == life + 1
                assert admin.ask("ADMIN_DELETE_TOPIC", "t").startswith("OK|topic=t deleted=true term=1 index=")
        finally:
            for client in load:
                client.over.set()
            for client in load:
                client.join(PATIENCE_S)
        assert [strange for client in load for strange in client.strange] == []
        assert all(client.answers.get("OK") for client in load)
        if not auto_create:
            assert all(client.answers.get("UNKNOWN_TOPIC") for client in load)
        admin.ask("ADMIN_DELETE_TOPIC", "t")
        assert directories(broker.data_dir, "t") == []
        assert admin.ask("ADMIN_CREATE_TOPIC", "t 1 1").startswith("OK|")
        assert admin.ask("PRODUCE", "t k:v acks=all") == "OK|partition=0 offset=0 hw=0"
        admin.close()
        assert broker.stop() == 0
        assert "Traceback" not in broker.log()
        assert "#error]" not in broker.log()


def until_produced(client: LineClient, load: list[Load]) -> None:
    """Until this life of the topic has records."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = client.ask("CONSUME", "t 0 0 reset=earliest wait_ms=50 max_records=1")
        if answer.startswith("OK|messages=0:"):
            return
        assert time.monotonic() < deadline, (answer, [(each.answers, each.strange) for each in load])


def test_a_deletion_is_finished_by_the_next_start(tmp_path: Path) -> None:
    """Files that a crash left of a deleted topic do not come back as a topic; nor do old records under the old name."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        client.ask_all([("PRODUCE", f"t key{number}:old") for number in range(100)])
        client.socket.sendall(b"V1|1|ADMIN_DELETE_TOPIC|t\n")
        broker.kill()  # before, during or after: whichever, it is the whole topic or none of it
        client.close()
        broker.start()
        client = broker.client()
        counts = {client.ask("OFFSETS", f"t {number} at=latest").partition(" ")[0] for number in range(3)}
        client.ask("ADMIN_DELETE_TOPIC", "t")
        assert directories(broker.data_dir, "t") == []
        assert counts == {"OK|offset=0"} or "OK|offset=0" not in counts, counts
        assert client.ask("PRODUCE", "t k:new") == "OK|partition=0 offset=0 hw=0"
        client.close()


def test_retention_is_a_topics_own(tmp_path: Path) -> None:
    """Whole segments go, by size and then by age, of the topic that says so; whoever is below the start is told both ends."""
    with BrokerProcess(tmp_path / "data", "--set", "retention_interval_ms=50") as broker:
        client = broker.client()
        small = "segment.bytes=2048 retention.bytes=6000"
        assert client.ask("ADMIN_CREATE_TOPIC", f"small 1 1 {small}").startswith("OK|topic=small partitions=1 ")
        assert client.ask("ADMIN_CREATE_TOPIC", "whole 1 1 segment.bytes=2048").startswith("OK|")
        for topic in ("small", "whole"):
            for number in range(
                100
            ):  # a request each: a run would be one batch, and a batch is never split over segments
                assert client.ask("PRODUCE", f"{topic} k:{number:0300}").startswith("OK|")
        start = until_start_moves(client, 0)
        assert client.ask("CONSUME", "small 0 0") == (
            f"ERR|OFFSET_OUT_OF_RANGE|small-0: offset 0 is outside the log, which starts at {start} and ends at 100"
        )
        assert client.ask("CONSUME", "small 0 0 reset=earliest max_records=1").startswith(f"OK|messages={start}:")
        assert 6000 <= segment_bytes(broker.data_dir / "small-0") <= 6000 + 2 * 2048
        assert client.ask("OFFSETS", "whole 0 at=earliest") == "OK|offset=0 timestamp=-1"
        assert segment_bytes(broker.data_dir / "whole-0") > 100 * 300

        # By age, as soon as it is asked for; the active segment stays, and so do the offsets.
        assert client.ask("ADMIN_ALTER_TOPIC", "small retention.ms=1 retention.bytes=-1").startswith("OK|topic=small ")
        later = until_start_moves(client, start)
        assert segment_bytes(broker.data_dir / "small-0") <= 2 * 2048
        assert client.ask("ADMIN_ALTER_TOPIC", "small retention.ms=-1").startswith("OK|topic=small ")
        assert client.ask("PRODUCE", "small k:next") == "OK|partition=0 offset=100 hw=100"

        # ADMIN_DELETE_RECORDS is the same by hand; a restart remembers each.
        assert client.ask("ADMIN_DELETE_RECORDS", "whole 0 60") == "OK|topic=whole partition=0 log_start=60"
        assert segment_bytes(broker.data_dir / "whole-0") < 45 * 400
        assert client.ask("ADMIN_DELETE_RECORDS", "whole 0 101").startswith("ERR|OFFSET_OUT_OF_RANGE|")
        client.close()
        assert broker.stop() == 0
        broker.start()
        client = broker.client()
        assert client.ask("OFFSETS", "whole 0 at=earliest") == "OK|offset=60 timestamp=-1"
        assert int(client.ask("OFFSETS", "small 0 at=earliest").removeprefix("OK|offset=").split(" ")[0]) >= later
        assert client.ask("CONSUME", "whole 0 59").startswith("ERR|OFFSET_OUT_OF_RANGE|")
        client.close()


def until_start_moves(client: LineClient, start: int) -> int:
    """Where the log of ``small`` starts once retention has settled on something later than *start*."""
    deadline = time.monotonic() + PATIENCE_S
    seen = start
    while time.monotonic() < deadline:
        found = int(client.ask("OFFSETS", "small 0 at=earliest").removeprefix("OK|offset=").split(" ")[0])
        if found > start and found == seen:
            return found
        seen = found
        client.ask("CONSUME", "small 0 100 wait_ms=200")  # a few rounds of retention
    raise AssertionError(f"the log still starts at {seen}")


def segment_bytes(directory: Path) -> int:
    """Of the log's segments."""
    return sum(path.stat().st_size for path in directory.glob("*.log"))


def test_a_topic_grows_under_its_consumers(tmp_path: Path) -> None:
    """By leave only, because it holds keys; the group is told to join again, and shares what is new; a restart keeps it all."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("PRODUCE", "t user1:a") == "OK|partition=2 offset=0 hw=0"
        assert client.ask("JOIN", "g t c1") == "OK|generation=2 assigned=[0 1 2]"
        refusal = client.ask("ADMIN_ALTER_TOPIC", "t partitions=5")
        assert refusal.startswith("ERR|BAD_REQUEST|partitions: t holds keyed records"), refusal
        assert "allow_key_move=1" in refusal
        assert client.ask("ADMIN_ALTER_TOPIC", "t partitions=5 allow_key_move=1").startswith("OK|topic=t partitions=5 ")
        assert client.ask("HEARTBEAT", "g t c1 2").startswith("ERR|GENERATION_MISMATCH|")
        assert client.ask("JOIN", "g t c1").endswith("assigned=[0 1 2 3 4]")
        assert client.ask("PRODUCE", "t user1:b") == "OK|partition=3 offset=0 hw=0"
        client.close()
        assert broker.stop() == 0
        broker.start()
        client = broker.client()
        assert client.ask("CONSUME", "t 2 0").startswith("OK|messages=0:a ")
        assert client.ask("CONSUME", "t 3 0").startswith("OK|messages=0:b ")
        assert client.ask("ADMIN_ALTER_TOPIC", "t partitions=4").startswith("ERR|BAD_REQUEST|")
        client.close()
