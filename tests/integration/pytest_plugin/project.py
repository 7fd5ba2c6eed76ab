"""Somebody's project, whose tests use the plugin: run as they would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_RUN_S = 120.0

PLUGINS = {
    "asyncio": ["-o", "asyncio_default_fixture_loop_scope=function"],
    "twisted": [],
    "xdist": [],
    "timeout": [],
    "hypothesispytest": [],
}
"""Those that are installed here, and what each is told."""


class Run(NamedTuple):
    """How it ended: its exit status, and all it printed."""

    status: int
    output: str

    def counted(self, outcome: str) -> int:
        """How many tests were *outcome* (``passed``, ``failed``, ``error``)."""
        found = re.search(rf"(\d+) {outcome}", self.output)
        return int(found.group(1)) if found else 0


class Project:
    """A directory with tests, and one for temporary files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        self.temporary = directory / "temporary"
        self.directory.mkdir()
        self.temporary.mkdir()
        # Warnings are errors: what a broker leaves behind would be told as one.
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")

    def write(self, name: str, text: str) -> None:
        """A file of it."""
        (self.directory / name).write_text(text)

    def pytest(self, *options: str, plugins: Sequence[str] = ()) -> Run:
        """``pytest``, with no other plugins than ours and *plugins* (:data:`PLUGINS`)."""
        switched = [f"-pno:{name}" for name in PLUGINS if name not in plugins]
        told = [option for name in plugins for option in PLUGINS[name]]
        return self.run("pytest", "-pno:cacheprovider", *switched, *told, *options)

    def run(self, module: str, *arguments: str) -> Run:
        """``python -m`` *module*."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.directory,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_RUN_S,
        )
        return Run(done.returncode, done.stdout)
