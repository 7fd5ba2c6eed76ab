"""Files of a log that go, and what a crash may have left of them."""

from contextlib import suppress
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.checkpoint import FRESH, UNSYNCED
from flux.storage.hints import remove_hints
from flux.storage.segment import DIGEST, INDEX, LOG, TIME_INDEX, file_name
from flux.storage.segments import ROLLING

DELETED = ".deleted"
_DIGITS = 20
_LARGEST = (1 << 63) - 1


class Files(NamedTuple):
    """The segments there are: base offsets, and of rolling ones also the offset they go on from; sizes of the former."""

    bases: list[int]
    rolling: list[tuple[int, int]]
    sizes: dict[int, int]


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
    bases: list[int] = []
    rolling: list[tuple[int, int]] = []
    hints: list[tuple[int, str]] = []
    sizes = {}
    for entry in directory.list():
        number, suffix = entry.name[:_DIGITS], entry.name[_DIGITS:]
        if entry.is_directory or not (len(number) == _DIGITS and number.isascii() and number.isdigit()):
            continue
        base = int(number)
        if base > _LARGEST:
            continue
        if suffix == LOG:
            bases.append(base)
            sizes[base] = entry.size
        elif suffix == ROLLING:
            rolling.append((base, base))
        elif suffix.startswith(ROLLING + "-") and suffix[len(ROLLING) + 1 :].isdecimal():
            rolling.append((base, int(suffix[len(ROLLING) + 1 :])))
        elif suffix in (INDEX, TIME_INDEX, DIGEST):
            hints.append((base, entry.name))
        elif suffix.endswith((DELETED, FRESH, UNSYNCED)):
            directory.remove(entry.name)
    for base, name in hints:
        if base not in sizes:
            directory.remove(name)
    return Files(bases, rolling, sizes)
