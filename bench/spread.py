"""Interleaved runs, and what their spread says: medians with extremes, ratios taken within each round."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Run = dict[str, float]  # what one run measured, by name


class Spread(NamedTuple):
    """A median, and the least and the most there was."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def interleaved(contenders: Mapping[str, Callable[[], Run]], repetitions: int) -> dict[str, list[Run]]:
    """Each contender once a round, in an order that turns round each time, so that a machine that drifts drifts for all."""
    names = list(contenders)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for repetition in range(repetitions):
        for name in reversed(names) if repetition % 2 else names:
            runs[name].append(contenders[name]())
    return runs


def summary(runs: Sequence[Run]) -> dict[str, Spread]:
    """The spread of everything that every run measured."""
    return {name: spread([run[name] for run in runs]) for name in runs[0] if all(name in run for run in runs)}


def ratio(runs: Sequence[Run], to: Sequence[Run], measure: str) -> Spread | None:
    """Of *measure* between runs of the same round; None where it cannot be said."""
    if any(not other.get(measure) or measure not in run for run, other in zip(runs, to, strict=True)):
        return None
    return spread([run[measure] / other[measure] for run, other in zip(runs, to, strict=True)])
