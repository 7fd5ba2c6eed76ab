"""From produced to seen: records at a fixed rate on one connection, awaited on another, by long poll, XREAD BLOCK or push."""

import contextlib
from collections.abc import Callable, Iterator

from bench.flux_server import Flux
from bench.nats_server import Nats
from bench.scenes.produce import name_of
from bench.scenes.scene import Bench, Result, compared
from bench.servers import Contender
from bench.spread import Run

_RATES = (1_000, 20_000)


def latency(bench: Bench) -> Iterator[Result]:
    """From produced to seen, at a fixed rate.

    A record counts from when it was due. A fresh log for each run, for it is followed from its beginning.
    """
    for mode in bench.modes:
        for rate in _RATES:
            contenders = [Flux(), *(peer for peer in bench.peers if peer.durability(mode) is not None)]
            drives: dict[str, Callable[[], Run]] = {
                name_of(contender, mode): _follower(bench, contender, mode, rate) for contender in contenders
            }
            flux, *peers = drives
            ratios = [(flux, peer) for peer in peers]
            yield from compared(bench, "latency", f"end to end, {rate:,}/s, {mode}", drives, ratios, "p99_us")


def _follower(bench: Bench, contender: Contender, mode: str, rate: int) -> Callable[[], Run]:
    def follow() -> Run:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(contender.start(mode))
            if isinstance(contender, Nats):
                contender.follow(server)
            return bench.generator.tail(server, rate=rate, seconds=bench.seconds)

    return follow
