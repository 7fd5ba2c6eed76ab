"""PRODUCE beside its peers: little and much in flight, small and larger values, each durability mode against its equal."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from bench.flux_server import Flux
from bench.scenes.scene import Bench, Result, compared
from bench.servers import Contender
from bench.spread import Run


def produce(bench: Bench) -> Iterator[Result]:
    """PRODUCE beside its peers, each durability mode against its equal. A fresh log for each shape of load and size."""
    for mode in bench.modes:
        for size in bench.sizes:
            for shape in bench.shapes:
                with contextlib.ExitStack() as stack:
                    drives: dict[str, Callable[[], Run]] = {}
                    for contender in _contenders(bench, mode):
                        server = stack.enter_context(contender.start(mode))
                        load = {"depth": shape.depth, "connections": shape.connections, "size": size}
                        drives[name_of(contender, mode)] = partial(
                            bench.generator.drive, server, contender.produce(), seconds=bench.seconds, **load
                        )
                    flux, *peers = drives
                    scene = f"{shape}, {size} B, {mode}"
                    yield from compared(bench, "produce", scene, drives, [(flux, peer) for peer in peers])


def _contenders(bench: Bench, mode: str) -> list[Contender]:
    everybody = [Flux(partitions=bench.partitions), *bench.peers]
    return [contender for contender in everybody if contender.durability(mode) is not None]


def name_of(contender: Contender, mode: str) -> str:
    """As the table names it; the mode stands in the scene's name, a peer's word for it here."""
    return "flux" if contender.kind == "flux" else f"{contender.kind} {contender.durability(mode)}"
