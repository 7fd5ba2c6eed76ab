"""Closed segments: few of them open at a time. Everything here but the values runs in the reader's thread, one call at a time."""

from collections import OrderedDict
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.hints import adopt_indexes, write_hints
from flux.storage.index import BadIndex
from flux.storage.recovery import note_all
from flux.storage.segment import Segment, file_name


class ClosedSegment(NamedTuple):
    """What is remembered of a closed segment. ``max_timestamp_ms`` is -1 if none of its records could be read."""

    base_offset: int
    next_offset: int
    size_bytes: int
    max_timestamp_ms: int


class OpenSegments:
    """At most *limit* closed segments with their files open and their indexes at hand; the one not used longest is let go."""

    def __init__(self, limit: int, index_interval: int) -> None:
        self._limit = limit
        self.index_interval = index_interval
        self._open: OrderedDict[tuple[str, ClosedSegment], Segment] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, directory: IDirectory, closed: ClosedSegment) -> Segment:
        """The segment, opened. :raises FileNotFoundError: it was deleted meanwhile."""
        key = (directory.path, closed)
        segment = self._open.get(key)
        if segment is None:
            segment = load(directory, closed, self.index_interval)
            self._open[key] = segment
            if len(self._open) > self._limit:
                self._open.popitem(last=False)[1].file.close()
        self._open.move_to_end(key)
        return segment

    def drop(self, path: str, below: int | None = None) -> None:
        """Close those of the directory *path* that end at or before offset *below*, or all: their names now mean other files, or none.

        A file held open would keep its space on the disk.
        """
        for key in [key for key in self._open if key[0] == path and (below is None or key[1].next_offset <= below)]:
            self._open.pop(key).file.close()

    def close(self) -> None:
        """Close them all."""
        while self._open:
            self._open.popitem()[1].file.close()


def load(directory: IDirectory, closed: ClosedSegment, index_interval: int) -> Segment:
    """A segment that nobody appends to, with the indexes beside it; rebuilt from the batches where those are no good."""
    segment = Segment(closed.base_offset, directory.open(file_name(closed.base_offset)), index_interval)
    try:
        try:
            adopt_indexes(directory, segment, closed.next_offset)
        except BadIndex:
            note_all(segment)
            if segment.next_offset == closed.next_offset and segment.file.size == closed.size_bytes:
                write_hints(directory, segment, closed=True)
            segment.next_offset = closed.next_offset
    except BaseException:
        segment.file.close()
        raise
    return segment
