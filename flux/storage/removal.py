"""Files of a log that go, and what a crash may have left of them."""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from flux.interfaces import Entry, IDirectory
from flux.storage.checkpoint import FRESH, UNSYNCED
from flux.storage.hints import remove_hints
from flux.storage.segment import DIGEST, INDEX, LOG, TIME_INDEX, file_name
from flux.storage.segments import ROLLING

DELETED = ".deleted"
_DIGITS = 20
_LARGEST = (1 << 63) - 1


class Files(NamedTuple):
    """The segments there are: base offsets, and of rolling ones also the offset they go on from; sizes of the former.

    ``leftovers`` are names of files that a crash kept from being removed or renamed, and ``hints`` the base offsets of those that are
    there, by suffix.
    """

    bases: list[int]
    rolling: list[tuple[int, int]]
    sizes: dict[int, int]
    hints: dict[str, set[int]]
    leftovers: list[str]


def remove_segment(directory: IDirectory, base_offset: int) -> None:
    """Remove a closed segment and what belongs to it; after a crash in between, the rest goes when the log is opened.

    :raises OSError: it may be there still, or be back after a power cut.
    """
    name = file_name(base_offset)
    with suppress(FileNotFoundError):
        directory.rename(name, name + DELETED)
        directory.sync()
        directory.remove(name + DELETED)
    remove_hints(directory, base_offset)


def tidy(directory: IDirectory) -> Files:
    """Finish what a crash interrupted, and say what segments there are. What is not ours is left alone."""
    files = look_at(directory.list())
    for name in files.leftovers:
        directory.remove(name)
    return files


def look_at(entries: Iterable[Entry]) -> Files:
    """What the *entries* of a log's directory are."""
    files = Files([], [], {}, {INDEX: set(), TIME_INDEX: set(), DIGEST: set()}, [])
    for entry in entries:
        number, suffix = entry.name[:_DIGITS], entry.name[_DIGITS:]
        if entry.is_directory or not (len(number) == _DIGITS and number.isascii() and number.isdigit()):
            continue
        base = int(number)
        if base > _LARGEST:
            continue
        if suffix == LOG:
            files.bases.append(base)
            files.sizes[base] = entry.size
        elif suffix == ROLLING:
            files.rolling.append((base, base))
        elif suffix.startswith(ROLLING + "-") and suffix[len(ROLLING) + 1 :].isdecimal():
            files.rolling.append((base, int(suffix[len(ROLLING) + 1 :])))
        elif suffix in files.hints:
            files.hints[suffix].add(base)
        elif suffix.endswith((DELETED, FRESH, UNSYNCED)):
            files.leftovers.append(entry.name)
    for suffix, bases in files.hints.items():
        orphans = {base for base in bases if base not in files.sizes}
        files.leftovers.extend(file_name(base, suffix) for base in sorted(orphans))
        bases -= orphans
    return files
