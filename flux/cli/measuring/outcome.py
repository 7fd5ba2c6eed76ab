"""What came of a phase, in numbers. Pure."""

from array import array
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

COLUMNS = ("phase", "records", "records_per_s", "mib_per_s", "p50_ms", "p99_ms", "p999_ms")


class Outcome(NamedTuple):
    """How many records of *size_bytes* together went how fast; ``latencies_s`` is one of each answer, in any order."""

    phase: str
    records: int
    size_bytes: int
    seconds: float
    latencies_s: "array[float]"

    def row(self) -> tuple[str, int, int, float, float | None, float | None, float | None]:
        """In the order of :data:`COLUMNS`."""
        seconds = max(self.seconds, 1e-9)
        ordered = sorted(self.latencies_s)
        p50, p99, p999 = (_ms(percentile(ordered, share)) for share in (0.5, 0.99, 0.999))
        rate, mib = round(self.records / seconds), round(self.size_bytes / seconds / (1 << 20), 2)
        return self.phase, self.records, rate, mib, p50, p99, p999


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The least of *ordered* that at least that *share* of them does not exceed; None of nothing."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
