"""What a commit costs with 10 and with 100,000 committed offsets, and how long a start with them takes; prints, asserts nothing.

Two brokers stand side by side and are driven in turns: the ratio counts, digits drift. Commits of one connection are answered
one after the other, so what is in flight is the number of connections. The runs are long enough for several snapshots of the
large state.

    python -m bench.group_commit --mode always --connections 50
"""

import argparse
import socket
import statistics
import tempfile
import time
from pathlib import Path

from bench.load import Generator, Measured
from bench.servers import Server, flux

PARTITIONS = 100
GROUPS = {10: 1, 100_000: 1000}  # committed offsets, and how many groups hold them
COMMIT = r"V1|%i|COMMIT|g0 bench c 2 %r %i\n"
_PIPELINED = 1000


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.group_commit", description=__doc__)
    parser.add_argument("--mode", default="always", choices=["always", "interval", "never"], help="fsync mode")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--requests", type=int, default=60_000, help="commits a run")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each, taken in turns; the median counts")
    options = parser.parse_args()
    generator = Generator()
    with tempfile.TemporaryDirectory(prefix="flux-bench-") as name:
        settings = (f"num_partitions={PARTITIONS}", "disk_low_bytes=0")
        places = {offsets: Path(name) / str(offsets) for offsets in GROUPS}
        for offsets, place in places.items():
            place.mkdir()
            with flux("fsync_mode=never", *settings, directory=place) as server:
                _fill(server, offsets)
        rates: dict[int, list[Measured]] = {offsets: [] for offsets in GROUPS}
        served = (f"fsync_mode={options.mode}", *settings)
        begun = time.perf_counter()
        with flux(*served, directory=places[10]) as small:
            small_start = time.perf_counter() - begun
            begun = time.perf_counter()
            with flux(*served, directory=places[100_000]) as large:
                large_start = time.perf_counter() - begun
                for _ in range(options.repeat):
                    for offsets, server in ((10, small), (100_000, large)):
                        rates[offsets].append(_measure(generator, server, offsets, options))
        for offsets, runs in rates.items():
            print(_line(offsets, runs))
        medians = [statistics.median(run.per_second for run in runs) for runs in rates.values()]
        print(f"ratio {medians[1] / medians[0]:.2f}; start-up {small_start:.2f} s and {large_start:.2f} s")


def _measure(generator: Generator, server: Server, offsets: int, options: argparse.Namespace) -> Measured:
    return generator.run(
        server,
        COMMIT,
        depth=1,
        connections=options.connections,
        requests=options.requests,
        size=0,
        expect="committed=true",
        modulo=min(offsets, PARTITIONS),
    )


def _fill(server: Server, offsets: int) -> None:
    """Every group joins with a session that outlasts the measurement, and commits its share."""
    share = offsets // GROUPS[offsets]
    lines = []
    for group in range(GROUPS[offsets]):
        lines.append(f"V1|0|JOIN|g{group} bench c session_ms=86400000\n")
        lines += [f"V1|0|COMMIT|g{group} bench c 2 {partition} 1\n" for partition in range(share)]
    with socket.create_connection(("127.0.0.1", server.port)) as connection, connection.makefile("rb") as replies:
        for first in range(0, len(lines), _PIPELINED):
            some = lines[first : first + _PIPELINED]
            connection.sendall("".join(some).encode())
            for _ in some:
                reply = replies.readline()
                if b"|OK|" not in reply:
                    raise SystemExit(f"refused: {reply!r}")


def _line(offsets: int, runs: list[Measured]) -> str:
    rates = sorted(run.per_second for run in runs)
    p50, p99, cpu = (
        statistics.median(getattr(run, field) for run in runs) for field in ("p50_us", "p99_us", "server_cpu_us")
    )
    errors = sum(run.errors for run in runs)
    return (
        f"{offsets:>7,} offsets: {statistics.median(rates):>8,.0f} commits/s ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        f"  p50 {p50:,.0f}  p99 {p99:,.0f} us  cpu {cpu:.1f} us" + (f"  {errors} ERRORS" if errors else "")
    )


if __name__ == "__main__":
    main()
