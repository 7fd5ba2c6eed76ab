"""Somebody who does everything that a page says, in order."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from flux.embedded.port import Port
from flux.loading import Options, load
from tests.integration.docs.pages import Block
from tests.integration.docs.serving import Serving
from tests.integration.docs.terminal import Terminal
from tests.integration.docs.transcripts import agrees, exchanges, shown_by_comments
from tests.integration.pytest_plugin.project import Project

ROOT = Path(__file__).parents[3]

_PORT = re.compile(r"\b909\d\b")
_HAS_TESTS = re.compile(r"^ *(?:async )?def test_", re.MULTILINE)
_PATIENCE_S = 60.0


class Reader:
    """Runs the blocks of one page in one directory and shell, against one broker.

    A broker is started by the first command of the page that does so, as written there, or by ``flux serve`` before the first block that
    may need one. Shown once more, with ``^C`` below it, that command is interrupted. The ports 9090 to 9099 are free ones in truth, and
    ``FLUX_BROKERS`` says which 9092 is. ``.venv`` is the environment that Flux is installed in.
    """

    def __init__(self, directory: Path, import_path: str) -> None:
        self._project = Project(directory)
        self._directory = directory / "page"
        self._directory.mkdir()
        (self._directory / ".venv").symlink_to(sys.prefix)
        tools = directory / "tools"
        tools.mkdir()
        (tools / "nc").write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.integration.docs.netcat "$@"\n')
        (tools / "nc").chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(tools), str(Path(sys.prefix) / "bin"), os.environ["PATH"]]),
            "PYTHONPATH": import_path,
            "HOME": str(directory),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "FLUX_DISK_LOW_BYTES": "0",  # a test machine may be nearly full
            "FLUX_DISK_RESERVE_BYTES": "0",
        }
        self._ports: dict[str, Port] = {}
        self._broker: Serving | None = None
        self._is_over = False  # it was stopped: nobody starts it again
        self._tests = 0
        self._environment["FLUX_BROKERS"] = f"127.0.0.1:{self._really('9092')}"
        self._terminal = Terminal(self._directory, self._environment)

    def read(self, block: Block) -> None:
        """Do what *block* says. :raises AssertionError: it is not as it says."""
        text = _PORT.sub(lambda found: self._really(found[0]), block.text)
        if block.caption is not None:
            (self._directory / block.caption).write_text(text + "\n")
        match block.kind:
            case "console":
                self._type(text)
            case "python" if _HAS_TESTS.search(text):
                self._tests += 1
                self._project.write(f"test_block_{self._tests}.py", text + "\n")
            case "python":
                self._run(text)
            case "toml":
                self._load(block.caption, text)
            case "json":
                json.loads(text)
            case "sh":
                for command in exchanges(f"$ {text}"):
                    if command.serving is not None:
                        self._serve(command.serving)

    def finish(self) -> None:
        """Run the page's tests, all at once."""
        if self._tests:
            run = self._project.pytest(plugins=["asyncio", "twisted"])
            assert run.status == 0, run.output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._terminal.close()
        for port in self._ports.values():
            port.release()
        if self._broker is not None and not self._is_over:
            self._interrupt()

    # --- the kinds ---

    def _type(self, text: str) -> None:
        for exchange in exchanges(text):
            status = 0
            if exchange.interrupted:
                printed = self._interrupt()
            elif exchange.serving is not None:
                printed = self._serve(exchange.serving)
            else:
                self._need_broker()
                printed, status = self._terminal.run(exchange.command)
            problem = f"$ {exchange.command}\nis shown to print\n{exchange.output}\nand printed\n{printed}"
            quiet = exchange.serving is not None and not exchange.output  # a log, which is not what the page is about
            assert quiet or agrees(exchange.output, printed), problem
            assert exchange.output or status == 0, problem + f"\nwith exit status {status}"

    def _run(self, text: str) -> None:
        self._need_broker()
        program = self._directory.parent / "program.py"
        program.write_text(text + "\n")
        done = subprocess.run(
            [sys.executable, "-W", "error", str(program)],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        shown, printed = "\n".join(shown_by_comments(text)), done.stdout
        assert not shown or agrees(shown, printed), f"it is shown to print\n{shown}\nand printed\n{printed}"

    def _load(self, name: str | None, text: str) -> None:
        path = self._directory.parent / (name or "settings.toml")
        path.write_text(text)
        load(str(path), {}, Options())

    # --- the broker ---

    def _need_broker(self) -> None:
        if self._broker is None:
            self._serve(f"flux serve --port {self._really('9092')}")

    def _serve(self, command: str) -> str:
        assert self._broker is None, f"a page has one broker, and {command!r} would be another"
        for port in self._ports.values():
            port.release()
        self._broker = Serving(command, self._directory, self._environment)
        return self._broker.printed

    def _interrupt(self) -> str:
        assert self._broker is not None, "who presses Ctrl-C has a broker"
        self._is_over = True
        status = self._broker.interrupt()
        assert status in (0, -signal.SIGTERM), f"the broker ended with {status}"
        return self._broker.printed

    def _really(self, port: str) -> str:
        if port not in self._ports:
            self._ports[port] = Port()
            self._ports[port].hold()
        return str(self._ports[port].number)
