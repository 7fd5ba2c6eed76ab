"""PRODUCE and CONSUME over loopback, beside Redis where it is installed, interleaved: ratios count, digits drift."""

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from bench.load import CONSUME, PRODUCE, XADD, Generator, Measured
from bench.servers import Server, flux, has_redis, redis

SCENES = ((1, 1), (16, 1), (256, 1), (1, 50), (16, 50))  # in flight a connection, connections
EQUALS = {"interval": "everysec", "always": "always"}  # Flux's fsync_mode and the durability of Redis that equals it


def main() -> None:
    """Run what the options ask for; print a table, and JSON if asked."""
    options = _options()
    generator = Generator()
    rows = []
    for mode in options.modes:
        for depth, connections in options.scenes:
            rows.append(_produce(generator, options, mode, depth, connections))
            print(_line(rows[-1]), flush=True)
    rows.append(_consume(generator, options))
    print(_line(rows[-1]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--modes", nargs="*", choices=list(EQUALS), default=list(EQUALS), help="fsync modes to measure")
    parser.add_argument(
        "--scenes", nargs="*", type=_scene, default=list(SCENES), metavar="DEPTHxCONNECTIONS", help="such as 256x1"
    )
    parser.add_argument("--requests", type=int, default=300_000, help="requests a run; fewer where little is in flight")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each server, taken in turns; the median counts")
    parser.add_argument("--size", type=int, default=100, help="bytes a value")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    return parser.parse_args()


def _scene(text: str) -> tuple[int, int]:
    depth, _, connections = text.partition("x")
    return int(depth), int(connections)


def _produce(
    generator: Generator, options: argparse.Namespace, mode: str, depth: int, connections: int
) -> dict[str, object]:
    requests = max(2000, min(options.requests, depth * connections * 3000))

    def drive(server: Server) -> Measured:
        template, expect = (PRODUCE, "|OK|") if server.name == "flux" else (XADD, "$")
        lines = {"flux": 1, "redis": 2}[server.name]
        return generator.run(
            server,
            template,
            depth=depth,
            connections=connections,
            requests=requests,
            size=options.size,
            expect=expect,
            lines=lines,
        )

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(flux(f"fsync_mode={mode}"))]
        if has_redis():
            servers.append(stack.enter_context(redis(EQUALS[mode])))
        return _row(f"PRODUCE {mode} {depth}x{connections}", servers, options.repeat, drive)


def _consume(generator: Generator, options: argparse.Namespace) -> dict[str, object]:
    """Answers of 1,000 records each, over one partition of 100,000."""
    with flux("fsync_mode=never", "num_partitions=1") as server:
        generator.run(server, PRODUCE, depth=256, connections=1, requests=100_000, size=options.size, expect="|OK|")

        def drive(server: Server) -> Measured:
            return generator.run(
                server,
                CONSUME,
                depth=2,
                connections=1,
                requests=1000,
                size=0,
                expect="messages=",
                step=1000,
                modulo=90_000,
            )

        return _row("CONSUME, answers of 1,000 records", [server], options.repeat, drive)


def _row(name: str, servers: list[Server], repeat: int, drive: Callable[[Server], Measured]) -> dict[str, object]:
    runs: dict[str, list[Measured]] = {server.name: [] for server in servers}
    for _ in range(repeat):
        for server in servers:
            runs[server.name].append(drive(server))
    row: dict[str, object] = {"scene": name}
    for server_name, found in runs.items():
        best = sorted(run.per_second for run in found)
        row[server_name] = {
            "per_second": statistics.median(best),
            "spread": [best[0], best[-1]],
            "errors": sum(run.errors for run in found),
            **{
                field: statistics.median(getattr(run, field) for run in found)
                for field in ("p50_us", "p99_us", "p999_us", "server_cpu_us", "client_cpu_us")
            },
        }
    if "redis" in runs:
        flux_rate, redis_rate = (statistics.median(run.per_second for run in runs[name]) for name in ("flux", "redis"))
        row["ratio"] = flux_rate / redis_rate
    return row


def _line(row: dict[str, object]) -> str:
    parts = [f"{row['scene']!s:36}"]
    for name in ("flux", "redis"):
        found = row.get(name)
        if isinstance(found, dict):
            parts.append(
                f"{name} {found['per_second']:>9,.0f}/s  p50 {found['p50_us']:>6,.0f}  p99 {found['p99_us']:>7,.0f} us"
                f"  cpu {found['server_cpu_us']:.2f} us" + (f"  {found['errors']} ERRORS" if found["errors"] else "")
            )
    if "ratio" in row:
        parts.append(f"ratio {row['ratio']:.2f}")
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
