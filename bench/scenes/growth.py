"""Costs that should not grow: with partitions, connections, records, groups and offsets. Flux beside itself, in turns."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from bench.flux_server import Flux
from bench.scenes.commits import COMMIT, commit_everywhere
from bench.scenes.consume import fill
from bench.scenes.lines import touch_all_partitions
from bench.scenes.scene import Bench, Result, Shape, compared
from bench.servers import Request
from bench.spread import Run

_KEYS = {"10,000 keys": 10_000, "3 keys": 3}  # all partitions are written to; all but a few only exist
_BUSY = Shape(256, 1)
_PARTITIONS = (3, 1, 100, 1000)
_CONNECTIONS = (10, 1, 100, 1000)
_LOGS = (10_000, 100_000, 1_000_000)
_GROUPS = (1, 100, 1000)
_OFFSETS = (10, 1000, 100_000)
_COMMITTERS = 50


def partitions(bench: Bench) -> Iterator[Result]:
    """PRODUCE to a topic of so many; one of three is what the others are measured by."""
    for mode in bench.modes:
        with contextlib.ExitStack() as stack:
            servers = {count: stack.enter_context(Flux(partitions=count).start(mode)) for count in _PARTITIONS}
            for count, server in servers.items():
                touch_all_partitions(server, count)
            for keys_name, keys in _KEYS.items():
                load = {"depth": _BUSY.depth, "connections": _BUSY.connections, "keys": keys}
                drives: dict[str, Callable[[], Run]] = {
                    f"{count:,} partition{'s' * (count > 1)}": partial(
                        bench.generator.drive, server, Flux().produce(), seconds=bench.seconds, **load
                    )
                    for count, server in servers.items()
                }
                yield from _grown(bench, "partitions", f"PRODUCE {_BUSY}, {keys_name}, {mode}", drives)


def connections(bench: Bench) -> Iterator[Result]:
    """PRODUCE with four requests in flight on each of so many."""
    for mode in bench.modes:
        flux = Flux(partitions=bench.partitions)
        with flux.start(mode) as server:
            drive = partial(bench.generator.drive, server, flux.produce(), depth=4, seconds=bench.seconds)
            drives: dict[str, Callable[[], Run]] = {
                f"{count:,} connection{'s' * (count > 1)}": partial(drive, connections=count) for count in _CONNECTIONS
            }
            yield from _grown(bench, "connections", f"PRODUCE, 4 in flight on each, {mode}", drives)


def records(bench: Bench) -> Iterator[Result]:
    """PRODUCE to, and pages of ten records anywhere in, a log that has so many already."""
    with contextlib.ExitStack() as stack:
        producing: dict[str, Callable[[], Run]] = {}
        reading: dict[str, Callable[[], Run]] = {}
        for count in _LOGS:
            flux = Flux()
            server = stack.enter_context(flux.start("interval"))
            fill(bench, flux, server, count, 100)
            page = Request(r"V1|%i|CONSUME|bench 0 %r max_records=10\n", "|OK|messages=")
            load = partial(bench.generator.drive, server, seconds=bench.seconds, connections=1)
            reading[f"{count:,} records"] = partial(load, page, depth=4, modulo=count - 10)
            producing[f"{count:,} records"] = partial(load, flux.produce(), depth=_BUSY.depth)
        yield from _grown(bench, "records", "CONSUME of 10 records anywhere", reading)
        yield from _grown(bench, "records", f"PRODUCE {_BUSY}, interval", producing)


def groups(bench: Bench) -> Iterator[Result]:
    """COMMIT of fifty connections, each time for another of so many groups."""
    yield from _commits(
        bench, "groups", {f"{count:,} group{'s' * (count > 1)}": (count, count) for count in _GROUPS}, r"g%r", "0"
    )


def offsets(bench: Bench) -> Iterator[Result]:
    """COMMIT of fifty connections for one group, where so many offsets are committed in all."""
    several = {f"{count:,} offsets": (max(1, count // 100), count) for count in _OFFSETS}
    yield from _commits(bench, "offsets", several, "g0", "%r")


def _commits(
    bench: Bench, section: str, several: dict[str, tuple[int, int]], group: str, partition: str
) -> Iterator[Result]:
    """*several*: by contender, how many groups have committed how many offsets in all."""
    for mode in bench.modes:
        with contextlib.ExitStack() as stack:
            drives: dict[str, Callable[[], Run]] = {}
            for name, (group_count, offset_count) in several.items():
                share = offset_count // group_count
                server = stack.enter_context(Flux(partitions=max(share, 1)).start(mode))
                commit_everywhere(server, group_count, share)
                drives[name] = partial(
                    bench.generator.drive,
                    server,
                    Request(COMMIT.format(group=group, partition=partition), "committed=true"),
                    depth=1,
                    connections=_COMMITTERS,
                    seconds=bench.seconds,
                    modulo=group_count if group.endswith("r") else share,
                )
            yield from _grown(bench, section, f"COMMIT of {_COMMITTERS} connections, {mode}", drives)


def _grown(bench: Bench, section: str, scene: str, drives: dict[str, Callable[[], Run]]) -> Iterator[Result]:
    first, *others = drives
    return compared(bench, section, scene, drives, [(other, first) for other in others])
