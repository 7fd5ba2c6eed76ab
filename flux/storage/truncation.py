"""Cutting a log's end: what a follower does when its leader's history is another. Runs in the flusher's thread."""

import json

from flux.storage.checkpoint import replace_file
from flux.storage.closed import load
from flux.storage.epochs import EpochCache
from flux.storage.opening import EPOCHS, GAPS, remove_segment
from flux.storage.segment import Segment, Window
from flux.storage.segments import Segments

_WINDOW = 1 << 16


def cut_files(segments: Segments, epochs: EpochCache, offset: int) -> int:
    """Remove everything from the batch that holds *offset* on, durably, highest segment first; return the new end offset.

    A crash at any instant leaves a log without a hole. :raises OSError: the log cannot be used any more.
    """
    directory = segments.directory
    while segments.closed and segments.active.base_offset >= offset:
        segments.active.file.close()
        remove_segment(directory, segments.active.base_offset)
        last = segments.closed.pop()
        segments.hot[:] = [load(directory, last.base_offset, last.next_offset, segments.index_interval)]
    active = segments.active
    end, position = _batch_at(active, max(offset, active.base_offset))
    active.file.truncate(position)
    active.file.datasync()
    active.cut(end, position)
    epochs.cut_end(end)
    replace_file(directory, EPOCHS, epochs.to_bytes())
    kept = {jump for jump in segments.jumps if jump[1] < end}
    if kept != segments.jumps:
        segments.jumps.clear()
        segments.jumps.update(kept)
        replace_file(directory, GAPS, json.dumps(sorted(kept)).encode() + b"\n")
    return end


def _batch_at(segment: Segment, offset: int) -> tuple[int, int]:
    """Base offset and position of the batch that holds *offset*, or of the end."""
    relative, position = segment.index.floor(offset - segment.base_offset)
    window = Window(segment.file, _WINDOW)
    base = segment.base_offset + relative
    while position < segment.file.size:
        header = window.header(position)
        base = header.base_offset
        if header.next_offset > offset:
            return base, position
        base = header.next_offset
        position += header.length
    return base, position
