"""What a segment file holds after a crash. Pure: it is handed an open file, and decides; :mod:`flux.storage.opening` acts.

A valid batch has magic 2, a length that fits, a matching CRC-32C, the offset that is due and the leader epoch that offset was
written in. The CRC covers neither offset nor epoch, which is why those are checked too: of 744 single-bit flips in a batch
the CRC alone misses 96, the CRC and both checks none.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from flux.batch import HEADER_SIZE, BatchHeader, CorruptBatch, read_header
from flux.interfaces import IFile
from flux.storage.epochs import EpochCache
from flux.storage.segment import Jump, Window

_WINDOW = 1 << 20
_MAGIC_AT = 16  # where a batch keeps its format version
_FURTHEST = 1 << 31  # how far ahead of what is due an offset after damage may lie and still be believed


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
    file: IFile, position: int, expected: int, epochs: EpochCache, jumps: Collection[Jump]
) -> Iterator[Sound | Damage]:
    """What *file* holds from *position* on, where offset *expected* is due.

    Stretches of damage come as one :class:`Damage` each. Reads a window at a time. Where *epochs* knows nothing, any epoch goes.
    """
    window = Window(file, _WINDOW)
    while position < file.size:
        try:
            header = _valid(window, position)
            if header.base_offset != expected and (expected, header.base_offset) not in jumps:
                raise CorruptBatch(f"base offset {header.base_offset} where {expected} was due")
            due = epochs.epoch_of(header.base_offset)
            if due not in (-1, header.leader_epoch):
                raise CorruptBatch(f"leader epoch {header.leader_epoch} where {due} was due")
        except CorruptBatch as error:
            found = _resume(window, file.size, position + 1, expected, epochs)
            end = found.position if found else file.size
            yield Damage(position, end, expected, found is not None, str(error))
            if found is None:
                return
            position, header = found
        yield Sound(position, header)
        position += header.length
        expected = header.next_offset


def claimed_end(file: IFile, damage: Damage) -> int:
    """One past the last offset the damaged bytes may have held, as far as their header can still be read.

    Whoever goes on after them starts there, so that no offset is ever given twice.
    """
    head = file.read_at(damage.position, min(HEADER_SIZE, damage.end - damage.position))
    if not any(head):
        return damage.expected_offset  # zeros: the file had grown, the batch never came
    try:
        header = read_header(head)
    except CorruptBatch:
        return damage.expected_offset + 1
    return header.next_offset if header.base_offset == damage.expected_offset else damage.expected_offset + 1


def _resume(window: Window, size: int, position: int, expected: int, epochs: EpochCache) -> Sound | None:
    """The first valid batch at or after *position* with an offset not below *expected*: is it a torn tail, or damage before good data?"""
    while position + HEADER_SIZE <= size:
        magic = window.find(b"\x02", position + _MAGIC_AT, _MAGIC_AT)
        if magic is None:
            position = window.end - _MAGIC_AT
            continue
        position = magic - _MAGIC_AT
        try:
            header = _valid(window, position)
            near = 0 <= header.base_offset - expected <= _FURTHEST
            if near and epochs.epoch_of(header.base_offset) in (-1, header.leader_epoch):
                return Sound(position, header)
        except CorruptBatch:
            pass
        position += 1
    return None


def _valid(window: Window, position: int) -> BatchHeader:
    return window.batch(position, window.header(position).length)
