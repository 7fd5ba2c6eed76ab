"""Transcripts in the documentation, run as they stand there: what follows a ``$`` is typed, what follows that has to be shown.

A page shows what a terminal would: both outputs of a command, in the order they came. A line that ends with a backslash goes on.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.integration.cli.shell import Shell

DOCS = Path(__file__).parents[3] / "docs"
_BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", re.MULTILINE)
_PROMPT, _GOES_ON = "$ ", "> "


class Step(NamedTuple):
    """A command, and what it shows."""

    command: str
    shown: str


def steps(page: str) -> Iterator[Step]:
    """All that is typed on a page of the documentation, in order."""
    for block in _BLOCK.findall((DOCS / page).read_text()):
        lines = [line.removeprefix("   ") for line in block.rstrip("\n").split("\n")]
        assert lines[0].startswith(_PROMPT), f"{page}: a transcript begins with a command, not with {lines[0]!r}"
        command: list[str] = []
        shown: list[str] = []
        for line in lines:
            if line.startswith(_PROMPT):
                if command:
                    yield Step("\n".join(command), "\n".join(shown))
                command, shown = [line.removeprefix(_PROMPT)], []
            elif command[-1].endswith("\\") and not shown:
                command.append(line.removeprefix(_GOES_ON))
            else:
                shown.append(line)
        yield Step("\n".join(command), "\n".join(shown).rstrip())


def run(page: str, shell: Shell, directory: Path) -> int:
    """Type all of *page* in *directory*; how many commands that were. :raises AssertionError: something else is shown."""
    typed = list(steps(page))
    for command, shown in typed:
        result = shell.line(f"exec 2>&1; cd '{directory}'; {command}")
        assert result.stdout.rstrip("\n") == shown, f"{page}: $ {command}\n{result.stdout}"
    return len(typed)
