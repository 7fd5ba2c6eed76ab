"""A broker in a process of its own, for tests from outside."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60  # for a step that takes well under a second; a loaded machine may stretch it
SERVE = (sys.executable, "-c", "from flux.cli import main; main()", "serve")
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without FLUX_* of its own, with the checkout importable, and with *variables*."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}
    path = os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")]))
    return inherited | {"PYTHONPATH": path} | variables


def run(command: Sequence[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


class Connection:
    """One client, a line at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._lines = self.socket.makefile("rb")

    def send(self, *lines: str) -> None:
        """Requests, all in one go."""
        self.socket.sendall("".join(line + "\n" for line in lines).encode())

    def answer(self) -> str:
        """The next line; empty once the broker has closed."""
        return self._lines.readline().decode().rstrip("\n")

    def ask(self, line: str) -> str:
        """One request and its answer."""
        self.send(line)
        return self.answer()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BrokerProcess:
    """``flux serve`` on a free port of 127.0.0.1, in *directory*; entered once it accepts, killed and reaped on exit."""

    def __init__(self, directory: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.ready = ""
        self.port = 0
        self._command = (*SERVE, "--port", "0", "--data-dir", str(directory / "data"), *arguments)
        self._variables = variables or {}

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env=environment(**self._variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        try:
            self.ready = self._first_line()
            self.port = int(self.ready.removeprefix("FLUX READY port="))
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return (self.directory / "stderr").read_text(errors="replace")

    def connect(self) -> Connection:
        """A client of it."""
        return Connection(self.port)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            byte = os.read(self.process.stdout.fileno(), 1) if readable else b""
            if not byte:
                raise AssertionError(f"no READY line, exit status {self.process.poll()}:\n{self.log}")
            line += byte
        return line.decode().rstrip("\n")
