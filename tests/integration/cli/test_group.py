"""``flux group`` against a real broker."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.broker import BrokerProcess, LineClient
from tests.integration.cli.shell import Shell


@pytest.fixture
def client(broker: BrokerProcess) -> Iterator[LineClient]:
    """A consumer by hand."""
    client = broker.client()
    yield client
    client.close()


def fill(client: LineClient, topic: str, group: str, committed: int) -> None:
    """Ten records, a second apart, in one partition; a member that committed."""
    client.ask("ADMIN_CREATE_TOPIC", f"{topic} 1 1")
    for number in range(10):
        client.ask("PRODUCE", f"{topic} :{number} ts={1_700_000_000_000 + 1000 * number}")
    assert client.ask("JOIN", f"{group} {topic} c1") == "OK|generation=2 assigned=[0]"
    assert client.ask("COMMIT", f"{group} {topic} c1 2 0 {committed}") == "OK|committed=true"


def test_groups_are_listed_and_described(shell: Shell, client: LineClient) -> None:
    """Who is in them, what each owns, and how far behind it is."""
    fill(client, "desc", "g-desc", 4)
    assert ["g-desc", "stable", "1", "desc"] in [line.split("\t") for line in shell.out("group", "list").splitlines()]
    words = shell.out("group", "describe", "g-desc", "--format", "table").splitlines()
    assert words[:4] == [
        "group:               g-desc",
        "state:               stable",
        "lag:                 6",
        "generation on desc:  2, stable, round_robin",
    ]
    assert words[5].split() == [
        "TOPIC",
        "PARTITION",
        "COMMITTED",
        "LOG_START",
        "LOG_END",
        "LAG",
        "LAG_SECONDS",
        "MEMBER",
    ]
    assert words[6].split()[:6] == ["desc", "0", "4", "0", "10", "6"]
    assert words[8].split() == ["TOPIC", "MEMBER", "ASSIGNED", "SILENT_MS", "SESSION_MS", "KNOWS_GENERATION"]
    assert words[9].split()[:3] == ["desc", "c1", "0"]
    (topic,) = shell.json("group", "describe", "g-desc")["topics"]
    assert (topic["partitions"][0]["lag"], topic["members"][0]["member"]) == (6, "c1")


def test_lag_is_sorted_and_of_all_groups(shell: Shell, client: LineClient) -> None:
    """Or of those named."""
    fill(client, "lag", "g-lag", 9)
    fill(client, "lag2", "g-lag2", 1)
    lines = [line.split("\t") for line in shell.out("group", "lag").splitlines()]
    ours = [(row[0], row[6]) for row in lines if row[0] in ("g-lag", "g-lag2")]
    assert ours == [("g-lag2", "9"), ("g-lag", "1")]
    (only,) = shell.json("group", "lag", "g-lag")
    assert (only["group"], only["topic"], only["partition"], only["lag"]) == ("g-lag", "lag", 0, 1)


def test_a_reset_is_a_dry_run_unless_it_is_executed(shell: Shell, client: LineClient) -> None:
    """To either end, to an offset, to a time."""
    fill(client, "moved", "g-moved", 4)

    def committed() -> int:
        (topic,) = shell.json("group", "describe", "g-moved")["topics"]
        return int(topic["partitions"][0]["committed"])

    for option, after in (
        (["--to-earliest"], 0),
        (["--to-latest"], 10),
        (["--to-offset", "7"], 7),
        (["--to-offset", "70"], 10),
        (["--to-datetime", "1700000002500"], 3),
        (["--to-datetime", "2023-11-14T22:13:22.5Z"], 3),
        (["--to-datetime", "2023-11-14T23:13:25+01:00"], 5),
    ):
        before = committed()
        result = shell.run("group", "reset", "g-moved", "-t", "moved", *option)
        assert (result.exit_code, result.stdout) == (0, f"moved\t0\t{before}\t{after}\n")
        assert result.stderr == "Nothing was changed: this is what --execute would do.\n"
        assert committed() == before
        assert shell.out("group", "reset", "g-moved", "--all-topics", *option, "--execute") == result.stdout
        assert committed() == after


def test_a_reset_fences_whoever_reads_and_is_explained(shell: Shell, client: LineClient) -> None:
    """With who it was, and why."""
    fill(client, "fenced", "g-fenced", 4)
    result = shell.run(
        "group", "reset", "g-fenced", "-t", "fenced", "--to-offset", "2", "--execute", "--format", "json"
    )
    assert json.loads(result.stdout) == {
        "group": "g-fenced",
        "dry_run": False,
        "partitions": [{"topic": "fenced", "partition": 0, "before": 4, "after": 2}],
    }
    assert client.ask("COMMIT", "g-fenced fenced c1 2 0 5").startswith("ERR|GENERATION_MISMATCH|")
    lines = [line.split("\t")[1:] for line in shell.out("group", "explain", "g-fenced").splitlines()]
    assert lines == [
        ["fenced", "joined", "c1", "1→2", "0→1", "0→1", "-"],
        ["fenced", "reset", "-", "2→3", "1", "1", "to=offset:2"],
    ]
    assert [event["cause"] for event in shell.json("group", "explain", "g-fenced")] == ["joined", "reset"]


def test_a_mistyped_group_finds_its_original(shell: Shell, client: LineClient) -> None:
    """Whatever was asked of it."""
    fill(client, "typo", "g-typo", 0)
    for words in (["describe"], ["lag"], ["explain"], ["reset", "-t", "typo", "--to-latest"]):
        result = shell.run("group", words[0], "g-tpyo", *words[1:])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: group: g-tpyo does not exist; did you mean g-typo?\n"
    result = shell.run("group", "describe", "nothing-like-it")
    assert result.stderr == "Error: group: nothing-like-it does not exist; flux group list shows those that do.\n"


def test_what_cannot_be_understood_is_exit_2(shell: Shell) -> None:
    """Nowhere, two places at once, no topic, no time."""
    for words in (
        ["-t", "x"],
        ["-t", "x", "--to-earliest", "--to-latest"],
        ["--to-earliest"],
        ["-t", "x", "--all-topics", "--to-earliest"],
        ["-t", "x", "--to-datetime", "yesterday"],
    ):
        assert shell.run("group", "reset", "any", *words).exit_code == 2, words
