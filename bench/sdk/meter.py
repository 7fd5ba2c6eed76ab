"""What a way of using a library comes to: records a second, the client's own CPU, and how long one took."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

BATCH = 100  # records a producer sends together, where the library leaves that to its user
BATCHES = 5  # under way at a time
WINDOW = BATCH * BATCHES
PAGE = 500  # records a consumer asks for, where it has to say


class Meter:
    """Counts records until the time is over. *latencies* in seconds, where they mean something."""

    def __init__(self, port: int, seconds: float, size: int) -> None:
        self.port = port
        self.value = b"v" * size
        self.count = 0
        self.latencies: list[float] = []
        self._seconds = seconds
        self._begun = self._ends = self._cpu = 0.0

    def begin(self) -> None:
        """Connected, and about to begin."""
        self._cpu = time.process_time()
        self._begun = time.perf_counter()
        self._ends = self._begun + self._seconds

    @property
    def is_over(self) -> bool:
        """The time."""
        return time.perf_counter() >= self._ends

    def timed(self, since: float) -> float:
        """One more record took from *since* until now, which is returned."""
        now = time.perf_counter()
        self.latencies.append(now - since)
        self.count += 1
        return now

    def found(self) -> dict[str, float]:
        """What there is to say once everything is acknowledged."""
        elapsed, cpu = time.perf_counter() - self._begun, time.process_time() - self._cpu
        found = {
            "per_second": self.count / elapsed,
            "client_cpu": cpu / elapsed,
            "client_cpu_us": cpu * 1e6 / max(self.count, 1),
            "client_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "errors": 0,
        }
        ordered = sorted(self.latencies)
        if ordered:
            for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)):
                found[name] = ordered[int(share * len(ordered))] * 1e6
        return found


Way = Callable[[Meter], Coroutine[Any, Any, None] | None]


def main(ways: Mapping[str, Way]) -> None:
    """Go the way the arguments name, and print what was found."""
    way, port, seconds, size = sys.argv[1:]
    meter = Meter(int(port), float(seconds), int(size))
    running = ways[way](meter)
    if running is not None:
        asyncio.run(running)
    print(json.dumps(meter.found()))
