"""Servers started on loopback for one measurement, on directories of their own, and ended by process id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_START_S = 20.0


class Server(NamedTuple):
    """A running server: where it listens, and its process."""

    name: str
    port: int
    pid: int
    directory: Path


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def flux(*settings: str, directory: Path | None = None) -> Iterator[Server]:
    """``twistd flux``, with ``name=value`` settings."""
    options = [word for setting in settings for word in ("--set", setting)]
    with _directory(directory) as place:
        port = free_port()
        command = [sys.executable, "-m", "twisted", "--log-file", str(place / "log"), "flux", "--port", str(port)]
        with _running("flux", [*command, "--data-dir", str(place / "data"), *options], port, place) as server:
            yield server


@contextlib.contextmanager
def redis(fsync: str, directory: Path | None = None) -> Iterator[Server]:
    """``redis-server`` with an append-only file synced ``everysec`` or ``always``, and no snapshots."""
    with _directory(directory) as place:
        port = free_port()
        options = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": place,
            "save": "",
            "appendonly": "yes",
            "appendfsync": fsync,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with _running("redis", ["redis-server", *words], port, place) as server:
            yield server


def has_redis() -> bool:
    """Whether the peer is installed (Debian: ``apt-get install redis-server``)."""
    return shutil.which("redis-server") is not None


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    else:
        with tempfile.TemporaryDirectory(prefix="flux-bench-") as name:
            yield Path(name)


@contextlib.contextmanager
def _running(name: str, command: list[str], port: int, place: Path) -> Iterator[Server]:
    with (place / f"{name}.out").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ)
    try:
        _wait_for(port, process, place / f"{name}.out")
        yield Server(name, port, process.pid, place)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(_START_S)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"it did not start: {output.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.02)
