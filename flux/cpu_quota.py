"""What share of the CPUs a container or a service may use. The mask of CPUs, which Python asks for, says nothing of it. Linux only."""

from collections.abc import Iterator
from math import inf


def cpu_quota(root: str = "") -> float:
    """For how many CPUs this process has time, by the strictest of the control groups it is in; infinity if none sets a quota.

    *root* is the directory where ``/proc`` and ``/sys`` are; where they are not, or cannot be read, nobody sets a quota.
    """
    quotas = [inf]
    for line in _read(f"{root}/proc/self/cgroup").splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if not controllers:
            quotas += [_quota(_read(f"{place}/cpu.max")) for place in _around(f"{root}/sys/fs/cgroup", group)]
        elif "cpu" in controllers.split(","):  # the first version of control groups
            for place in _around(f"{root}/sys/fs/cgroup/cpu", group):
                quotas.append(_quota(f"{_read(f'{place}/cpu.cfs_quota_us')} {_read(f'{place}/cpu.cfs_period_us')}"))
    return min(quotas)


def _around(hierarchy: str, group: str) -> Iterator[str]:
    """The directory of *group*, and those of all groups around it.

    In a container the outermost is the container's own, and *group* may be a name of the host's that is not found there.
    """
    names = [name for name in group.split("/") if name not in ("", "..")]
    for count in range(len(names), -1, -1):
        yield "/".join([hierarchy, *names[:count]])


def _quota(words: str) -> float:
    """CPUs, of microseconds in each period of so many: ``150000 100000`` is 1.5 of them, ``max 100000`` and ``-1 100000`` are no quota."""
    try:
        quota_us, period_us = map(int, words.split())
    except ValueError:
        return inf
    return quota_us / period_us if quota_us > 0 and period_us > 0 else inf


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
