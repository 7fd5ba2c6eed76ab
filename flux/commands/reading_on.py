"""A page that one read did not fill. A coroutine, and so in a module that is never compiled."""

from typing import TYPE_CHECKING

from flux.batch import Columns
from flux.errors import FluxError
from flux.model import Fetched
from flux.wire.fetch import Consumed

if TYPE_CHECKING:
    from flux.commands.page import Page

_MORE_READS = 64  # before it is answered with what there is


async def read_on(of: "Page", page: Columns, fetched: Fetched) -> Consumed:
    """Over gaps, and for the records that are still wanted."""
    for _ in range(_MORE_READS):
        left = of.max_bytes - _size(page)
        if page.offsets and left <= 0:
            break
        try:
            fetched = await of.partition.fetch(page.next_offset, of.at_once, 0, 1)
            wanted = of.request.max_records - len(page.offsets)
            more = of.columns(fetched, page.next_offset, wanted, max(left, 1))
        except FluxError:
            if page.offsets:
                break  # what is at hand is shown; whoever goes on from there is told
            raise
        if page.offsets and _size(more) > left:
            break  # one record is always shown, however large; a further one is not
        page = _joined(page, more)
        if of.is_full(page) or page.next_offset >= fetched.high_watermark:
            break
    return of.consumed(page, fetched)


def _size(page: Columns) -> int:
    """Bytes of its values."""
    return sum(map(len, filter(None, page.values)))


def _joined(page: Columns, more: Columns) -> Columns:
    return Columns(
        [*page.offsets, *more.offsets],
        [*page.timestamps_ms, *more.timestamps_ms],
        [*page.keys, *more.keys],
        [*page.values, *more.values],
        more.next_offset,
    )
