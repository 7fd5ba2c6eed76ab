"""Servers on loopback: what they have in common, however they are started and whatever they speak."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from bench import process

_START_S = 60.0  # a log of 10 GiB may have to be checked
_STOP_S = 60.0


class Request(NamedTuple):
    """A request as the load generator writes it, and how it knows the answer. The fields of a template: see ``loadgen.c``."""

    template: str
    expect: str
    lines: int = 1
    greeting: str = ""
    greeting_lines: int = 0
    ignored: str = ""


class Server(NamedTuple):
    """A running server: what it is, where it listens, its process and its directory."""

    kind: str
    port: int
    pid: int
    directory: Path

    def cpu_s(self) -> float:
        """CPU time so far."""
        return process.cpu_s(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory."""
        return process.rss_bytes(self.pid)

    def kill(self) -> None:
        """As ``kill -9`` does."""
        os.kill(self.pid, signal.SIGKILL)


class Contender(Protocol):
    """A kind of server."""

    kind: str

    def version(self) -> str | None:
        """None if it is not installed."""

    def durability(self, mode: str) -> str | None:
        """Its own name of what equals Flux's fsync mode *mode*; None if it cannot do that."""

    def start(self, mode: str, directory: Path | None = None) -> contextlib.AbstractContextManager[Server]:
        """A server whose log, stream, … ``bench`` is there and empty."""

    def produce(self) -> Request:
        """Appends one value of the generator's size, and is answered when it is as safe as the mode says."""

    def pages(self, server: Server, records: int) -> Request:
        """Reads *records* from the generator's running offset on; values are in the log already."""


@contextlib.contextmanager
def directory_or_temporary(given: Path | None) -> Iterator[Path]:
    """*given*, or one that goes in the end."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="flux-bench-", dir=os.environ.get("FLUX_BENCH_DIRECTORY")) as name:
        yield Path(name)


def free_port() -> int:
    """A port nobody listens on just now, for servers that cannot choose one themselves and say which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def first_line(command: Sequence[str]) -> str | None:
    """What *command* says about itself; None if there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


@contextlib.contextmanager
def running(
    kind: str, command: Sequence[str], port: int, directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """*command* as a server: there once it accepts, and ended with its context. :raises SystemExit: it did not start."""
    output = directory / f"{kind}.out"
    with output.open("wb") as file:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)
    try:
        _wait_for(port, child, output)
        yield Server(kind, port, child.pid, directory)
    finally:
        end(child)


def end(child: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and wait; what does not heed it is killed."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait_for(port: int, child: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"it did not start: {output.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.001)
