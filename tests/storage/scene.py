"""A storage room on the model disk, with a clock that only the test moves."""

import copy
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from flux.batch import decode, encode, walk
from flux.config import StorageConfig
from flux.disk.medium import DirectoryNode
from flux.disk.memory import MemoryDirectory, MemoryDisk
from flux.interfaces import IDirectory, ILog, InThread
from flux.model import FsyncMode, Record, TopicPartition
from flux.storage.manager import LogManager
from flux.testing import QueuedThread, run_now, syncs_in

TP = TopicPartition("orders", 0)
DIRECTORY = "orders-0"
FIRST = f"{DIRECTORY}/{0:020d}.log"
EPOCHS = f"{DIRECTORY}/leader-epoch-checkpoint"
READY = bytes(3000)  # behind a log, for appends
GAPS = f"{DIRECTORY}/gaps.json"

T = TypeVar("T")


class Scene:
    """One broker's storage over many lives: :meth:`start`, :meth:`stop`, :meth:`kill`, :meth:`cut`.

    With *queued* the syncs and the flusher's and the reader's thread work only when told (:meth:`work`), else at once.
    """

    def __init__(
        self,
        mode: FsyncMode = FsyncMode.ALWAYS,
        seed: int = 0,
        *,
        tps: Sequence[TopicPartition] = (TP,),
        queued: bool = False,
        through: Callable[[IDirectory], IDirectory] = lambda directory: directory,
        **settings: Any,
    ) -> None:
        self.disk = MemoryDisk(Random(seed))
        self.clock = Clock()
        self.wall = 1_700_000_000.0
        self.config = StorageConfig(
            fsync_mode=mode,
            # Without tails: what is done to a file has to be seen. Without zeros behind its end: so that it is known where that is.
            **{
                "disk_low_bytes": 0,
                "disk_reserve_bytes": 0,
                "segment_max_bytes": 2048,
                "tail_bytes": 0,
                "preallocate_bytes": 0,
                **settings,
            },
        )
        self.topic: dict[str, str] = {}
        self.tps = list(tps)
        self.queued = queued
        self.through = through
        self.manager: LogManager
        self.logs: dict[TopicPartition, ILog] = {}
        self.syncer: InThread = run_now
        self.flusher: InThread = run_now
        self.reader: InThread = run_now

    @property
    def root(self) -> MemoryDirectory:
        """The data directory, for looking into and for meddling with."""
        return MemoryDirectory(self.disk, ())

    @property
    def log(self) -> ILog:
        """The first partition's."""
        return self.logs[self.tps[0]]

    # --- lives

    def start(self) -> "Scene":
        """A new process on whatever the disk holds."""
        self.prepare()
        self.manager.startService()
        for tp in self.tps:
            self.open(tp)
        return self

    def prepare(self) -> LogManager:
        """A manager that is not started yet."""
        self.logs = {}
        self.syncer, self.flusher, self.reader = (QueuedThread() if self.queued else run_now for _ in range(3))
        directory = self.through(self.root)
        syncs = syncs_in(self.syncer)
        self.manager = LogManager(directory, self.config, self.clock, self.now, self.flusher, self.reader, syncs)
        return self.manager

    def open(self, tp: TopicPartition) -> ILog:
        """The log of *tp*, which from now on is one of this scene's."""
        if tp not in self.tps:
            self.tps.append(tp)
        self.logs[tp] = self.manager.open(tp, self.topic)
        return self.logs[tp]

    def now(self) -> float:
        """Wall time, which moves with the clock."""
        return self.wall + self.clock.seconds()

    def stop(self) -> None:
        """A clean stop, to its end."""
        self.done(self.manager.stopService())
        self._abandon()

    def restart(self) -> "Scene":
        """A clean stop and a new process."""
        self.stop()
        return self.start()

    def kill(self) -> "Scene":
        """SIGKILL, then a new process."""
        self.die()
        return self.start()

    def die(self) -> None:
        """SIGKILL, and no new process yet."""
        self._abandon()
        self.disk.kill()

    def cut(self) -> "Scene":
        """A power cut, then a new process."""
        self.lose_power()
        return self.start()

    def lose_power(self) -> None:
        """A power cut, and no new process yet."""
        self._abandon()
        self.disk.cut()

    def reboot(self) -> None:
        """The disk's own plan stopped the process; no new one yet."""
        self._abandon()
        self.disk.restart()

    def revive(self) -> "Scene":
        """A new process after the disk's own plan stopped the last one."""
        self.reboot()
        return self.start()

    @property
    def stopped(self) -> bool:
        """Whether the disk's own plan has ended the process. Asked of its inside: a call would count, and might be the one."""
        return self.disk._stopped is not None

    # --- time

    def turn(self, times: int = 6) -> None:
        """Let the reactor turn and the threads work until there is nothing to do, in no time."""
        for _ in range(times):
            self.clock.advance(0)
            if self.queued:
                self.work()
            elif not any(call.getTime() <= self.clock.seconds() for call in self.clock.calls):
                return

    def work(self) -> None:
        """Let the queued threads do what they were asked."""
        for thread in (self.syncer, self.flusher, self.reader):
            if isinstance(thread, QueuedThread):
                thread.perform_all()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.turn()

    def done(self, deferred: "Deferred[T]") -> T:
        """What *deferred* fires with after some turns. Raises what it fails with."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        for _ in range(10):
            if results:
                break
            self.turn()
        assert results, "it does not fire"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        result: T = results[0]
        return result

    # --- records

    def put(
        self, *values: bytes, epoch: int = 0, timestamp_ms: int | None = None, tp: TopicPartition | None = None
    ) -> int:
        """Append one batch of *values*; its base offset."""
        now_ms = int(self.now() * 1000) if timestamp_ms is None else timestamp_ms
        return self.logs[tp or self.tps[0]].append(encode([b"k"] * len(values), list(values), now_ms), epoch)

    def fill(self, batches: int, size: int = 200) -> dict[int, bytes | None]:
        """Append that many batches of two records and sync each; everything that is readable then."""
        for number in range(batches):
            self.put((b"%04d" % number) * (size // 4), b"second")
            self.turn()
        return self.values()

    def records(self, start: int | None = None, tp: TopicPartition | None = None) -> list[Record]:
        """Everything from *start* on, as a reader sees it who goes on where each answer ended."""
        log = self.logs[tp or self.tps[0]]
        offset = log.start_offset if start is None else start
        found: list[Record] = []
        while True:
            page = decode(self.read(offset, tp=tp), offset)
            if not page:
                return found
            found += page
            offset = page[-1].offset + 1

    def read(self, offset: int, max_bytes: int = 500, tp: TopicPartition | None = None) -> bytes:
        """One read."""
        log = self.logs[tp or self.tps[0]]
        return self.done(log.read(offset, max_bytes, log.end_offset))

    def values(self, tp: TopicPartition | None = None) -> dict[int, bytes | None]:
        """Offset → value of everything readable."""
        return {record.offset: record.value for record in self.records(tp=tp)}

    # --- the language of damage; the disk is at rest

    def names(self, suffix: str = "", directory: str = DIRECTORY) -> list[str]:
        """Paths of the files of a log that end with *suffix*, by name."""
        entries = self.root.child(directory).list()
        return [f"{directory}/{entry.name}" for entry in entries if entry.name.endswith(suffix)]

    def contents(self, path: str) -> bytes:
        """A file's bytes."""
        *above, name = path.split("/")
        directory = self.root
        for step in above:
            directory = directory.child(step)
        file = directory.open(name)
        try:
            return file.read_at(0, file.size)
        finally:
            file.close()

    def put_file(self, path: str, data: bytes) -> None:
        """Put a file there, in place of the one there is."""
        *above, name = path.split("/")
        directory = self.root
        for step in above:
            directory = directory.child(step)
            directory.make()
        if any(entry.name == name for entry in directory.list()):
            directory.remove(name)
        file = directory.create(name)
        file.append(data)
        file.datasync()
        file.close()
        directory.sync()

    def flip_bit(self, path: str, position: int, bit: int = 0) -> None:
        """Invert one bit."""
        self.disk.flip_bit(path, position, bit)

    def flip_byte(self, path: str, position: int) -> None:
        """Invert all bits of a byte."""
        self.disk.flip_byte(path, position)

    def shorten(self, path: str, count: int) -> None:
        """Cut that many bytes off the end."""
        self.disk.shorten(path, count)

    def tear(self, path: str, end: int) -> None:
        """Leave what comes before byte *end*; where zeros were ready to be written over, zeros are in the place of the rest."""
        data = self.contents(path)
        self.put_file(path, data[:end] + bytes(len(data) - end if data.endswith(READY) else 0))

    def lengthen(self, path: str, data: bytes) -> None:
        """Put bytes at the end."""
        self.put_file(path, self.contents(path) + data)

    def lose(self, path: str) -> None:
        """Lose a file or a directory."""
        self.disk.lose(path)

    def lose_hints(self) -> None:
        """Lose every index and digest."""
        for suffix in (".index", ".timeindex", ".digest"):
            for path in self.names(suffix):
                self.lose(path)

    def snapshot(self) -> DirectoryNode:
        """The disk as it is now, for :meth:`restore`."""
        return copy.deepcopy(self.disk.top)

    def restore(self, snapshot: DirectoryNode) -> None:
        """Let the process die, and put the disk back."""
        self.die()
        self.disk.top = copy.deepcopy(snapshot)

    def batches(self, path: str = FIRST) -> list[tuple[int, int]]:
        """Where each batch of a file begins and ends."""
        return [(position, position + header.length) for header, position in walk(self.contents(path))]

    def _abandon(self) -> None:
        for call in list(self.clock.getDelayedCalls()):  # cancelling changes it
            call.cancel()
