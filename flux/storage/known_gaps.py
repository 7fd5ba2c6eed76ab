"""The gaps that were reported before, and whether they are gaps."""

from collections.abc import Iterable

from flux.batch import BatchHeader
from flux.interfaces import IDirectory
from flux.storage.gaps import end_of_gap, read_gaps


class KnownGaps:
    """*Action*: :meth:`pass_batch` for each sound batch, in order. *Transition*: ``wrong`` grows by those in which one lies."""

    def __init__(self, gaps: Iterable[tuple[int, int]]) -> None:
        self.wrong: list[tuple[int, int]] = []
        self._gaps = sorted(gaps)
        self._ahead = iter(self._gaps)
        self._gap = next(self._ahead, None)

    @classmethod
    def read(cls, directory: IDirectory) -> "KnownGaps":
        """Those of the log in *directory*. :raises ValueError: they cannot be read; says why. :raises OSError: the disk failed."""
        return cls(read_gaps(directory))

    def cover(self, first: int, after: int) -> bool:
        """Whether all of that was reported."""
        return self.after(first) >= after

    def after(self, offset: int) -> int:
        """*offset*, or where the gap ends that it lies in."""
        return end_of_gap(self._gaps, offset)

    def pass_batch(self, header: BatchHeader, _position: int) -> None:
        """A sound batch."""
        while self._gap is not None and self._gap[0] < header.next_offset:
            if self._gap[1] > header.base_offset:
                self.wrong.append(self._gap)
            self._gap = next(self._ahead, None)
