"""Client libraries in Python: Flux's faces beside redis-py and nats-py, one by one, pipelined, and consuming."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

from bench.flux_server import Flux
from bench.scenes.consume import fill
from bench.scenes.scene import Bench, Result, compared
from bench.servers import Contender, Server
from bench.spread import Run

_FACES = {
    "flux": ("flux_blocking", "flux_asyncio"),
    "redis": ("redis_blocking", "redis_asyncio"),
    "nats": ("nats_asyncio",),
}
_WAYS = ("one-by-one", "pipelined", "consume")
_SIZE = 100
_RECORDS_PER_S = 1_000_000  # to consume: more than any of them gets through
_PATIENCE_S = 60.0


def sdk(bench: Bench) -> Iterator[Result]:
    """Client libraries in Python. The blocking faces are measured by Flux's blocking one, the others by its asyncio one."""
    everybody: list[Contender] = [Flux()]
    for peer in bench.peers:
        if find_spec(peer.kind):  # redis-py and nats-py are called so
            everybody.append(peer)
        else:
            print(f'{peer.kind} has no client library here: install the extra "bench"', file=sys.stderr)
    for way in _WAYS:
        with contextlib.ExitStack() as stack:
            drives: dict[str, Callable[[], Run]] = {}
            for contender in everybody:
                server = stack.enter_context(contender.start("interval"))
                if way == "consume":
                    fill(bench, contender, server, int(bench.seconds * _RECORDS_PER_S), _SIZE)
                for face in _FACES[contender.kind]:
                    drives[face.replace("_", " ")] = partial(_use, server, face, way, bench.seconds)
            ratios = [(f"flux {name.split()[1]}", name) for name in drives if not name.startswith("flux")]
            yield from compared(bench, "sdk", way, drives, ratios)


def _use(server: Server, face: str, way: str, seconds: float) -> Run:
    command = [sys.executable, "-m", f"bench.sdk.{face}", way, str(server.port), str(seconds), str(_SIZE)]
    before_s = server.cpu_s()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _PATIENCE_S, check=False)
    if done.returncode:
        raise SystemExit(f"bench.sdk.{face} {way} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    run: Run = json.loads(done.stdout)
    run["server_cpu_us"] = (server.cpu_s() - before_s) * 1e6 / max(run["per_second"] * seconds, 1)
    return run
