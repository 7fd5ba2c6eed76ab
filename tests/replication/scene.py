"""Partitions on the model disk: one alone whose ISR proposals the test decides, or a whole table under a real controller."""

from itertools import count
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import decode, encode
from flux.cluster.controller import Controller
from flux.cluster.store import FileMetadataStore
from flux.config import ClusterConfig, ReplicationConfig, StorageConfig
from flux.disk.memory import MemoryDirectory
from flux.interfaces import InThread
from flux.model import Acks, Appended, Fetched, FsyncMode, TopicPartition
from flux.replication.isr import Limits
from flux.replication.manager import ReplicaManager
from flux.replication.partition import Partition
from flux.storage.checkpoint import Checkpoint
from flux.storage.manager import LogManager
from flux.testing import MemoryDisk, run_now, syncs_in

TP = TopicPartition("orders", 0)
MAX_BYTES = 1 << 20


def storage_on(root: MemoryDirectory, clock: Clock, mode: FsyncMode, thread: InThread = run_now) -> LogManager:
    """A storage room that does its disk work in *thread*."""
    config = StorageConfig(fsync_mode=mode, disk_low_bytes=0, disk_reserve_bytes=0)
    return LogManager(root, config, clock, clock.seconds, thread, thread, syncs_in(thread))


def turn(clock: Clock, times: int = 6) -> None:
    """Let the reactor turn a few times, in no time."""
    for _ in range(times):
        clock.advance(0)


def abandon(clock: Clock) -> None:
    """The process is gone, and with it what it had planned."""
    for call in list(clock.getDelayedCalls()):  # cancelling takes it out of the list
        call.cancel()


def records(count: int, start: int = 0) -> list[bytes]:
    """*count* values, each saying which it is."""
    return [f"v{number}".encode() for number in range(start, start + count)]


class PartitionCase(SynchronousTestCase):
    """One partition that leads ``replicas`` replicas in epoch 0; every proposal waits for :meth:`accept` or :meth:`refuse`."""

    replicas = 1
    min_isr = 1
    mode = FsyncMode.INTERVAL

    def setUp(self) -> None:
        self.clock = Clock()
        self.disk = MemoryDisk(Random(0))
        self.logs = storage_on(self.disk.root, self.clock, self.mode)
        self.logs.startService()
        self.limits = Limits(self.min_isr, max_lag=5, lag_timeout_s=10.0)
        self.proposals: list[tuple[int, tuple[int, ...], Deferred[object]]] = []
        self.partition = self.make_partition()
        self.partition.lead(0, self.replicas, tuple(range(self.replicas)))

    def make_partition(self, high_watermark: int = 0) -> Partition:
        return Partition(
            TP,
            self.logs.open(TP, {}),
            self.clock,
            self.limits,
            ack_all_timeout_s=2.0,
            high_watermark=high_watermark,
            propose_isr=self._propose,
            remember=lambda high_watermark: None,
        )

    def _propose(self, tp: TopicPartition, epoch: int, isr: tuple[int, ...]) -> "Deferred[object]":
        answer: Deferred[object] = Deferred()
        self.proposals.append((epoch, isr, answer))
        return answer

    def accept(self) -> tuple[int, ...]:
        """Store the oldest proposal, as the controller does: seen first, then answered."""
        epoch, isr, answer = self.proposals.pop(0)
        self.partition.lead(epoch, self.replicas, isr)
        answer.callback(None)
        return isr

    def refuse(self, error: Exception) -> None:
        """Do not store the oldest proposal."""
        self.proposals.pop(0)[2].errback(error)

    def put(self, count: int = 1, acks: Acks = Acks.LEADER) -> Appended:
        """Append one batch of *count* records."""
        values = records(count, self.partition.log_end)
        return self.partition.append(encode([b"k"] * count, values, 0), acks)

    def seen(self) -> list[bytes | None]:
        """The values a consumer sees from the log's start on."""
        return visible_values(self.partition)


def visible_records(partition: Partition) -> dict[int, bytes | None]:
    """Offset → value of all that a consumer sees from the log's start on, read as one goes on where each answer ended."""
    found: dict[int, bytes | None] = {}
    offset = partition.log_start
    while offset < partition.high_watermark:
        answers: list[Fetched] = []
        partition.fetch(offset, MAX_BYTES, 0, 1).addCallback(answers.append)
        page = decode(answers[0].data, offset, partition.high_watermark)
        if not page:
            break  # what is left is a gap
        found.update((record.offset, record.value) for record in page)
        offset = page[-1].offset + 1
    return found


def visible_values(partition: Partition) -> list[bytes | None]:
    """The same without the offsets."""
    return list(visible_records(partition).values())


class Broker:
    """Storage, controller and replica manager over many lives on one model disk."""

    def __init__(
        self,
        *,
        mode: FsyncMode = FsyncMode.ALWAYS,
        replication: ReplicationConfig | None = None,
        cluster: ClusterConfig | None = None,
        thread: InThread = run_now,
        metadata_thread: InThread | None = None,
        watermark_thread: InThread | None = None,
        seed: int = 0,
    ) -> None:
        self.disk = MemoryDisk(Random(seed))
        self.clock = Clock()
        self.mode = mode
        self.replication = replication or ReplicationConfig()
        self.cluster = cluster or ClusterConfig()
        self.thread = thread
        self.metadata_thread = thread if metadata_thread is None else metadata_thread
        self.watermark_thread = thread if watermark_thread is None else watermark_thread
        self._ids = count(1)

    def start(self) -> "Broker":
        """A new process on whatever the disk holds."""
        root = self.disk.root
        self.logs = storage_on(root, self.clock, self.mode, self.thread)
        self.controller = Controller(
            self.cluster,
            FileMetadataStore(Checkpoint(root, "metadata.json", self.metadata_thread)),
            self.logs,
            self.clock,
            self.clock.seconds,
            lambda: f"topic-{next(self._ids)}",
            lambda: self.logs.unclean,
        )
        self.replicas = ReplicaManager(
            self.replication,
            self.logs,
            Checkpoint(root, "high-watermarks.json", self.watermark_thread),
            self.controller,
            self.clock,
            self.cluster.broker_id,
        )
        self.logs.startService()
        self.controller.startService()
        self.replicas.startService()
        return self

    def stop(self) -> None:
        """A clean stop, to its end."""
        for room in (self.replicas, self.controller, self.logs):
            done: list[object] = []
            room.stopService().addBoth(done.append)
            turn(self.clock)
            assert done == [None], f"{room} did not stop: {done}"

    def kill(self) -> "Broker":
        """SIGKILL, then a new process."""
        abandon(self.clock)
        self.disk.kill()
        return self.start()

    def revive(self) -> "Broker":
        """A new process after the disk's own plan stopped the last one."""
        abandon(self.clock)
        self.disk.restart()
        return self.start()

    def cut(self) -> "Broker":
        """A power cut, then a new process."""
        abandon(self.clock)
        self.disk.cut()
        return self.start()

    def partition(self, topic: str = "orders", number: int = 0) -> Partition:
        return self.replicas.get(TopicPartition(topic, number))

    def put(self, topic: str = "orders", number: int = 0, count: int = 1, acks: Acks = Acks.LEADER) -> Appended:
        """Append *count* records as one batch, and let the reactor turn."""
        partition = self.partition(topic, number)
        values = records(count, partition.log_end)
        appended = partition.append(encode([b"k"] * count, values, int(self.clock.seconds() * 1000)), acks)
        turn(self.clock)
        return appended
