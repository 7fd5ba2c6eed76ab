"""The code blocks of a page, in order, and what becomes of each kind.

=============  ==========================================================================================================
``console``    a terminal: what follows a line that begins with ``$`` is what the command there prints
``python``     a program that ends well, and prints what comments say that stand behind a ``print(…)`` or alone on a line, if there are any;
               or, with functions named ``test_…`` in it, tests that pass
``toml``       settings the broker takes
``json``       JSON
``sh``         how to set up: the command that starts a broker is run as written; the rest is for those who install things
``text, ini``  not code, or not of ours
=============  ==========================================================================================================

A block with a caption (``:caption: orders.toml``) is also a file of that name in the directory where the page is run. There is nothing by
which a block is left out. In Markdown an indented block that begins with ``$`` is a terminal, any other is text.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

KINDS = ("console", "python", "toml", "json", "sh", "text", "ini")

_RST = re.compile(r"( *)\.\. code-block:: *(\S*)$")
_RST_OPTION = re.compile(r" +:(\w+): *(.*)$")
_FENCE = re.compile(r"```(\S*)$")


class Block(NamedTuple):
    """One code block: the number of its first line, its kind, the file it is, if it is one, and its text."""

    line: int
    kind: str
    caption: str | None
    text: str


def blocks(path: Path) -> list[Block]:
    """Those of a page, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(_of_markdown(lines) if path.suffix == ".md" else _of_rst(lines))


def _of_rst(lines: Sequence[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        found = _RST.match(lines[at])
        at += 1
        if found is None:
            continue
        options = {}
        while at < len(lines) and (option := _RST_OPTION.match(lines[at])):
            options[option[1]] = option[2]
            at += 1
        text, end = _indented(lines, at, len(found[1]) + 1)
        yield Block(at + 1, found[2], options.get("caption"), text)
        at = end


def _of_markdown(lines: Sequence[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is not None:
            end = lines.index("```", at + 1)
            yield Block(at + 2, fence[1], None, "\n".join(lines[at + 1 : end]))
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            text, end = _indented(lines, at, 4)
            yield Block(at + 1, "console" if text.startswith("$ ") else "text", None, text)
            at = end
        else:
            at += 1


def _indented(lines: Sequence[str], at: int, indent: int) -> tuple[str, int]:
    """The text from line *at* on that is indented by at least *indent*, and where it ends."""
    end = at
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) >= indent):
        end += 1
    text = list(lines[at:end])
    margin = min((len(line) - len(line.lstrip()) for line in text if line.strip()), default=0)
    return "\n".join(line[margin:] for line in text).strip("\n"), end
