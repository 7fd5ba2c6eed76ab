"""Fetches that wait until so many bytes are there. A coroutine, and so in a module that is never compiled."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from flux.interfaces import ILog
from flux.model import Fetched
from flux.watermark import Watermark

_REREAD_S = 0.01  # a fetch short of min_bytes reads again at most this often: a read per append would be quadratic


async def gather(
    log: ILog,
    watermark: Watermark,
    clock: IReactorTime,
    rise_above: Callable[[int], "Deferred[int]"],
    offset: int,
    max_bytes: int,
    max_wait_s: float,
    min_bytes: int,
) -> Fetched:
    """What lies between *offset* and *watermark* as soon as that is *min_bytes*, or what there is after *max_wait_s*.

    *rise_above* fires when the watermark is above an offset, and fails when nobody may wait any more.
    """
    deadline = clock.seconds() + max_wait_s
    data, short = b"", -1
    while True:
        visible = watermark.value
        if offset < visible:
            data = await log.read(offset, max_bytes, visible)
        left = deadline - clock.seconds()
        # A read that a longer log did not make longer stopped for the log's own reasons: waiting would not help.
        if len(data) >= min_bytes or left <= 0 or len(data) == short:
            return Fetched(offset, data, visible, log.start_offset)
        short = len(data) or -1
        try:
            await rise_above(max(visible, offset)).addTimeout(left, clock)
        except DeferredTimeout:
            return Fetched(offset, data, watermark.value, log.start_offset)
        await deferLater(clock, min(_REREAD_S, left))
