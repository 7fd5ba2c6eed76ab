"""Closed segments: read off the reactor's thread, few of them open at a time.

Everything here but the values runs in the reader's thread, one call at a time, so that a cold disk stalls nobody else.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.checkpoint import read_file
from flux.storage.epochs import EpochCache
from flux.storage.index import BadIndex, OffsetIndex, TimeIndex
from flux.storage.recovery import Damage, Sound, scan
from flux.storage.segment import INDEX, TIME_INDEX, Jump, Segment, end_of, file_name, read_batches

_NO_EPOCHS = EpochCache()


class ClosedSegment(NamedTuple):
    """What is remembered of a closed segment."""

    base_offset: int
    next_offset: int
    size_bytes: int
    max_timestamp_ms: int


Report = Callable[[int, Damage], None]
"""Told a segment's base offset and the damage that a read had to pass over."""


class OpenSegments:
    """At most *limit* closed segments with their files open and their indexes at hand; the one not used longest is let go."""

    def __init__(self, limit: int, index_interval: int) -> None:
        self._limit = limit
        self.index_interval = index_interval
        self._open: OrderedDict[tuple[str, int], Segment] = OrderedDict()

    def get(self, directory: IDirectory, closed: ClosedSegment) -> Segment:
        """The segment, opened. :raises FileNotFoundError: it was deleted meanwhile."""
        key = (directory.path, closed.base_offset)
        segment = self._open.get(key)
        if segment is None:
            segment = load(directory, closed.base_offset, closed.next_offset, self.index_interval)
            self._open[key] = segment
            if len(self._open) > self._limit:
                self._open.popitem(last=False)[1].file.close()
        self._open.move_to_end(key)
        return segment

    def drop(self, path: str) -> None:
        """Close every segment of the directory *path*; what is still read is opened again."""
        for key in [key for key in self._open if key[0] == path]:
            self._open.pop(key).file.close()

    def close(self) -> None:
        """Close them all."""
        while self._open:
            self._open.popitem()[1].file.close()


def load(directory: IDirectory, base_offset: int, next_offset: int, index_interval: int) -> Segment:
    """A segment that nobody appends to, with the indexes its files hold; rebuilt from the batches where those are no good."""
    segment = Segment(base_offset, directory.open(file_name(base_offset)), index_interval)
    try:
        index = OffsetIndex.parse(read_file(directory, file_name(base_offset, INDEX)) or b"", segment.file.size)
        times = TimeIndex.parse(read_file(directory, file_name(base_offset, TIME_INDEX)) or b"")
        if segment.file.size and not times:
            raise BadIndex("the time index is empty")
        _check_last(segment, index)
        segment.adopt(index, times, next_offset)
    except BadIndex:
        for found in scan(segment.file, 0, base_offset, _NO_EPOCHS, ()):
            if isinstance(found, Sound):
                header = found.header
                segment.note(header.base_offset, header.next_offset, found.position, header.max_timestamp_ms)
        segment.seal()
        segment.next_offset = next_offset
        write_indexes(directory, segment)
    return segment


def _check_last(segment: Segment, index: OffsetIndex) -> None:
    last = index.last()
    if last is None:
        return
    offset = segment.base_offset + last[0]
    if not read_batches(segment.file, last[1], offset, offset, 1, offset + 1, ()).data:
        raise BadIndex(f"no batch with offset {offset} at {last[1]}")


def write_indexes(directory: IDirectory, segment: Segment) -> None:
    """Put the indexes beside the log. Hints: never synced, and a disk without room for them is no reason to fail."""
    for suffix, data in ((INDEX, segment.index.to_bytes()), (TIME_INDEX, segment.time_index.to_bytes())):
        name = file_name(segment.base_offset, suffix)
        try:
            if any(entry.name == name for entry in directory.list()):
                directory.remove(name)
            file = directory.create(name)
            try:
                file.append(data)
            finally:
                file.close()
        except OSError:
            continue


def read_segment(
    segment: Segment, offset: int, max_bytes: int, end: int, jumps: Collection[Jump], report: Report
) -> bytes:
    """:meth:`Segment.read`, passing over damage: what comes after it is served, what it was is reported."""
    found = segment.read(offset, max_bytes, end, jumps)
    while found.damaged_at is not None and not found.data:
        rest = scan(segment.file, found.damaged_at, found.expected_offset, _NO_EPOCHS, jumps)
        damage = next(rest)
        if isinstance(damage, Damage):
            report(segment.base_offset, damage)
        sound = damage if isinstance(damage, Sound) else next(rest, None)
        if not isinstance(sound, Sound):
            return b""
        base = sound.header.base_offset
        found = read_batches(segment.file, sound.position, base, offset, max_bytes, end, jumps)
    return found.data


def first_at_or_after(segment: Segment, timestamp_ms: int, jumps: Collection[Jump], report: Report) -> Iterator[bytes]:
    """Batches that may hold the first record at or after *timestamp_ms*, from the last known to begin before it."""
    offset = segment.base_offset + segment.time_index.before(timestamp_ms)
    while data := read_segment(segment, offset, 1 << 20, segment.next_offset, jumps, report):
        yield data
        offset = end_of(data)
