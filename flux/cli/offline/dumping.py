"""What logs hold, batch by batch and record by record, as it lies there; damage is shown where it lies."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from flux.batch import CodecMissing, CorruptBatch, decode
from flux.cli.offline.place import Place
from flux.interfaces import IDirectory, IFile
from flux.model import Record
from flux.storage.epochs import EpochCache
from flux.storage.recovery import NO_LIMIT, Damage, Sound, scan, scan_live
from flux.storage.segment import file_name
from flux.storage.segments import rolling_name


class Where(NamedTuple):
    """A file of a log."""

    log: str
    file: str


class Batch(NamedTuple):
    """A batch, and its records, as far as they were asked for."""

    where: Where
    sound: Sound
    records: list[Record]


class Bad(NamedTuple):
    """Bytes that are no batch, or a batch whose records cannot be read."""

    where: Where
    position: int
    size_bytes: int
    first: int
    why: str
    is_tail: bool = False  # the last there is of a log


class Wanted(NamedTuple):
    """Which records: from offset *start* to *end* (exclusive) in each log, *limit* in all; none, but their batches, if not *records*."""

    start: int = 0
    end: int = NO_LIMIT
    limit: int | None = None
    records: bool = True


def dump(
    place: Place, wanted: Wanted, advance: Callable[[int], object], *, live: bool = False
) -> Iterator[Batch | Bad]:
    """Everything *wanted*, in the order of offsets; one batch in memory at a time. :raises OSError: the disk failed.

    While a broker is *live* there, what a log ends with may be half written, and is left out.
    """
    left = wanted.limit
    for log in place.logs:
        for found in _log(place, log, wanted, advance, live=live):
            if live and isinstance(found, Bad) and found.is_tail:
                continue
            if left is not None and isinstance(found, Batch):
                found = found._replace(records=found.records[:left])
                left -= len(found.records) if wanted.records else found.sound.header.count
            yield found
            if left is not None and left <= 0:
                return


def _log(
    place: Place, log: str, wanted: Wanted, advance: Callable[[int], object], *, live: bool
) -> Iterator[Batch | Bad]:
    files, directory = place.files(log), place.root.child(log)
    names = [(base, file_name(base)) for base in files.bases]
    names += [(base, rolling_name(base, follows)) for base, follows in files.rolling]
    for (base, name), (after, _) in zip(names, [*names[1:], (NO_LIMIT, "")], strict=True):
        if base >= wanted.end:
            return
        if after > wanted.start:
            yield from _segment(directory, Where(log, name), base, after, wanted, live=live)
        advance(files.sizes.get(base, 0))


def _segment(
    directory: IDirectory, where: Where, base: int, after: int, wanted: Wanted, *, live: bool
) -> Iterator[Batch | Bad]:
    try:
        file = directory.open(where.file)
    except FileNotFoundError:  # a running broker was faster
        return
    try:
        grows = live and after == NO_LIMIT
        for found in scan_live(file, base) if grows else scan(file, 0, base, EpochCache(), after):
            if isinstance(found, Damage):
                if found.expected_offset >= wanted.start:
                    size = found.end - found.position
                    is_tail = not found.resumes and after == NO_LIMIT
                    yield Bad(where, found.position, size, found.expected_offset, found.why, is_tail)
            elif found.header.base_offset >= wanted.end:
                return
            elif found.header.next_offset > wanted.start:
                yield _batch(file, where, found, wanted)
    finally:
        file.close()


def _batch(file: IFile, where: Where, found: Sound, wanted: Wanted) -> Batch | Bad:
    if not wanted.records:
        return Batch(where, found, [])
    header, position = found.header, found.position
    try:
        records = decode(file.read_at(position, header.length), wanted.start, wanted.end)
    except (CorruptBatch, CodecMissing) as error:
        return Bad(where, position, header.length, header.base_offset, str(error))
    return Batch(where, found, records)
