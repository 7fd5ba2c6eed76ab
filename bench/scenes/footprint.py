"""What a server takes while nothing happens: memory at rest, for each connection and each partition; and CPU."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.flux_server import Flux
from bench.scenes.commits import commit_everywhere
from bench.scenes.lines import touch_all_partitions
from bench.scenes.scene import Bench, Result, compared
from bench.servers import Contender, Server
from bench.spread import Run

_MANY = 1000
_IDLE_GROUPS = 100
_SETTLE_S = 0.3  # between the last thing asked and the look at what it left
_IDLE_S = 3.0  # a sweep or a timer that comes once a second is in it three times


def memory(bench: Bench) -> Iterator[Result]:
    """Memory at rest, for each connection and for each partition. Every server is fresh and has served one record."""
    for scene, measured in (("at rest", _at_rest), ("each of 1,000 connections", _each_connection)):
        drives: dict[str, Callable[[], Run]] = {
            contender.kind: partial(measured, bench, contender) for contender in (Flux(), *bench.peers)
        }
        flux, *peers = drives
        yield from compared(bench, "memory", scene, drives, [(flux, peer) for peer in peers], "kib")
    yield from compared(bench, "memory", "each of 1,000 partitions", {"flux": partial(_each_partition, bench)})


def idle(bench: Bench) -> Iterator[Result]:
    """CPU, in percent of a core, with nothing to do; and with nothing to do for very many."""
    drives: dict[str, Callable[[], Run]] = {
        "nothing at all": _idle,
        "1,000 partitions, 1,000 connections, 100 groups": _idle_crowd,
    }
    yield from compared(bench, "idle", "flux", drives)


def _at_rest(bench: Bench, contender: Contender) -> Run:
    with contender.start("interval") as server:
        _one_record(bench, contender, server)
        return {"kib": _settled(server) / 1024, "errors": 0}


def _each_connection(bench: Bench, contender: Contender) -> Run:
    with contender.start("interval") as server, contextlib.ExitStack() as stack:
        _one_record(bench, contender, server)
        before = _settled(server)
        _connect(stack, server)
        return {"kib": (_settled(server) - before) / _MANY / 1024, "errors": 0}


def _each_partition(bench: Bench) -> Run:
    found = []
    for count in (1, _MANY + 1):
        with Flux("max_partitions_per_topic=2000", partitions=count).start("interval") as server:
            touch_all_partitions(server, count)
            found.append(_settled(server))
    return {"kib": (found[1] - found[0]) / _MANY / 1024, "errors": 0}


def _idle() -> Run:
    with Flux().start("interval") as server:
        return _idling(server)


def _idle_crowd() -> Run:
    with Flux(partitions=_MANY).start("interval") as server, contextlib.ExitStack() as stack:
        touch_all_partitions(server, _MANY)
        commit_everywhere(server, _IDLE_GROUPS, 1)
        _connect(stack, server)
        return _idling(server)


def _idling(server: Server) -> Run:
    time.sleep(_SETTLE_S)
    cpu_s, begun = server.cpu_s(), time.monotonic()
    time.sleep(_IDLE_S)
    share = (server.cpu_s() - cpu_s) / (time.monotonic() - begun)
    return {"server_cpu": share, "rss_mib": server.rss_bytes() / (1 << 20), "errors": 0}


def _one_record(bench: Bench, contender: Contender, server: Server) -> None:
    bench.generator.drive(server, contender.produce(), depth=1, connections=1, seconds=10, warm_up=0, requests=1)


def _connect(stack: contextlib.ExitStack, server: Server) -> None:
    for _ in range(_MANY):
        stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))


def _settled(server: Server) -> int:
    time.sleep(_SETTLE_S)
    return server.rss_bytes()
