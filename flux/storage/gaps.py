"""Offsets that are not there any more, and what became of them: reported once, remembered in ``gaps.json``.

Which offsets a log lacks is told by its files; this remembers what was reported, and which offsets at the end may have been given to
records that are gone, until the log has gone on after them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.checkpoint import parse, read_file, render, replace_file
from flux.storage.recovery import Damage
from flux.storage.segment import file_name
from flux.storage.space import DISK_FULL

GAPS = "gaps.json"


class Loss(NamedTuple):
    """Something that is not there any more: offsets *first* to *next* - 1, and *size_bytes* bytes at *position* of *file*."""

    file: str
    position: int
    size_bytes: int
    first: int
    next: int
    why: str

    @classmethod
    def of(cls, base_offset: int, damage: Damage, next_offset: int, what: str) -> "Loss":
        """Those bytes of that segment; the log goes on at *next_offset*."""
        size, first = damage.end - damage.position, damage.expected_offset
        return cls(file_name(base_offset), damage.position, size, first, next_offset, f"{what}: {damage.why}")


def read_gaps(directory: IDirectory) -> set[tuple[int, int]]:
    """First offset and the one after the last, of each gap that was reported. :raises ValueError: that cannot be read; says why."""
    data = read_file(directory, GAPS)
    try:
        return set() if data is None else {(int(first), int(after)) for first, after in parse(data)[0]}
    except TypeError as error:
        raise ValueError(f"not a list of gaps ({error})") from error


def end_of_gap(gaps: Iterable[tuple[int, int]], offset: int) -> int:
    """*offset*, or where the last of the *gaps* ends that it lies in, one after the other."""
    for first, after in sorted(gaps):
        if first <= offset < after:
            offset = after
    return offset


class Gaps:
    """What one log is known to lack. ``losses`` is what was not known before."""

    def __init__(self, directory: IDirectory, start_offset: int) -> None:
        """:raises OSError: the disk failed."""
        self.losses: list[Loss] = []
        self.saved = True  # unless the disk is full: then what the gaps are told by has to stay
        self._directory = directory
        self._known: set[tuple[int, int]] = set()
        try:
            known = read_gaps(directory)
        except ValueError as error:
            self.losses.append(Loss(GAPS, 0, 0, 0, 0, f"unreadable, begun anew: {error}"))
            self._save()
        else:
            self._known = {gap for gap in known if gap[1] > start_offset}

    def note(self, loss: Loss) -> None:
        """Report *loss*, unless its offsets are known to be lost; from then on they are. :raises OSError: the disk failed."""
        if loss.next > loss.first:
            if (loss.first, loss.next) in self._known:
                return
            self._known.add((loss.first, loss.next))
            self._save()
        self.losses.append(loss)

    def after(self, offset: int) -> int:
        """*offset*, or where the gap ends that it lies in."""
        return end_of_gap(self._known, offset)

    def cut_end(self, offset: int) -> None:
        """The log was truncated at *offset*: what comes there will be another history. :raises OSError: the disk failed."""
        kept = {gap for gap in self._known if gap[1] <= offset}
        if kept != self._known:
            self._known = kept
            self._save()

    def _save(self) -> None:
        try:
            replace_file(self._directory, GAPS, render(sorted(self._known)))
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            self.saved = False
