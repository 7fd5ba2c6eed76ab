"""``flux cluster`` against a real broker, with replicas that nobody keeps and a partition that nobody leads."""

from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess, LineClient
from tests.integration.cli.shell import Shell


@pytest.fixture
def lonely(tmp_path: Path) -> BrokerProcess:
    """A broker of its own: what a cluster is about concerns everybody on it."""
    return BrokerProcess(tmp_path / "data")


def prepare(client: LineClient) -> None:
    """Three partitions: one that is well, one with a replica out of sync, one that nobody leads."""
    for line in (
        "ADMIN_CREATE_TOPIC well 1 1",
        "ADMIN_CREATE_TOPIC behind 1 2",
        "ADMIN_CREATE_TOPIC alone 1 1",
        "ADMIN_SET_PARTITION_LEADER behind 0 0 0",
        "SET_PARTITION_ROLE alone 0 follower",
        "ADMIN_REGISTER_BROKER 7 127.0.0.1 9999",
        "ADMIN_FENCE_BROKER 7",
    ):
        answer = client.ask(*line.split(" ", 1))
        assert answer.startswith("OK|"), (line, answer)


def test_a_cluster_is_shown(lonely: BrokerProcess) -> None:
    """Who is there, who leads, who is behind, and why."""
    with lonely, Shell(f"127.0.0.1:{lonely.port}") as shell:
        client = lonely.client()
        prepare(client)
        client.close()
        assert shell.out("cluster", "--format", "table").splitlines()[2:] == [
            "broker_id:         0",
            "topics:            3",
            "partitions:        3",
            "under_replicated:  1",
            "without_leader:    1",
            "",
            "BROKER  FENCED  LEADS  HOLDS  IN_SYNC",
            "     0  no          2      3        3",
            "     1  -           0      1        0",
            "     7  yes         0      0        0",
        ]
        found = shell.json("cluster")
        assert (found["broker_id"], found["under_replicated"], found["without_leader"]) == (0, 1, 1)
        assert found["brokers"][2] == {"broker": 7, "fenced": True, "leads": 0, "holds": 0, "in_sync": 0}
        rows = {
            words: [line.split("\t") for line in shell.out("cluster", "partitions", *words.split()).splitlines()]
            for words in ("", "--under-replicated", "--without-leader", "well")
        }
        assert [row[0] for row in rows[""]] == ["alone", "behind", "well"]
        assert [(row[0], row[2], row[4], row[5]) for row in rows["--under-replicated"]] == [("behind", "0", "0,1", "0")]
        assert [(row[0], row[2]) for row in rows["--without-leader"]] == [("alone", "-")]
        assert [row[0] for row in rows["well"]] == ["well"]
        found = shell.json("cluster", "explain", "behind", "0")
        assert [(replica["replica"], replica["in_sync"]) for replica in found["replicas"]] == [(0, True), (1, False)]
        words = shell.out("cluster", "explain", "behind", "0", "--format", "table").splitlines()
        assert words[0] == "why:               every record is committed"
        assert "under_replicated:  yes" in words
        assert words[-3].split() == ["WHEN", "LEADER", "LEADER_EPOCH", "CAUSE"]


def test_what_cannot_be_asked_is_refused(shell: Shell) -> None:
    """A topic or a partition that is not there; an option where it would not count."""
    shell.out("topic", "create", "asked", "-p", "1")
    result = shell.run("cluster", "explain", "askde", "0")
    assert (result.exit_code, result.stderr) == (1, "Error: topic: askde does not exist; did you mean asked?\n")
    assert shell.run("cluster", "partitions", "askde").stderr == result.stderr
    assert "is not one of the 1 partitions" in shell.run("cluster", "explain", "asked", "1").stderr
    result = shell.run("cluster", "--brokers", "127.0.0.1:1", "partitions")
    assert result.exit_code == 2
    assert "--brokers belongs after 'partitions', not before it." in result.stderr


def test_nobody_there_is_said_with_a_way_out() -> None:
    """In one sentence."""
    with Shell("127.0.0.1:1") as shell:
        result = shell.run("cluster")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "start one with flux serve" in result.stderr
