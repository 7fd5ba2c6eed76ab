"""Flux beside Redis Streams and NATS JetStream on loopback: the same load, in turns. Ratios count, digits drift.

Prints a table and, with --json, writes every run; asserts nothing. With no scene named it runs them all, in some ten minutes.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.docs import write_docs
from bench.generator import Generator
from bench.machine import machine
from bench.nats_server import Nats
from bench.redis_server import Redis
from bench.report import read_json, table, write_json
from bench.scenes import SCENES
from bench.scenes.scene import Bench, Result, Shape
from bench.servers import Contender

_SHAPES = (Shape(1, 1), Shape(16, 1), Shape(256, 1), Shape(1, 50), Shape(16, 50))
_PEERS: dict[str, Contender] = {"redis": Redis(), "nats": Nats()}
_DEBIAN = ("redis-server", "nats-server")
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def main() -> None:
    """Do what the options ask for."""
    options = _parser().parse_args()
    if options.install_peers:
        subprocess.run(["apt-get", "install", "--yes", *_DEBIAN], check=True, env=os.environ | _QUIETLY)
    if options.list:
        for name, scene in SCENES.items():
            print(f"{name:12} {scene.__doc__}")
        return
    if options.read:
        about, results = read_json(options.read)
        print(table(results))
    else:
        peers = [peer for peer in map(_PEERS.__getitem__, options.peers) if _is_installed(peer)]
        about = machine(peers)
        results = _measure(options, peers)
    if options.json:
        write_json(options.json, about, results)
    if options.docs:
        write_docs(options.docs, about, results)


def _is_installed(peer: Contender) -> bool:
    if peer.version() is None:
        print(f"{peer.kind} is not installed (Debian has it: --install-peers), so it is not measured", file=sys.stderr)
        return False
    if peer.durability("always") is None:
        print(f"{peer.kind} {peer.version()} cannot sync each message, so it is not measured so", file=sys.stderr)
    return True


def _measure(options: argparse.Namespace, peers: Sequence[Contender]) -> list[Result]:
    bench = Bench(
        Generator(),
        options.seconds,
        options.repetitions,
        options.mode,
        options.scene or _SHAPES,
        options.size,
        options.partitions,
        peers,
        options.log_gib,
    )
    results: list[Result] = []
    try:
        for name in options.scenes or SCENES:
            begun, before = time.monotonic(), len(results)
            for result in SCENES[name](bench):
                results.append(result)
                print(f"{result.section}: {result.scene}: {result.contender}", file=sys.stderr)
            print(table(results[before:]), flush=True)
            print(f"{name} took {time.monotonic() - begun:.0f} s", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what is finished is reported", file=sys.stderr)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("scenes", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(SCENES)}; all by default")
    add("--list", action="store_true", help="say what each of them is, and end")
    add(
        "--scene", nargs="*", type=_shape, metavar="DEPTHxCONNECTIONS", help="shapes of load for produce, such as 256x1"
    )
    add(
        "--mode", nargs="*", choices=("interval", "always", "never"), default=["interval", "always"], help="fsync modes"
    )
    add("--size", nargs="*", type=int, default=[100, 1024], help="bytes a value, for produce")
    add("--partitions", type=int, default=1, help="of Flux's topic; one by default, as a peer has one stream")
    add("--log-gib", nargs="*", type=float, default=[1.0], help="logs for start; 10 takes a minute to write")
    add("--peers", nargs="*", choices=list(_PEERS), default=list(_PEERS), help="--peers alone measures Flux only")
    add("--seconds", type=float, default=0.75, help="of each run, after a warm-up of a quarter of it")
    add("--repetitions", type=int, default=3, help="runs of each contender, taken in turns; the median counts")
    add("--json", type=Path, metavar="FILE", help="write every run here")
    add("--read", type=Path, metavar="FILE", help="measure nothing, report what --json wrote")
    add(
        "--docs", type=Path, metavar="DIRECTORY", help="write the documentation's table and plot here: docs/performance"
    )
    add("--install-peers", action="store_true", help="apt-get install redis-server and nats-server first; needs root")
    return parser


def _shape(text: str) -> Shape:
    depth, _, connections = text.partition("x")
    return Shape(int(depth), int(connections))


if __name__ == "__main__":
    main()
