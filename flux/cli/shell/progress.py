"""Bars, for work that takes long: on stderr, and only if that is a terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

Advance = Callable[[int], None]

_STEPS = 500  # a bar redrawn for every record costs more than the record
_UNKNOWN_STEP = 1 << 16


@contextmanager
def progress(label: str, length: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """A bar of *length* units (None: nobody knows), which the function that it yields moves on by so many.

    Nothing is shown, and moving on costs nothing, unless a terminal looks on that can draw over a line (``TERM`` is not ``dumb``); or if
    it is not to be *shown*, because stdout writes to the same terminal.
    """
    if not (shown and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        yield _nothing
        return
    steps = _UNKNOWN_STEP if length is None else max(1, length // _STEPS)
    endless = iter(int, 1) if length is None else None  # click wants either; it is not iterated
    bar: Any = click.progressbar(endless, length=length, label=label, file=sys.stderr, update_min_steps=steps)
    with bar:
        yield bar.update


def _nothing(units: int) -> None:
    return
