"""What every scene is given, and what it gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.generator import Generator
from bench.servers import Contender
from bench.spread import Run, Spread, interleaved, ratio


class Shape(NamedTuple):
    """How a load is spread: requests in flight on each connection, and connections."""

    depth: int
    connections: int

    def __str__(self) -> str:
        return f"{self.depth}x{self.connections}"


@dataclass(frozen=True, slots=True)
class Bench:
    """The options, and what carries them out."""

    generator: Generator
    seconds: float
    repetitions: int
    modes: Sequence[str]
    shapes: Sequence[Shape]
    sizes: Sequence[int]
    partitions: int
    peers: Sequence[Contender]
    log_gib: Sequence[float]


class Result(NamedTuple):
    """One line of the table. ``ratios``: by what is divided by what, of runs of the same round."""

    section: str
    scene: str
    contender: str
    runs: list[Run]
    ratios: dict[str, Spread]


Scene = Callable[[Bench], Iterator[Result]]


def compared(
    bench: Bench,
    section: str,
    scene: str,
    contenders: Mapping[str, Callable[[], Run]],
    ratios: Sequence[tuple[str, str]] = (),
    measure: str = "per_second",
) -> Iterator[Result]:
    """The results of *contenders*, run in turns. Each of *ratios* stands in the line of the one that is not the first contender."""
    runs = interleaved(contenders, bench.repetitions)
    first = next(iter(contenders))
    for name, found in runs.items():
        said: dict[str, Spread] = {}
        for over, under in ratios:
            value = ratio(runs[over], runs[under], measure)
            if value is not None and name == (over if under == first else under):
                said[f"{over} ÷ {under}"] = value
        yield Result(section, scene, name, found, said)
