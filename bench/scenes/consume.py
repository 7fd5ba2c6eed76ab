"""A whole log read in pages of 1,000 records: CONSUME, plain and encoded, beside NATS's pull batches and Redis's XRANGE."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from bench.flux_server import Flux
from bench.redis_server import Redis
from bench.scenes.scene import Bench, Result, compared
from bench.servers import Contender, Request, Server
from bench.spread import Run

_PAGE = 1000
_LOGS = (100_000, 1_000_000)
_SIZE = 100
_IN_FLIGHT = 2  # one being read, one on its way


def consume(bench: Bench) -> Iterator[Result]:
    """A whole log in pages of 1,000 records. Each is written once and read in turns."""
    flux = Flux()
    for records in _LOGS:
        with contextlib.ExitStack() as stack:
            drives: dict[str, Callable[[], Run]] = {}
            for contender in (flux, *bench.peers):
                server = stack.enter_context(contender.start("interval"))
                fill(bench, contender, server, records, _SIZE)
                drives[contender.kind] = partial(_read, bench, server, partial(contender.pages, server, _PAGE), records)
                if contender is flux:
                    encoded = partial(flux.pages, server, _PAGE, "b64")
                    drives["flux enc=b64"] = partial(_read, bench, server, encoded, records)
            peers = [peer.kind for peer in bench.peers]
            ratios = [(ours, peer) for peer in peers for ours in ("flux", "flux enc=b64")]
            yield from compared(bench, "consume", f"{records:,} records of {_SIZE} B", drives, ratios)


def fill(bench: Bench, contender: Contender, server: Server, records: int, size: int) -> None:
    """Write *records*, as fast as it goes."""
    request = contender.numbered() if isinstance(contender, Redis) else contender.produce()
    bench.generator.drive(
        server, request, depth=256, connections=1, seconds=600, warm_up=0, requests=records, size=size
    )


def _read(bench: Bench, server: Server, request: Callable[[], Request], records: int) -> Run:
    """From the first record to the last, once; a page that brings less than its records is an error."""
    pages = records // _PAGE
    run = bench.generator.drive(
        server,
        request(),
        depth=_IN_FLIGHT,
        connections=1,
        seconds=120,
        warm_up=0,
        requests=pages,
        step=_PAGE,
        modulo=records,
    )
    if run["bytes_per_reply"] < _PAGE * _SIZE:
        run["errors"] += pages
    run["per_second"] *= _PAGE
    run["server_cpu_us"] /= _PAGE
    return run
