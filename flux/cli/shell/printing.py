"""Answers: a table in a terminal, tab-separated columns in a pipe, JSON when asked for.

- ``table``: columns under a head, numbers to the right.
- ``plain``: the same cells, separated by tabs, without a head: for ``cut``, ``sort`` and ``while read``. No column is ever left out.
- ``json``: an answer is one document. A stream (records, acknowledgements) is JSON lines: one object a line.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, Protocol

import click

Command = Callable[..., Any]

_GAP = "  "
_ABSENT = "-"


class Form(Enum):
    """How an answer is written."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"


class Part(Protocol):
    """What :class:`Rows` and :class:`Fields` are; a subcommand may have a form of its own."""

    def lines(self, form: Form) -> Iterable[str]:
        """Without line ends. *form* is never JSON."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A part of an answer that is a table. Cells are text, numbers, booleans, lists of those, or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def lines(self, form: Form) -> Iterable[str]:
        """Without line ends."""
        cells = [[cell(value) for value in row] for row in self.rows]
        if form is Form.PLAIN:
            return ["\t".join(row) for row in cells]
        table = [[title.upper() for title in self.columns], *cells]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        numeric = [all(_is_number(row[at]) for row in self.rows) for at in range(len(self.columns))]
        return [_GAP.join(map(_padded, row, widths, numeric)).rstrip() for row in table]


@dataclass(frozen=True, slots=True)
class Fields:
    """A part of an answer that is about one thing: a name and a value a line."""

    fields: Mapping[str, object]

    def lines(self, form: Form) -> Iterable[str]:
        """Without line ends."""
        if form is Form.PLAIN:
            return [f"{name}\t{cell(value)}" for name, value in self.fields.items()]
        width = max(map(len, self.fields), default=0)
        return [f"{name + ':':<{width + 1}}{_GAP}{cell(value)}".rstrip() for name, value in self.fields.items()]


class Printer:
    """Writes answers to stdout, in one form."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def report(self, document: object, *parts: Part) -> None:
        """One answer: *document* as JSON, or else *parts*, an empty line between them."""
        if self.form is Form.JSON:
            click.echo(_json(document, indent=2))
            return
        texts = ["\n".join(part.lines(self.form)) for part in parts]
        click.echo("\n\n".join(text for text in texts if text), nl=any(texts))

    def line(self, item: Mapping[str, object]) -> None:
        """One item of a stream: an object, or its values, separated by tabs (in a table too: nobody knows how wide the next will be)."""
        if self.form is Form.JSON:
            click.echo(compact(item))
        else:
            click.echo("\t".join(map(cell, item.values())))


def printer_option(command: Command) -> Command:
    """Give *command* ``--format``, and call it with ``printer=``."""

    @wraps(command)
    def with_printer(*args: Any, form: str | None, **options: Any) -> Any:
        return command(*args, printer=Printer(chosen(form)), **options)

    return format_option(with_printer)


format_option = click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="A table, tab-separated columns, or JSON. A terminal gets a table and a pipe columns, unless told otherwise.",
)
"""``--format`` alone, as ``form``, for a subcommand that has its own idea of what happens without it."""


def chosen(form: str | None) -> Form:
    """*form*, or what stdout suggests."""
    if form is not None:
        return Form(form)
    return Form.TABLE if sys.stdout.isatty() else Form.PLAIN


def compact(document: object) -> str:
    """JSON on one line."""
    return _json(document, separators=(",", ":"))


def _json(document: object, **layout: Any) -> str:
    text = json.dumps(document, ensure_ascii=False, **layout)
    try:
        text.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8: it can only be written as an escape
        return json.dumps(document, **layout)
    return text


def cell(value: object) -> str:
    """*value* as text that stays in its column, and that no terminal obeys."""
    if value is None:
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(cell, value)) or _ABSENT
    text = value if isinstance(value, str) else str(value)
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _padded(text: str, width: int, is_numeric: bool) -> str:
    return text.rjust(width) if is_numeric else text.ljust(width)
