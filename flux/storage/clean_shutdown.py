"""The clean-shutdown mark: where each log ended when the last run stopped with everything synced.

It is taken away before it is used, so that a crash from then on counts as one.
"""

from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

from flux.interfaces import IDirectory
from flux.storage.checkpoint import parse, read_file, render, replace_file
from flux.storage.opening import CleanEnd

CLEAN = "clean-shutdown"

_log = Logger()


def take_mark(directory: IDirectory) -> dict[str, CleanEnd] | None:
    """Name → where that log ended; None if there is no mark to be believed. :raises OSError: it could not be taken away."""
    ends = None
    try:
        data = read_file(directory, CLEAN)
        if data is None:
            return None
        ends = clean_ends(parse(data)[0])
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _log.error("the clean-shutdown mark cannot be read, every log is checked: {error}", error=error)
    directory.remove(CLEAN)
    directory.sync()
    return ends


def clean_ends(content: Any) -> dict[str, CleanEnd]:
    """What the mark says, as JSON has it. :raises ValueError: :raises TypeError: :raises AttributeError: it is something else."""
    return {str(name): CleanEnd(*map(int, end)) for name, end in content.items()}


def leave_mark(directory: IDirectory, ends: Mapping[str, CleanEnd]) -> None:
    """Last of all: every log is synced and closed, and ended so. :raises OSError: there may be no mark."""
    replace_file(directory, CLEAN, render({name: list(end) for name, end in ends.items()}))
