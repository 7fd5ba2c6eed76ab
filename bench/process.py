"""What the kernel says about a process: CPU time and memory."""

import time
from pathlib import Path

_SCHEDULED = 2  # CPUCLOCK_SCHED of Linux: user and system time of all threads


def cpu_s(pid: int) -> float:
    """User and system time of all threads it has or had."""
    return time.clock_gettime((~pid << 3) | _SCHEDULED)  # clock_getcpuclockid(3), which Python does not have


def rss_bytes(pid: int) -> int:
    """Resident memory. Pages of files it has mapped count too."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")
