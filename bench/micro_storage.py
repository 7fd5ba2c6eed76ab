"""What the storage room does in a second on a real directory, with real threads: appends in each fsync mode, reads, recovery.

Run from the project's root: ``python -m bench.micro_storage [--directory DIR]``; the directory decides, for a sync on tmpfs costs nothing.
Prints, asserts nothing.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater, react

from flux.batch import EncodedBatch, encode
from flux.config import StorageConfig
from flux.disk.files import FilesDirectory
from flux.interfaces import ILog
from flux.model import FsyncMode, TopicPartition
from flux.storage.manager import LogManager
from flux.storage.opening import open_log
from flux.storage.segment import end_of
from flux.threads import Threads

TP = TopicPartition("bench", 0)
LARGE = encode([b"key"] * 256, [b"x" * 100] * 256, 1_700_000_000_000)
SINGLE = encode([b"key"], [b"x" * 100], 1_700_000_000_000)
MIB = 1 << 20


class Room:
    """A storage room below *path*, on the reactor and threads of its own."""

    def __init__(self, reactor: Any, path: Path, mode: FsyncMode) -> None:
        path.mkdir(exist_ok=True)
        self._reactor = reactor
        self._threads = Threads(reactor)
        flusher, reader = self._threads.one("bench-flusher"), self._threads.one("bench-reader")
        syncs = self._threads.several("bench-sync", 4)
        config = StorageConfig(fsync_mode=mode, disk_low_bytes=0, disk_reserve_bytes=0)
        self.manager = LogManager(FilesDirectory(str(path)), config, reactor, time.time, flusher, reader, syncs)

    def start(self) -> ILog:
        """The log."""
        self._threads.startService()
        self.manager.startService()
        return self.manager.open(TP, {})

    async def stop(self) -> None:
        """A clean stop."""
        await self.manager.stopService()
        self._threads.stopService()


async def appends(reactor: Any, log: ILog, batch: EncodedBatch, count: int, depth: int) -> float:
    """Batches a second, at most *depth* of them not yet promised."""
    began = time.perf_counter()
    for number in range(count):
        end = log.append(batch, 0) + batch.count
        if number % depth == depth - 1:
            await log.promised.reach(end - depth // 2 * batch.count)
            await deferLater(reactor, 0)
    await log.promised.reach(end)
    return count / (time.perf_counter() - began)


async def reads(log: ILog) -> float:
    """MiB a second, from the start to the end, 1 MiB at a time."""
    began, offset, size = time.perf_counter(), log.start_offset, 0
    while data := await log.read(offset, MIB, log.end_offset):
        offset, size = end_of(data), size + len(data)
    return size / MIB / (time.perf_counter() - began)


def recovery(path: Path) -> tuple[float, int]:
    """MiB a second when everything is checked, and how much that was."""
    began = time.perf_counter()
    opened = open_log(
        FilesDirectory(str(path / str(TP))),
        index_interval=4096,
        start_offset=None,
        recovery_point=0,
        clean=None,
        trust_clean=False,
    )
    seconds = time.perf_counter() - began
    opened.active.file.close()
    return opened.scanned_bytes / MIB / seconds, opened.scanned_bytes // MIB


@contextmanager
def longest_stall(reactor: Any) -> Iterator[list[float]]:
    """The longest time between two ticks of a 1 ms timer, in milliseconds."""
    gaps, last = [0.0], time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps[0] = max(gaps[0], (now - last - 0.001) * 1000)
        last = now

    loop = LoopingCall(tick)
    loop.clock = reactor
    loop.start(0.001)
    try:
        yield gaps
    finally:
        loop.stop()


async def measure(reactor: Any, directory: Path, repeat: int) -> None:
    """All of it."""
    for name, batch, count, depth in (("256 x 100 B", LARGE, 8000, 64), ("1 x 100 B", SINGLE, 60_000, 256)):
        for mode in FsyncMode:
            rates, stalls = [], []
            for number in range(repeat):
                room = Room(reactor, directory / f"{mode.value}-{batch.count}-{number}", mode)
                log = room.start()
                with longest_stall(reactor) as stall:
                    rates.append(await appends(reactor, log, batch, count, depth))
                stalls.append(stall[0])
                if number == repeat - 1 and mode is FsyncMode.NEVER:
                    await log.flush()
                    print(f"read      {name:>12}: {await reads(log):8.0f} MiB/s, segments of 64 MiB")
                await room.stop()
            rate = statistics.median(rates)
            print(
                f"append    {name:>12} {mode.value:>9}: {rate:8.0f} batches/s {rate * batch.count / 1e6:6.2f} M records/s"
                f" {rate * batch.size / MIB:6.0f} MiB/s; longest stall {statistics.median(stalls):.1f} ms"
            )
        path = directory / f"{FsyncMode.NEVER.value}-{batch.count}-0"
        rates = [recovery(path)[0] for _ in range(repeat)]
        print(f"recovery  {name:>12}: {statistics.median(rates):8.0f} MiB/s of {recovery(path)[1]} MiB")


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro_storage", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where to write; a temporary one by default")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    options = parser.parse_args()

    def run(reactor: Any) -> "Deferred[None]":
        reactor.seconds = time.monotonic
        return ensureDeferred(measure(reactor, Path(name), options.repeat))

    with tempfile.TemporaryDirectory(prefix="flux-bench-", dir=options.directory) as name:
        react(run)


if __name__ == "__main__":
    main()
