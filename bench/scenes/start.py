"""How long a start takes with much log, after a clean stop and after ``kill -9``, and what memory it leaves taken."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.flux_server import Flux
from bench.scenes.scene import Bench, Result, compared
from bench.spread import Run

_SIZE = 1024
_SMALL_GIB = 0.01
_RECOVERY_POINTS = "recovery-points.json"
_NEVER = "checkpoint_interval_ms=86400000"  # so that after kill -9 there is everything to check


def start(bench: Bench) -> Iterator[Result]:
    """Starting with much log. A small one shows what a start costs by itself; times are from the process's start to its first answer."""
    for mode in ("clean", "unclean"):
        with contextlib.ExitStack() as stack:
            drives: dict[str, Callable[[], Run]] = {}
            for gib in (_SMALL_GIB, *bench.log_gib):
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flux-bench-")))
                bytes_on_disk = _fill(bench, place, gib)
                drives[f"{gib:g} GiB"] = partial(_start, place, bytes_on_disk, kill=mode == "unclean")
            small, *large = drives
            ratios = [(name, small) for name in large]
            yield from compared(bench, "start", f"after a stop that was {mode}", drives, ratios, "seconds")


def _fill(bench: Bench, place: Path, gib: float) -> int:
    """Write, and stop cleanly; the size of the log."""
    flux = Flux(_NEVER)
    with flux.start("never", place) as server:
        bench.generator.drive(
            server,
            flux.produce(),
            depth=256,
            connections=2,
            seconds=3600,
            warm_up=0,
            requests=int(gib * (1 << 30) / _SIZE),
            size=_SIZE,
        )
    return sum(file.stat().st_size for file in (place / "data").rglob("*.log"))


def _start(place: Path, bytes_on_disk: int, *, kill: bool) -> Run:
    flux = Flux(_NEVER)
    if kill:
        with flux.start("never", place) as server:
            server.kill()
        (place / "data" / _RECOVERY_POINTS).unlink(missing_ok=True)  # nothing is known to be sound
    begun = time.perf_counter()
    with flux.start("never", place) as server:
        seconds = time.perf_counter() - begun
        return {
            "seconds": seconds,
            "gib_per_s": bytes_on_disk / (1 << 30) / seconds,
            "rss_mib": server.rss_bytes() / (1 << 20),
            "errors": 0,
        }
