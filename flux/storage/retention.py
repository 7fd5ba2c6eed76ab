"""Which closed segments may go. Pure: sizes and ages in, an offset out."""

from collections.abc import Sequence
from typing import Protocol


class Closed(Protocol):
    """What retention needs to know of a closed segment (:class:`~flux.storage.closed.ClosedSegment`)."""

    @property
    def next_offset(self) -> int:
        """One past its last offset."""

    @property
    def size_bytes(self) -> int:
        """Of its file."""

    @property
    def max_timestamp_ms(self) -> int:
        """Of its newest record; -1 if none could be read."""


def new_start(
    closed: Sequence[Closed], active_bytes: int, now_ms: int, max_age_ms: int | None, max_bytes: int | None, limit: int
) -> int | None:
    """The offset the log may start at, oldest segments first; None if all stay.

    A segment goes when its newest record is older than *max_age_ms*, or when without it the log still holds *max_bytes*;
    never past *limit* (the high watermark), never the active one. One whose age is unknown goes with the next that is known.
    """
    total = active_bytes + sum(segment.size_bytes for segment in closed)
    start = None
    for number, segment in enumerate(closed):
        if segment.next_offset > limit:
            break
        too_old = max_age_ms is not None and _newest(closed, number, now_ms) < now_ms - max_age_ms
        too_much = max_bytes is not None and total - segment.size_bytes >= max_bytes
        if not too_old and not too_much:
            break
        start = segment.next_offset
        total -= segment.size_bytes
    return start


def _newest(closed: Sequence[Closed], number: int, now_ms: int) -> int:
    known = (segment.max_timestamp_ms for segment in closed[number:] if segment.max_timestamp_ms >= 0)
    return next(known, now_ms)
