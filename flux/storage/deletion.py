"""A log's directory goes. It is renamed first: from then on the log is gone, crash or not; the rest can be done later."""

from collections.abc import Sequence

from flux.interfaces import IDirectory, IFile

_SUFFIX = "-delete"
_DEEPEST = 8  # a log's directory has no directories; what else lies in it is not worth more


def put_aside(parent: IDirectory, name: str, stamp_ms: int, files: Sequence[IFile]) -> str | None:
    """Close *files*, rename the directory *name* durably and return its new name; None if there is none.

    :raises OSError: it may be there still.
    """
    for file in files:
        file.close()
    entries = {entry.name for entry in parent.list()}
    if name not in entries:
        return None
    while (aside := f"{name}.{stamp_ms}{_SUFFIX}") in entries:
        stamp_ms += 1
    parent.rename(name, aside)
    parent.sync()
    return aside


def put_aside_before(parent: IDirectory) -> dict[str, str]:
    """What an earlier run put aside and did not remove: its name now → the name of the log."""
    return {
        entry.name: entry.name.rpartition(".")[0]
        for entry in parent.list()
        if entry.is_directory and entry.name.endswith(_SUFFIX)
    }


def empty(directory: IDirectory, depth: int = 0) -> None:
    """Remove all that *directory* holds. :raises OSError: something is left."""
    for entry in directory.list():
        if entry.is_directory and depth < _DEEPEST:
            empty(directory.child(entry.name), depth + 1)
            directory.remove_directory(entry.name)
        else:
            directory.remove(entry.name)
