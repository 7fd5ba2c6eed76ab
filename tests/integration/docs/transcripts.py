"""What a terminal shows: commands, and what they print."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_SERVES = re.compile(r"(?:^|&& *)((?:\w+=\S* )*(?:\S*/)?(?:flux serve|twistd\b.* flux)\b.*)$", re.DOTALL)

_COMMENT = re.compile(r" *(?:print\(.*\)  )?# (.*)$")


class Exchange(NamedTuple):
    """One command, which may be of several lines, and what it prints, without the last line end. *interrupted*: by Ctrl-C, then."""

    command: str
    output: str
    interrupted: bool = False

    @property
    def serving(self) -> str | None:
        """The command that starts a broker in the foreground, if this is one; without what installs it first."""
        found = _SERVES.search(self.command)
        return found and found[1]


def exchanges(text: str) -> Iterator[Exchange]:
    """A line that begins with ``$`` is a command, and so are those after it that begin with ``>``, or follow a backslash."""
    command, output, goes_on = "", list[str](), False
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield _exchange(command, output)
            command, output, goes_on = line[2:], [], line.endswith("\\")
        elif goes_on or (line.startswith("> ") and not output):
            command += "\n" + line.removeprefix("> ")
            goes_on = line.endswith("\\")
        else:
            output.append(line)
    assert command, "the first line of a transcript is a command"
    yield _exchange(command, output)


def _exchange(command: str, lines: list[str]) -> Exchange:
    output = "\n".join(line for line in lines if line != "^C")
    return Exchange(command, output, "^C" in lines)


def shown_by_comments(program: str) -> Iterator[str]:
    """What a program is shown to print: the comments behind a ``print(…)``, and those that are lines of their own."""
    for line in program.splitlines():
        found = _COMMENT.match(line)
        if found is not None:
            yield found[1]


def agrees(shown: str, printed: str) -> bool:
    """Whether a page may show *shown* for what was *printed*: character by character, but for blanks at the ends of lines.

    The one exception is ``…``, for what differs from run to run, or is long: within a
    line it stands for any text, alone on a line for any number of lines.
    """
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(line.rstrip()).replace("…", ".*?") + r"\n"
    lines = [line.rstrip() for line in printed.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None
