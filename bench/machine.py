"""Where and with what it was measured, for whoever reads the numbers elsewhere."""

import os
import platform
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.flux_server import Flux
from bench.servers import Contender


def machine(peers: Sequence[Contender]) -> dict[str, str]:
    """As words."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": _memory(),
        "disk": _file_system(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        **{contender.kind: contender.version() or "not installed" for contender in (Flux(), *peers)},
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found[1]) / (1 << 20):.0f} GiB" if found else "unknown"


def _file_system() -> str:
    """Of the place where the servers' directories are made: on tmpfs a sync would cost nothing."""
    place = Path(os.environ.get("FLUX_BENCH_DIRECTORY", tempfile.gettempdir())).resolve()
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(where, kind) for where, kind in mounts if place.is_relative_to(where)]
    return max(holding, key=lambda mount: len(mount[0]))[1] if holding else "unknown"
