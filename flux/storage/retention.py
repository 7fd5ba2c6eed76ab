"""Which closed segments may go. Pure: sizes and ages in, an offset out."""

from collections.abc import Sequence
from typing import NamedTuple


class Closed(NamedTuple):
    """What retention needs to know of a closed segment."""

    next_base_offset: int
    size_bytes: int
    max_timestamp_ms: int


def new_start(
    closed: Sequence[Closed], active_bytes: int, now_ms: int, max_age_ms: int | None, max_bytes: int | None, limit: int
) -> int | None:
    """The offset the log may start at, oldest segments first; None if all stay.

    A segment goes when its newest record is older than *max_age_ms*, or when without it the log still holds *max_bytes*;
    never past *limit* (the high watermark), never the active one.
    """
    total = active_bytes + sum(segment.size_bytes for segment in closed)
    start = None
    for segment in closed:
        if segment.next_base_offset > limit:
            break
        too_old = max_age_ms is not None and segment.max_timestamp_ms < now_ms - max_age_ms
        too_much = max_bytes is not None and total - segment.size_bytes >= max_bytes
        if not too_old and not too_much:
            break
        start = segment.next_base_offset
        total -= segment.size_bytes
    return start
