"""The load generators: C programs, the same for every server, compiled for the run and measured themselves."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.servers import Request, Server
from bench.spread import Run

_HERE = Path(__file__).parent
_PATIENCE_S = 120.0  # beyond what a run was asked to take


class Generator:
    """Compiled once, run many times. What a run measured comes back by name, times in microseconds."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="flux-loadgen-")
        for name in ("loadgen", "tail"):
            command = [os.environ.get("CC", "cc"), "-O2", "-o", self._program(name), str(_HERE / f"{name}.c")]
            subprocess.run(command, check=True)

    def drive(
        self,
        server: Server,
        request: Request,
        *,
        depth: int,
        connections: int,
        seconds: float,
        warm_up: float | None = None,
        requests: int | None = None,
        size: int = 100,
        keys: int = 1000,
        step: int = 1,
        modulo: int = 1 << 40,
    ) -> Run:
        """Keep *depth* requests in flight on each of *connections*, for *seconds* after a warm-up (a quarter of it) or until *requests*."""
        words: list[object] = [
            *("-t", seconds, "-w", seconds / 4 if warm_up is None else warm_up),
            *("-d", depth, "-c", connections, "-s", size, "-K", keys, "-O", step, "-R", modulo),
            *("-T", request.template, "-e", request.expect, "-L", request.lines),
        ]
        if requests is not None:
            words += ["-n", requests]
        if request.greeting:
            words += ["-I", request.greeting, "-J", request.greeting_lines]
        if request.ignored:
            words += ["-G", request.ignored]
        return self._run("loadgen", server, words, seconds)

    def tail(self, server: Server, *, rate: int, seconds: float, size: int = 100) -> Run:
        """Produce *rate* records a second and await them on another connection: latencies are from due to seen."""
        words: list[object] = ["-P", server.kind, "-r", rate, "-t", seconds, "-w", seconds / 4, "-s", size]
        return self._run("tail", server, words, seconds)

    def _run(self, name: str, server: Server, words: list[object], seconds: float) -> Run:
        command = [self._program(name), "-p", str(server.port), "-S", str(server.pid), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * seconds + _PATIENCE_S, check=False)
        if done.returncode:
            raise SystemExit(f"{server.kind}: the load generator ended with {done.returncode}: {done.stderr.strip()}")
        run: Run = json.loads(done.stdout)
        if run["errors"]:
            print(f"{server.kind}: {run['errors']:.0f} errors: {done.stderr.strip()[:500]}", file=sys.stderr)
        run["rss_mib"] = server.rss_bytes() / (1 << 20)
        return run

    def _program(self, name: str) -> str:
        return str(Path(self._place.name) / name)
