"""The load generator: one C program for every server, so that the client costs all of them the same."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.servers import Server

_SOURCE = Path(__file__).with_name("loadgen.c")
PRODUCE = r"V1|%i|PRODUCE|bench k%k:%p acks=1\n"
CONSUME = r"V1|%i|CONSUME|bench 0 %o max_records=1000\n"
XADD = r"*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nv\r\n$%l\r\n%p\r\n"


class Measured(NamedTuple):
    """What one run of the generator found. Times in microseconds, CPU in microseconds a request."""

    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float
    server_cpu_us: float
    client_cpu_us: float
    errors: int


class Generator:
    """Compiled once, run many times."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="flux-loadgen-")
        self._binary = Path(self._place.name) / "loadgen"
        subprocess.run(["gcc", "-O2", "-o", str(self._binary), str(_SOURCE)], check=True)

    def run(
        self,
        server: Server,
        template: str,
        *,
        depth: int,
        connections: int,
        requests: int,
        size: int,
        expect: str,
        lines: int = 1,
        step: int = 1,
        modulo: int = 1 << 40,
    ) -> Measured:
        """Send *requests* of *template* with *depth* in flight on each of *connections*, after a tenth as many to warm up."""
        command = [
            *(str(self._binary), "-p", str(server.port), "-S", str(server.pid), "-T", template, "-e", expect),
            *("-d", str(depth), "-c", str(connections), "-n", str(requests), "-w", str(requests // 10)),
            *("-s", str(size), "-L", str(lines), "-O", str(step), "-R", str(modulo), "-t", "60"),
        ]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return _measured(found)


def _measured(found: dict[str, float]) -> Measured:
    return Measured(
        per_second=found["rps"],
        p50_us=found["p50us"],
        p99_us=found["p99us"],
        p999_us=found["p999us"],
        server_cpu_us=found["srv_us_per_req"],
        client_cpu_us=found["client_cpu"] * 1e6 / max(found["rps"], 1),
        errors=int(found["err"]),
    )
