"""Zeros behind a log's end, for what is appended next to be written over.

To sync a file that has grown the file system writes the data, then its journal with the new size and the new blocks. Written over
zeros that are durable, the data is all: 20 kB take 100 µs on ext4 instead of 220. (``fallocate`` gains little: that a block was
written for the first time is journalled too.) With fsync_mode=always 1 connection that waits for each answer gets 3.7 → 4.3 k of them
a second, 50 of them 52 → 60 k, 16 in flight 47 → 58 k; the digits are one machine's.

Nobody reads these zeros: where a log ends is told by its batches. They are cut off when the segment is closed, at a stop, and at
a start after a crash.
"""

from flux.interfaces import IFile

_LEAST = 16384  # for a segment that holds little: a thousand of them take 16 MB
_PAGE = 4096


def preallocate(file: IFile, most: int, segment_bytes: int) -> None:
    """Make *file*, all of which is used, ready for as much again as it holds, but for *most* bytes at most, up to the end of a page.

    Not beyond *segment_bytes*, where the segment will be closed.

    :raises OSError: there is no room, or the disk failed; the file is as it was.
    """
    size = file.size
    end = (size + min(max(size, _LEAST), most)) // _PAGE * _PAGE + _PAGE
    file.make_ready(min(end, segment_bytes))
