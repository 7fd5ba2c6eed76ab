"""Starting, refusing to start, and stopping, as seen by whoever runs the process."""

import json
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.broker_process import SERVE, TWISTD, BrokerProcess, environment, run

TWISTD_FLUX = (*TWISTD, "-n", "--pidfile=twistd.pid", "flux")
BOTH = pytest.mark.parametrize("command", [SERVE, TWISTD_FLUX], ids=["serve", "twistd"])


def assert_refused(command: Sequence[str], cwd: Path, sentence: str, *arguments: str, **variables: str) -> None:
    """Exit status 1, the sentence, no traceback, and nothing left behind."""
    result = run([*command, *arguments], cwd, **variables)
    assert result.returncode == 1
    assert f"flux: {sentence}" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not (cwd / "twistd.pid").exists()


def test_it_says_where_it_is_once_it_answers(tmp_path: Path) -> None:
    """READY names the port it really got, and the first produce is readable by the first consume."""
    with BrokerProcess(tmp_path) as broker, broker.connect() as client:
        assert broker.ready == f"FLUX READY port={broker.port}"
        assert broker.port > 0
        assert client.ask("V1|1|PRODUCE|orders user1:created") == "V1|1|OK|partition=2 offset=0 hw=0"
        assert client.ask("V1|2|CONSUME|orders 2 0").startswith("V1|2|OK|messages=0:created hw=0 next=1")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_drains_and_exits_0(tmp_path: Path, by: signal.Signals) -> None:
    """A parked long poll is told, a client that waits is closed, and everything is there after the next start."""
    with BrokerProcess(tmp_path) as broker, broker.connect() as client, broker.connect() as idle:
        assert client.ask("V1|1|PRODUCE|orders user1:created") == "V1|1|OK|partition=2 offset=0 hw=0"
        client.send("V1|2|CONSUME|orders 2 1 wait_ms=60000")
        assert idle.ask("V1|1|PING|") == "V1|1|OK|pong=true"
        assert broker.stop(by) == 0
        assert client.answer().startswith("V1|2|ERR|SHUTTING_DOWN|")
        assert client.answer() == idle.answer() == ""
        assert "Traceback" not in broker.log
    with BrokerProcess(tmp_path) as broker, broker.connect() as client:
        assert client.ask("V1|3|CONSUME|orders 2 0").startswith("V1|3|OK|messages=0:created hw=0 ")


def test_twistd_drains_and_reraises_the_signal(tmp_path: Path) -> None:
    """As twistd does for every service: whoever started it sees the signal it died of."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    import subprocess

    process = subprocess.Popen(
        [*TWISTD_FLUX, "--port", str(port), "--data-dir", "data"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if "serves 0 topics" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.wait(60) == -signal.SIGTERM
    assert "Broker#info] stopped" in rest
    assert "Traceback" not in rest


@BOTH
def test_a_taken_port_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """With the address, the reason, and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(command, tmp_path, f"cannot listen on 127.0.0.1 port {port}: ", "--port", port)


@BOTH
def test_a_bad_setting_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """From an option, a variable or a file; the sentence says which."""
    (tmp_path / "flux.toml").write_text("[storage]\nfsync_mode = 'sometimes'\n")
    assert_refused(command, tmp_path, "--port: 'x' will not do; it must be a port", "--port", "x")
    assert_refused(command, tmp_path, "min_isr (from FLUX_MIN_ISR): 'x' will not do", FLUX_MIN_ISR="x")
    assert_refused(command, tmp_path, "fsync_mode (from [storage] of flux.toml): 'sometimes'", "--config", "flux.toml")
    assert_refused(command, tmp_path, "endpoints: 'tpc:1' is no endpoint string", "--endpoint", "tpc:1")
    assert not (tmp_path / "flux-data").exists()


@BOTH
def test_a_second_broker_on_the_directory_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """And the first goes on."""
    with BrokerProcess(tmp_path) as broker, broker.connect() as client:
        data = str(tmp_path / "data")
        assert_refused(command, tmp_path, f"data_dir: {data} is in use", "--port", "0", "--data-dir", data)
        assert client.ask("V1|1|PRODUCE|orders user1:created") == "V1|1|OK|partition=2 offset=0 hw=0"


@BOTH
def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """A file is in its place."""
    (tmp_path / "data").write_text("not a directory")
    assert_refused(command, tmp_path, f"data_dir: {tmp_path}/data cannot be used", "--port", "0", "--data-dir", "data")


@pytest.mark.parametrize("source", ["option", "variable", "file"])
def test_a_setting_takes_effect_from_every_source(tmp_path: Path, source: str) -> None:
    """HELLO tells the longest line."""
    arguments: list[str] = []
    variables = {}
    if source == "option":
        arguments = ["--set", "max_line_bytes=4096"]
    elif source == "variable":
        variables = {"FLUX_MAX_LINE_BYTES": "4096"}
    else:
        (tmp_path / "flux.toml").write_text("[server]\nmax_line_bytes = 4096\n")
        arguments = ["--config", "flux.toml"]
    with BrokerProcess(tmp_path, *arguments, variables=variables) as broker, broker.connect() as client:
        assert " max_line=4096 " in client.ask("V1|1|HELLO|")


def test_an_unknown_variable_is_only_warned_of(tmp_path: Path) -> None:
    """By name: a typing error there would otherwise go unseen."""
    with BrokerProcess(tmp_path, variables={"FLUX_FSYNC": "never"}) as broker:
        assert "#warn] no such setting, so not used: FLUX_FSYNC;" in broker.log


def test_it_listens_on_every_endpoint(tmp_path: Path) -> None:
    """TCP and a path, at the same time."""
    with BrokerProcess(tmp_path, "--endpoint", "unix:socket") as broker, broker.connect() as client:
        assert client.ask("V1|1|PING|") == "V1|1|OK|pong=true"
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(60)
            other.connect(str(tmp_path / "socket"))
            other.sendall(b"V1|1|PING|\n")
            assert other.recv(100) == b"V1|1|OK|pong=true\n"


def test_the_log_can_be_json(tmp_path: Path) -> None:
    """One object a line, all of them, from start to stop."""
    with BrokerProcess(tmp_path, "--log-format", "json") as broker:
        assert broker.stop() == 0
        lines = [json.loads(line) for line in broker.log.splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert any(line["source"] == "flux.broker.Broker" and line["message"] == "stopped" for line in lines)


def test_the_log_can_be_quiet(tmp_path: Path) -> None:
    """At level error, a start and a stop say nothing."""
    with BrokerProcess(tmp_path, "--log-level", "error") as broker:
        assert broker.stop() == 0
        assert broker.log == ""


def test_it_runs_on_uvloop(tmp_path: Path) -> None:
    """The reactor of an extra."""
    with BrokerProcess(tmp_path, "--reactor", "uvloop") as broker, broker.connect() as client:
        assert client.ask("V1|1|PRODUCE|orders user1:created") == "V1|1|OK|partition=2 offset=0 hw=0"
        assert broker.stop() == 0


def test_an_unknown_reactor_is_refused(tmp_path: Path) -> None:
    """And the known ones are listed."""
    result = run([*SERVE, "--reactor", "warp"], tmp_path)
    assert result.returncode == 1
    assert "--reactor: there is no 'warp'; there are " in result.stderr
    assert "uvloop" in result.stderr
