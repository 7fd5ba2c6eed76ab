"""``flux`` as it is typed: in this process where a process of its own would add nothing, in one where it does, on a terminal or not."""

import contextlib
import fcntl
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import termios
from types import TracebackType
from typing import Any, Self

from click.testing import CliRunner, Result

from flux.cli import main

PATIENCE_S = 30.0  # for what takes well under a second; a loaded machine may stretch it
FLUX = [sys.executable, "-c", "from flux.cli import main; main(prog_name='flux')"]


class Shell:
    """Runs ``flux`` with ``FLUX_BROKERS`` set."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self._running: list[Typed] = []

    def run(self, *arguments: str, stdin: bytes | str | None = None) -> Result:
        """In this process: how it ended, whatever that was."""
        runner = CliRunner(env={"FLUX_BROKERS": self.brokers})
        return runner.invoke(main, arguments, input=stdin, prog_name="flux", catch_exceptions=False)

    def out(self, *arguments: str, stdin: bytes | str | None = None) -> str:
        """The same, for what must go well: what it wrote on stdout."""
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), (arguments, result.exit_code, result.output)
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """The same, with ``--format json``: the one document."""
        return json.loads(self.out(*arguments, "--format", "json"))

    def process(self, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
        """In a process of its own, with pipes."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([*FLUX, *arguments], env=self.environment, **pipes)

    def line(self, command: str, timeout_s: float = PATIENCE_S) -> "subprocess.CompletedProcess[str]":
        """A whole line for bash, in which ``flux`` is ours."""
        return subprocess.run(
            _bash(command), env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def typed(self, *arguments: str) -> "Typed":
        """On a terminal. It is ended after the test, if it has not by then."""
        return self._typed([*FLUX, *arguments])

    def typed_line(self, command: str) -> "Typed":
        """A whole line for bash, on a terminal."""
        return self._typed(_bash(command))

    def _typed(self, command: list[str]) -> "Typed":
        typed = Typed(command, self.environment)
        self._running.append(typed)
        return typed

    @property
    def environment(self) -> dict[str, str]:
        """What processes are started with."""
        return {**os.environ, "FLUX_BROKERS": self.brokers, "TERM": "xterm"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            self._running.pop().end()


class Typed:
    """A command on a terminal of its own: what it shows, and what is typed to it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._terminal, other_end = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            env=environment,
            start_new_session=True,
            preexec_fn=_own_the_terminal,
        )
        os.close(other_end)
        self.shown = ""

    def type(self, text: str) -> None:
        """As if by hand: ``\\x03`` is Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._terminal, text.encode())

    def signal(self, number: signal.Signals) -> None:
        """From elsewhere."""
        self._process.send_signal(number)

    def until(self, text: str) -> str:
        """Wait until *text* is shown; everything shown so far."""
        while text not in self.shown:
            assert self._look(), f"it ended before it showed {text!r}: {self.shown!r}"
        return self.shown

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        while self._look():
            continue
        return self._process.wait(PATIENCE_S)

    def end(self) -> None:
        """Kill it, if it runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
        os.close(self._terminal)

    def _look(self) -> bool:
        """Show what comes next; whether more may come."""
        ready, _, _ = select.select([self._terminal], [], [], PATIENCE_S)
        assert ready, f"nothing more was shown: {self.shown!r}"
        data = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the other end open any more
            data = os.read(self._terminal, 65536)
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


def _bash(line: str) -> list[str]:
    flux = shlex.join(FLUX)
    return ["bash", "-c", f'set -o pipefail; flux() {{ {flux} "$@"; }}\n{line}']


def _own_the_terminal() -> None:
    """Be whom its Ctrl-C is for."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
