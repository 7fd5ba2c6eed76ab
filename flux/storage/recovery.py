"""What a segment file holds after a crash. Pure: it is handed an open file, and decides; :mod:`flux.storage.opening` acts.

A valid batch has magic 2, a length that fits, a matching CRC-32C, the offset that is due and the leader epoch that offset was
written in. The CRC covers neither offset nor epoch, which is why those are checked too: of 744 single-bit flips in a batch
the CRC alone misses 96, the CRC and both checks none.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from flux.crc32c import crc32c
from flux.envelope import COUNTED_FROM, CRC_FROM, HEADER_SIZE, MAX_BATCH_BYTES, BatchHeader, CorruptBatch
from flux.interfaces import IFile
from flux.storage.epochs import EpochCache
from flux.storage.segment import Segment, Window, check_place

_WINDOW = 1 << 20
_HIGH = struct.Struct(">I")
MOST_READY = 8 << 20  # zeros behind a log's end, and more than :mod:`flux.storage.preallocation` may be told to write
_WRITTEN = re.compile(rb"[^\0]")
NO_LIMIT = 1 << 63  # above every offset
_FURTHEST = 1 << 31  # how far ahead of what is due an offset after damage may lie and still be believed
# What a batch is taken to hold of which nothing can be read: a gap costs nothing, an offset given twice does.
_MOST_RECORDS = 1 << 20
_PATTERN_SIZE = 17  # offset, length, epoch, magic
# Where a batch says how many offsets it takes: the last one's delta, and the number of records.
_NUMBER, _DELTA_AT, _COUNT_AT = struct.Struct(">i"), 23, 57
_LENGTH_AT, _CRC_AT = 8, 17
_CANDIDATES = 64  # looked at for the end of a batch whose length is damaged


class Sound(NamedTuple):
    """A valid batch."""

    position: int
    header: BatchHeader


class Damage(NamedTuple):
    """Bytes that are no valid batch, from *position* to *end*; valid ones follow if *resumes*."""

    position: int
    end: int
    expected_offset: int
    resumes: bool
    why: str


def scan(
    file: IFile, position: int, expected: int, epochs: EpochCache, limit: int = NO_LIMIT
) -> Iterator[Sound | Damage]:
    """What *file* holds from *position* on, where offset *expected* is due.

    Stretches of damage come as one :class:`Damage` each; after one no batch is believed that begins at or above *limit*. Reads a window
    at a time. Where *epochs* knows nothing, any epoch goes. Zeros that the file ends with are no damage, unless batches are missing there
    or they are more than was ever made ready for appends.
    """
    window = Window(file, _WINDOW)
    while position < file.size:
        try:
            header = window.batch(position)
            check_place(header, expected, epochs)
        except CorruptBatch as error:
            if limit in (NO_LIMIT, expected) and _ends(window, position, file.size):
                return
            found = _resume(window, file.size, position, expected, epochs, limit)
            end = found.position if found else file.size
            yield Damage(position, end, expected, found is not None, str(error))
            if found is None:
                return
            position, header = found
        yield Sound(position, header)
        position += header.length
        expected = header.next_offset


def scan_live(file: IFile, expected: int) -> Iterator[Sound | Damage]:
    """:func:`scan` of the file that another process appends to; any epoch goes.

    It writes over zeros while they are read: who saw one page before and the next one after that takes it for damage, and looks again.
    """
    position, again = 0, -1
    while True:
        for found in scan(file, position, expected, EpochCache()):
            if isinstance(found, Damage) and found.resumes and found.position != again:
                position = again = found.position
                expected = found.expected_offset
                break
            yield found
        else:
            return


def note_all(segment: Segment) -> None:
    """Index what *segment*'s file holds, damage passed over."""
    for found in scan(segment.file, 0, segment.base_offset, EpochCache()):
        if isinstance(found, Sound):
            header = found.header
            segment.note(header.base_offset, header.next_offset, found.position, header.max_timestamp_ms)
    segment.seal()


def claimed_end(file: IFile, damage: Damage) -> int:
    """One past the last offset that the bytes of *damage*, at the end of a log, may have been given.

    Whoever goes on after them starts there, so that no offset is ever given twice. Zeros claim nothing: that is how a file looks
    that had grown before the power went, and whose bytes never came.
    """
    position, offset = damage.position, damage.expected_offset
    while position < damage.end and _any(file, position, damage.end):
        head = file.read_at(position, min(HEADER_SIZE, damage.end - position))
        counts, length = _counts(head), _length(head)
        says = [count for count in counts if 0 < count <= _MOST_RECORDS]
        if head[:_LENGTH_AT] != offset.to_bytes(_LENGTH_AT, "big") or length is None or not says or not counts[1]:
            # No batch has no records. It was torn before it says all this, or zeros are in the place of the sectors that said it.
            return offset + _MOST_RECORDS
        offset += max(says)  # they are equal, unless the damage is in one of them: then one of the two is right
        position += length
    return offset


def given_in(file: IFile, base_offset: int) -> int:
    """One past the last offset, from *base_offset* on, that anything in *file* may have been given; any epoch goes."""
    end = base_offset
    for found in scan(file, 0, base_offset, EpochCache()):
        if isinstance(found, Sound):
            end = found.header.next_offset
        elif not found.resumes:
            end = claimed_end(file, found)
    return end


def _counts(head: bytes) -> tuple[int, int]:
    """How many offsets a batch takes, in each of the two ways in which it says so."""
    return _number(head, _DELTA_AT) + 1, _number(head, _COUNT_AT)


def _number(head: bytes, at: int) -> int:
    """That field of a header, -1 if it is not all there."""
    return -1 if at + _NUMBER.size > len(head) else int(_NUMBER.unpack_from(head, at)[0])


def _length(head: bytes) -> int | None:
    """Of the whole batch, by its header; None if it says nothing that could be."""
    length = _number(head, _LENGTH_AT) + COUNTED_FROM
    return length if HEADER_SIZE <= length <= MAX_BATCH_BYTES else None


def _any(file: IFile, start: int, end: int) -> bool:
    """Whether there is anything but zeros."""
    return any(any(file.read_at(at, min(_WINDOW, end - at))) for at in range(start, end, _WINDOW))


def _ends(window: Window, position: int, size: int) -> bool:
    """Whether nothing was written from *position* on: there is nothing, or what was made ready."""
    return size - position <= MOST_READY and window.search(_WRITTEN, position, 1) is None


def _resume(window: Window, size: int, position: int, expected: int, epochs: EpochCache, limit: int) -> Sound | None:
    """The first valid batch after the damaged one at *position*: it tells damage before good data from a torn tail.

    First where the damaged one says it ends, if the next goes on after as many offsets as it says it takes: within it a client's own
    bytes may look like a batch. If it is the length that is damaged, the CRC tells where it ends. If that does not match anywhere,
    a batch that another follows is more likely than one that stands alone.
    """
    head = window.slice(position, min(position + HEADER_SIZE, size))
    limit = min(limit, expected + _FURTHEST + 1)
    length = _length(head)
    found = None if length is None else _valid(window, position + length, size, expected, limit, epochs)
    if found is not None and found.header.base_offset - expected in _counts(head):
        return found
    alone = followed = None
    crc, covered = 0, position + CRC_FROM
    for found in islice(_candidates(window, position + 1, size, expected, limit, epochs), _CANDIDATES):
        if found.position > covered:
            crc, covered = crc32c(window.slice(covered, found.position), crc), found.position
            if crc == _number(head, _CRC_AT) & 0xFFFFFFFF:
                return found
        end, after = found.position + found.header.length, found.header.next_offset
        if followed is None and (_ends(window, end, size) or _valid(window, end, size, after, after + 1, epochs)):
            followed = found
        alone = alone or found
    return followed or alone


def _candidates(
    window: Window, position: int, size: int, expected: int, limit: int, epochs: EpochCache
) -> Iterator[Sound]:
    """All that look like valid batches at *position* or later."""
    pattern = _plausible(expected)
    at = window.search(pattern, position, _PATTERN_SIZE)
    while at is not None:
        if found := _valid(window, at, size, expected, limit, epochs):
            yield found
        at = window.search(pattern, at + 1, _PATTERN_SIZE)


def _valid(window: Window, position: int, size: int, expected: int, limit: int, epochs: EpochCache) -> Sound | None:
    """The batch at *position*, if it is valid and its offset is not below *expected*, and below *limit*."""
    if position >= size:
        return None
    try:
        header = window.batch(position)
        check_place(header, header.base_offset, epochs)
    except CorruptBatch:
        return None
    return Sound(position, header) if expected <= header.base_offset < limit else None


def _plausible(expected: int) -> "re.Pattern[bytes]":
    """What a batch not far above *expected* begins with: high half of the offset, length below 64 MiB + 1, magic.

    Cheap to look for, and so specific that hardly a CRC is computed in vain.
    """
    highs = b"|".join(re.escape(_HIGH.pack(high)) for high in {expected >> 32, expected + _FURTHEST >> 32})
    return re.compile(b"(?=(?:" + highs + rb").{4}[\x00-\x04].{3}.{4}\x02)", re.DOTALL)
