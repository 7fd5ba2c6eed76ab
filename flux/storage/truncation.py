"""Cutting a log's end: what a follower does when its leader's history is another. Runs in the flusher's thread."""

from collections.abc import Sequence

from flux.interfaces import IDirectory, IFile
from flux.storage.closed import ClosedSegment
from flux.storage.epoch_file import sync_epochs, write_epochs
from flux.storage.epochs import EpochCache
from flux.storage.gaps import Gaps
from flux.storage.hints import remove_hints
from flux.storage.recovery import Sound, note_all, scan
from flux.storage.removal import remove_segment
from flux.storage.segment import Segment, file_name
from flux.storage.segments import Remainder


def batch_end_before(directory: IDirectory, bases: Sequence[int], offset: int) -> int:
    """One past the last batch that lies wholly below *offset*, in the segments that begin at *bases*. :raises OSError: the disk failed."""
    base = max((base for base in bases if base <= offset), default=bases[0])
    file = directory.open(file_name(base))
    try:
        return _place(file, base, max(offset, base))[0]
    finally:
        file.close()


def cut_files(
    directory: IDirectory, closed: list[ClosedSegment], base: int, epochs: EpochCache, offset: int, index_interval: int
) -> Remainder:
    """Remove everything from *offset* on, where a batch ends, durably, highest segment first; *base* is that of the active one.

    A crash at any instant leaves a log without a hole. Nothing that was handed in is changed. :raises OSError: the log cannot be used
    any more.
    """
    closed = list(closed)
    while closed and base > offset:
        remove_segment(directory, base)
        base = closed.pop().base_offset
    remove_hints(directory, base)
    file = directory.open(file_name(base))
    try:
        end, position = _place(file, base, max(offset, base))
        file.truncate(position)
        file.datasync()
        left = Segment(base, file, index_interval)
        note_all(left)
        left.next_offset = end
        kept = EpochCache(epochs.entries)
        kept.cut_end(end)
        write_epochs(directory, kept)
        sync_epochs(directory)
        Gaps(directory, 0).cut_end(end)
    except BaseException:
        file.close()
        raise
    return Remainder(closed, left, kept, end)


def _place(file: IFile, base: int, offset: int) -> tuple[int, int]:
    """Where the last sound batch ends that lies below *offset*: the offset, and the position in the file.

    Damage after it goes too: what it held will come again from the leader.
    """
    end, position = base, 0
    for found in scan(file, 0, base, EpochCache()):
        if isinstance(found, Sound):
            if found.header.next_offset > offset:
                break
            end, position = found.header.next_offset, found.position + found.header.length
    return end, position
