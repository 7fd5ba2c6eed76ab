"""The same broker on each event loop there is."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

from bench.flux_server import Flux
from bench.scenes.scene import Bench, Result, Shape, compared
from bench.spread import Run

_SHAPES = (Shape(1, 1), Shape(256, 1), Shape(1, 50), Shape(16, 50))


def reactors(bench: Bench) -> Iterator[Result]:
    """PRODUCE on each event loop: Twisted's epoll, its own choice on Linux, and uvloop where it is installed."""
    names = ["epoll", *(["uvloop"] if find_spec("uvloop") else [])]
    for shape in _SHAPES:
        with contextlib.ExitStack() as stack:
            drives: dict[str, Callable[[], Run]] = {}
            for name in names:
                flux = Flux(partitions=bench.partitions, reactor=name)
                server = stack.enter_context(flux.start("interval"))
                drives[name] = partial(
                    bench.generator.drive,
                    server,
                    flux.produce(),
                    depth=shape.depth,
                    connections=shape.connections,
                    seconds=bench.seconds,
                )
            ratios = [(name, "epoll") for name in names[1:]]
            yield from compared(bench, "reactors", f"PRODUCE {shape}, interval", drives, ratios)
