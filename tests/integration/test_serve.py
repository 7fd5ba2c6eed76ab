"""Starting, refusing to start, and stopping, as seen by whoever runs the process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess, LineClient

PATIENCE_S = 60  # for what takes a second; a loaded machine may stretch it
SERVE = (sys.executable, "-c", "from flux.cli import main; main()", "serve")
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=twistd.pid", "flux")
LISTENING = re.compile(r"listening on .*port=(\d+)")
BOTH = pytest.mark.parametrize("command", [SERVE, TWISTD], ids=["serve", "twistd"])


def run(command: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself; twistd writes its stderr to its log on stdout, so both are one here."""
    return subprocess.run(
        command,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def assert_refused(command: Sequence[str], sentence: str, *arguments: str, **variables: str) -> None:
    """Exit status 1, the sentence, no traceback, and nothing left behind."""
    result = run([*command, *arguments], **variables)
    assert result.returncode == 1
    assert f"flux: {sentence}" in result.stdout
    assert "Traceback" not in result.stdout
    assert not Path("twistd.pid").exists()


def test_the_first_produce_is_readable_by_the_first_consume(tmp_path: Path) -> None:
    """Once it said READY, on the port it said."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:created") == "OK|partition=2 offset=0 hw=0"
        assert client.ask("CONSUME", "orders 2 0").startswith("OK|messages=0:created hw=0 next=1")
        client.close()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Processes started now see SIGINT, even if this one was started in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_drains_and_exits_0(tmp_path: Path, by: signal.Signals) -> None:
    """A parked long poll is told, a client that waits is closed, and everything is there after the next start."""
    with BrokerProcess(tmp_path / "data") as broker:
        client, idle = broker.client(), broker.client()
        assert client.ask("PRODUCE", "orders user1:created") == "OK|partition=2 offset=0 hw=0"
        client.socket.sendall(b"V1|2|PING|\nV1|3|CONSUME|orders 2 1 wait_ms=60000\n")
        assert client.line() == "V1|2|OK|pong=true"
        assert idle.ask("PING") == "OK|pong=true"
        os.kill(broker.pid, by)
        assert client.line().startswith("V1|3|ERR|SHUTTING_DOWN|")
        for each in (client, idle):
            with pytest.raises(ConnectionError):
                each.line()
            each.close()
        assert broker.wait() == 0
        assert "Traceback" not in broker.log()
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("CONSUME", "orders 2 0").startswith("OK|messages=0:created hw=0 ")
        client.close()


def test_an_interrupt_at_the_start_is_not_lost(tmp_path: Path) -> None:
    """Before the reactor runs it is remembered: the broker stops as soon as it is up, and leaves no thread that would keep it alive."""
    serve = subprocess.Popen([*SERVE, "--port", "0", "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    assert serve.stderr is not None
    with serve.stderr as log:
        assert any("listening on" in line for line in log)
        serve.send_signal(signal.SIGINT)
        assert "stopped" in log.read()
    assert serve.wait(PATIENCE_S) == 0
    assert (tmp_path / "clean-shutdown").exists()


def test_a_stop_says_in_a_line_each_what_could_not_be_saved(tmp_path: Path) -> None:
    """The directory is gone, as with a disk that died: nothing can be made in it any more."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:created") == "OK|partition=2 offset=0 hw=0"
        assert client.ask("JOIN", "readers orders c1").startswith("OK|")
        client.close()
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        assert broker.stop() == 0
        log = broker.log()
    for line in (
        "group snapshots are not saved",
        "high watermarks are not saved",
        "the stop could not be marked clean",
    ):
        assert log.count(line) == 1
    assert "Traceback" not in log
    assert not (tmp_path / "elsewhere" / "clean-shutdown").exists()


@pytest.mark.usefixtures("_interruptible")
def test_a_second_signal_does_not_wait_for_the_drain(tmp_path: Path) -> None:
    """Which here waits for a client that does not read its answer: 18 MB, more than the kernel's buffers take."""
    with BrokerProcess(tmp_path / "data", "--set", "drain_timeout_ms=60000") as broker:
        client = broker.client()
        client.ask_all([("PRODUCE", f"orders user1:{'x' * 900_000}")] * 20)
        client.socket.sendall(b"V1|21|CONSUME|orders 2 0 max_bytes=20000000\n")
        client.socket.recv(1, socket.MSG_PEEK)
        os.kill(broker.pid, signal.SIGTERM)
        with pytest.raises(ConnectionError):
            for _ in range(100_000):  # until it stops listening
                broker.client().close()
        assert broker.stop() == -signal.SIGTERM
        assert "Traceback" not in broker.log()
        client.close()


def test_twistd_drains_and_dies_of_the_signal(tmp_path: Path) -> None:
    """As twistd does for every service: once all is stopped it raises the signal again."""
    command = [*TWISTD, "--port", "0", "--data-dir", "data"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        client = next(LineClient(int(found[1])) for line in process.stdout if (found := LISTENING.search(line)))
        assert client.ask("PING") == "OK|pong=true"  # from here on the reactor sees signals
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        client.close()
        assert process.wait(PATIENCE_S) == -signal.SIGTERM
    assert "Broker#info] stopped" in rest
    assert "Traceback" not in rest
    assert not Path("twistd.pid").exists()


@BOTH
def test_a_taken_port_is_refused(command: Sequence[str]) -> None:
    """With the address, the reason, and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(command, f"cannot listen on 127.0.0.1 port {port}: ", "--port", port)


@BOTH
def test_a_bad_setting_is_refused(command: Sequence[str]) -> None:
    """From an option, a variable or a file; the sentence says which."""
    Path("flux.toml").write_text("[storage]\nfsync_mode = 'sometimes'\n")
    assert_refused(command, "--port: 'x' will not do; it must be a port", "--port", "x")
    assert_refused(command, "min_isr (from FLUX_MIN_ISR): 'x' will not do", FLUX_MIN_ISR="x")
    assert_refused(command, "fsync_mode (from [storage] of flux.toml): 'sometimes'", "--config", "flux.toml")
    assert_refused(command, "endpoints: 'tpc:1' is no endpoint string", "--endpoint", "tpc:1")
    assert not Path("flux-data").exists()


@BOTH
def test_a_second_broker_on_the_directory_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """And the first goes on."""
    data = tmp_path / "data"
    with BrokerProcess(data) as broker:
        assert_refused(command, f"data_dir: {data} is in use", "--port", "0", "--data-dir", "data")
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:created") == "OK|partition=2 offset=0 hw=0"
        client.close()


@BOTH
def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """A file is in its place."""
    (tmp_path / "data").write_text("not a directory")
    assert_refused(command, f"data_dir: {tmp_path}/data cannot be used", "--port", "0", "--data-dir", "data")


@BOTH
def test_a_system_that_gives_no_thread_is_refused(tmp_path: Path, command: Sequence[str]) -> None:
    """At the start, before anything was acknowledged that then could not be synced. A stack as large as this nobody gets."""
    executable, option, program, *words = command
    command = [executable, option, f"import threading; threading.stack_size(1 << 46); {program}", *words]
    assert_refused(command, "flux-flusher: the system refuses a thread", "--port", "0", "--data-dir", "data")
    with BrokerProcess(tmp_path / "data") as broker:  # the directory is free
        assert broker.stop() == 0


@pytest.mark.parametrize("source", ["option", "variable", "file"])
def test_a_setting_takes_effect_from_every_source(tmp_path: Path, source: str) -> None:
    """HELLO tells the longest line."""
    (tmp_path / "flux.toml").write_text("[server]\nmax_line_bytes = 4096\n")
    options = {"option": ["--set", "max_line_bytes=4096"], "file": ["--config", "flux.toml"]}.get(source, [])
    variables = {"FLUX_MAX_LINE_BYTES": "4096"} if source == "variable" else {}
    with BrokerProcess(tmp_path / "data", *options, **variables) as broker:
        client = broker.client()
        assert " max_line=4096 " in client.ask("HELLO")
        client.close()


def test_an_unknown_variable_is_only_warned_of(tmp_path: Path) -> None:
    """By name: a typing error there would otherwise go unseen."""
    with BrokerProcess(tmp_path / "data", FLUX_FSYNC="never") as broker:
        assert "#warn] no such setting, so not used: FLUX_FSYNC;" in broker.log()


def test_it_listens_on_every_endpoint(tmp_path: Path) -> None:
    """TCP and a path, at the same time."""
    with BrokerProcess(tmp_path / "data", "--endpoint", "unix:socket") as broker:
        client = broker.client()
        assert client.ask("PING") == "OK|pong=true"
        client.close()
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(PATIENCE_S)
            other.connect("socket")
            other.sendall(b"V1|1|PING|\n")
            assert other.recv(100) == b"V1|1|OK|pong=true\n"


def test_the_log_can_be_json(tmp_path: Path) -> None:
    """One object a line, all of them, from start to stop."""
    with BrokerProcess(tmp_path / "data", "--log-format", "json") as broker:
        assert broker.stop() == 0
        lines = [json.loads(line) for line in broker.log().splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert any(line["source"] == "flux.broker.Broker" and line["message"] == "stopped" for line in lines)


def test_the_log_can_be_quiet(tmp_path: Path) -> None:
    """At level error, a start and a stop say nothing."""
    with BrokerProcess(tmp_path / "data", "--log-level", "error") as broker:
        assert broker.stop() == 0
        assert broker.log() == ""


def test_it_runs_on_a_reactor_of_its_own(tmp_path: Path) -> None:
    """Unless told otherwise."""
    for options, reactor in (
        ((), "flux._epoll.EventReactor"),
        (("--reactor", "poll"), "twisted.internet.pollreactor.PollReactor"),
    ):
        with BrokerProcess(tmp_path / reactor, *options) as broker:
            assert broker.stop() == 0
            assert f", runs on {reactor}\n" in broker.log()


@pytest.mark.parametrize(
    ("chosen", "reactor"),
    [([], "flux._epoll.EventReactor"), (["--reactor=select"], "twisted.internet.selectreactor.SelectReactor")],
)
def test_twistd_runs_it_there_too(tmp_path: Path, chosen: list[str], reactor: str) -> None:
    """It ends at once here, for want of a port; by then it has said so."""
    result = run(
        [
            *TWISTD[:-1],
            *chosen,
            "flux",
            "--data-dir",
            str(tmp_path / "data"),
            "--endpoint",
            "tcp:1:interface=203.0.113.1",
        ]
    )
    assert result.returncode == 1
    assert f", runs on {reactor}\n" in result.stdout


def test_it_runs_on_uvloop(tmp_path: Path) -> None:
    """The reactor of an extra."""
    with BrokerProcess(tmp_path / "data", "--reactor", "uvloop") as broker:
        client = broker.client()
        assert client.ask("PRODUCE", "orders user1:created") == "OK|partition=2 offset=0 hw=0"
        client.close()
        assert broker.stop() == 0


def test_an_unknown_reactor_is_refused() -> None:
    """And the known ones are listed."""
    result = run([*SERVE, "--reactor", "warp"])
    assert result.returncode == 1
    assert "--reactor: there is no 'warp'; there are " in result.stdout
    assert "uvloop" in result.stdout
