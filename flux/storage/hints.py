"""Files beside a segment that save reading it: its indexes, and a digest of what they were made from.

All are hints. They are never synced, and a disk without room for them is no reason to fail. The digest carries the CRC-32C of the
indexes, whose own format has no room for one, and the size and end of the log they belong to: one that is torn, old, damaged or
another segment's is found out, and then the batches are read.
"""

from contextlib import suppress
from typing import NamedTuple

from flux.crc32c import crc32c
from flux.interfaces import IDirectory, IFile
from flux.storage.checkpoint import parse, read_file, render, write_unsynced
from flux.storage.index import BadIndex, OffsetIndex, TimeIndex
from flux.storage.segment import DIGEST, INDEX, TIME_INDEX, Segment, file_name

_PIECE = 1 << 20


class Digest(NamedTuple):
    """What is known of a segment without reading it. ``log_crc`` is that of the whole file, None while it may still grow.

    ``log_crc`` covers the bytes of each header that a batch's own CRC leaves out.
    """

    size_bytes: int
    next_offset: int
    max_timestamp_ms: int
    index_crc: int
    time_index_crc: int
    log_crc: int | None


def write_hints(directory: IDirectory, segment: Segment, *, closed: bool) -> None:
    """Put the indexes and the digest of a sealed *segment* beside its log."""
    base = segment.base_offset
    index, times = segment.index.to_bytes(), segment.time_index.to_bytes()
    with suppress(OSError):
        digest = Digest(
            segment.file.size,
            segment.next_offset,
            segment.max_timestamp_ms,
            crc32c(index),
            crc32c(times),
            file_crc(segment.file) if closed else None,
        )
        write_unsynced(directory, file_name(base, INDEX), index)
        write_unsynced(directory, file_name(base, TIME_INDEX), times)
        write_unsynced(directory, file_name(base, DIGEST), render(digest._asdict()))


def remove_hints(directory: IDirectory, base_offset: int) -> None:
    """They are true no more."""
    for suffix in (DIGEST, INDEX, TIME_INDEX):
        with suppress(FileNotFoundError):
            directory.remove(file_name(base_offset, suffix))


def read_digest(directory: IDirectory, base_offset: int) -> Digest | None:
    """What is said of that segment; None if nothing is, or nothing that can be believed."""
    try:
        return Digest(**parse(read_file(directory, file_name(base_offset, DIGEST)) or b"")[0])
    except (OSError, ValueError, TypeError):
        return None


def adopt_indexes(directory: IDirectory, segment: Segment, next_offset: int) -> None:
    """Give *segment*, which ends at *next_offset*, the indexes beside it. :raises BadIndex: they are not those of its log."""
    base = segment.base_offset
    digest = read_digest(directory, base)
    if digest is None or (digest.size_bytes, digest.next_offset) != (segment.file.size, next_offset):
        raise BadIndex("the digest says nothing of this file")
    try:
        index = read_file(directory, file_name(base, INDEX)) or b""
        times = read_file(directory, file_name(base, TIME_INDEX)) or b""
    except OSError as error:
        raise BadIndex(str(error)) from error
    if (crc32c(index), crc32c(times)) != (digest.index_crc, digest.time_index_crc):
        raise BadIndex("the CRC does not match")
    segment.adopt(OffsetIndex.parse(index, segment.file.size), TimeIndex.parse(times), next_offset)


def file_crc(file: IFile) -> int:
    """The CRC-32C of a whole file."""
    value = 0
    for position in range(0, file.size, _PIECE):
        value = crc32c(file.read_at(position, _PIECE), value)
    return value
