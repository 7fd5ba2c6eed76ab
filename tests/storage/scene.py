"""A storage room on the model disk, with a clock that only the test moves."""

from random import Random
from typing import Any

from twisted.internet.task import Clock

from flux.batch import decode, encode
from flux.config import StorageConfig
from flux.disk.memory import MemoryDirectory, MemoryDisk
from flux.interfaces import ILog
from flux.model import FsyncMode, Record, TopicPartition
from flux.storage.manager import LogManager
from flux.testing import run_now

TP = TopicPartition("orders", 0)
DIRECTORY = "orders-0"
FIRST = f"{DIRECTORY}/{0:020d}.log"


class Scene:
    """One broker's storage over many lives: :meth:`start`, :meth:`stop`, :meth:`kill`, :meth:`cut`."""

    def __init__(self, mode: FsyncMode = FsyncMode.ALWAYS, seed: int = 0, **settings: Any) -> None:
        self.disk = MemoryDisk(Random(seed))
        self.clock = Clock()
        self.wall = 1_700_000_000.0
        self.config = StorageConfig(
            fsync_mode=mode, **{"disk_low_bytes": 0, "disk_reserve_bytes": 0, "segment_max_bytes": 2048, **settings}
        )
        self.topic: dict[str, str] = {}
        self.manager: LogManager
        self.log: ILog

    @property
    def root(self) -> MemoryDirectory:
        """The data directory."""
        return MemoryDirectory(self.disk, ())

    def start(self) -> "Scene":
        """A new process on whatever the disk holds."""
        self.manager = LogManager(self.root, self.config, self.clock, self.now, run_now, run_now)
        self.manager.startService()
        self.log = self.manager.open(TP, self.topic)
        return self

    def now(self) -> float:
        """Wall time, which moves with the clock."""
        return self.wall + self.clock.seconds()

    def stop(self) -> None:
        """A clean stop, to its end."""
        done: list[None] = []
        self.manager.stopService().addCallback(done.append)
        self.turn()
        assert done == [None], "the stop did not end"

    def kill(self) -> "Scene":
        """SIGKILL, then a new process."""
        self._abandon()
        self.disk.kill()
        return self.start()

    def cut(self) -> "Scene":
        """A power cut, then a new process."""
        self._abandon()
        self.disk.cut()
        return self.start()

    def revive(self) -> "Scene":
        """A new process after the disk's own plan stopped the last one."""
        self._abandon()
        self.disk.restart()
        return self.start()

    def turn(self, times: int = 6) -> None:
        """Let the reactor turn a few times, in no time."""
        for _ in range(times):
            self.clock.advance(0)

    def put(self, *values: bytes, epoch: int = 0, timestamp_ms: int | None = None) -> int:
        """Append one batch of *values*; its base offset."""
        now_ms = int(self.now() * 1000) if timestamp_ms is None else timestamp_ms
        return self.log.append(encode([b"k"] * len(values), list(values), now_ms), epoch)

    def records(self, start: int | None = None) -> list[Record]:
        """Everything from *start* on, as a reader sees it who goes on where each answer ended."""
        offset = self.log.start_offset if start is None else start
        found: list[Record] = []
        while True:
            data = self.read(offset)
            page = [record for record in decode(data, offset)]
            if not page:
                return found
            found += page
            offset = page[-1].offset + 1

    def read(self, offset: int, max_bytes: int = 500) -> bytes:
        """One read, which the model disk answers at once."""
        answers: list[bytes] = []
        self.log.read(offset, max_bytes, self.log.end_offset).addCallback(answers.append)
        return answers[0]

    def values(self) -> dict[int, bytes | None]:
        """Offset → value of everything readable."""
        return {record.offset: record.value for record in self.records()}

    def _abandon(self) -> None:
        for call in self.clock.getDelayedCalls():
            call.cancel()
