"""``flux bench``, short, on a broker that runs and on one of its own."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess
from tests.integration.cli.shell import Shell

QUICK = ("bench", "--seconds", "0.1", "--size", "10")


def test_a_running_broker_is_measured_and_left_as_it_was(shell: Shell, broker: BrokerProcess) -> None:
    """Everything that was acknowledged is read; the topic is gone."""
    before = shell.json("cluster")["topics"]
    result = shell.run(
        *QUICK, "-b", f"127.0.0.1:{broker.port}", "--acks", "all", "--in-flight", "50", "--format", "json"
    )
    found = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert found["stored"] == found["read"] == sum(phase["records"] for phase in found["phases"][:2]) > 0
    assert [phase["phase"] for phase in found["phases"]] == ["produce, one by one", "produce, 50 in flight", "consume"]
    for phase in found["phases"]:
        assert 0 < phase["p50_ms"] <= phase["p99_ms"] <= phase["p999_ms"]
        assert phase["records_per_s"] > 0
    assert shell.json("cluster")["topics"] == before


def test_a_broker_of_its_own_goes_with_it(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory and its process too; nobody else's broker is touched, whatever FLUX_BROKERS says."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = shell.json("cluster")["topics"]
    terminal = shell.typed(*QUICK)
    assert terminal.wait() == 0, terminal.shown
    assert "measuring" in terminal.shown
    assert re.search("P50_MS +P99_MS +P999_MS", terminal.shown)
    assert shell.json("cluster")["topics"] == before
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(
    number: signal.Signals, status: int, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of it; a second one would insist."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    terminal = shell.typed("bench", "--seconds", "30")
    terminal.until("measuring")
    if number is signal.SIGINT:
        terminal.type("\x03")
    else:
        terminal.signal(number)
    assert terminal.wait() == status, terminal.shown
    assert "Interrupted: nothing was measured, and nothing is left behind" in terminal.shown
    assert_nothing_is_left(tmp_path)


def test_a_broker_that_is_not_there_is_told(shell: Shell) -> None:
    """Before anything is measured."""
    result = shell.run(*QUICK, "-b", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "start one with flux serve" in result.stderr


def assert_nothing_is_left(directory: Path) -> None:
    """No file below *directory*, and no process that knows it."""
    assert list(directory.iterdir()) == []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert str(directory).encode() not in (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # it ended meanwhile, or is none of ours
            continue
