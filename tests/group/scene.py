"""The group room on real storage and a real partition over the model disk; topics, and a clock that only the test moves."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.batch import encode
from flux.cluster.image import Image, PartitionState, Tombstone, Topic
from flux.config import GroupConfig, StorageConfig
from flux.disk.memory import MemoryDirectory, MemoryDisk
from flux.errors import BadRequest, FluxError, UnknownTopic
from flux.group.assignors import range_, round_robin
from flux.group.coordinator import GroupCoordinator
from flux.group.snapshots import KEPT_LOG_BYTES
from flux.interfaces import (
    Assignment,
    IAssignor,
    IController,
    ILog,
    IMetadataObserver,
    InThread,
    IPartition,
    IPartitions,
)
from flux.model import Acks, FsyncMode, TopicPartition
from flux.partitioner import KeyRoutes
from flux.replication.isr import Limits
from flux.replication.partition import Partition
from flux.storage.checkpoint import Checkpoint
from flux.storage.manager import LogManager
from flux.testing import run_now, syncs_in

T = TypeVar("T")
GROUP_LOG = TopicPartition("__consumer_offsets", 0)
_LIMITS = Limits(1, 1000, 10.0)
_STATE = PartitionState(0, 0, (0,), (0,))


class Topics:
    """What a group sees of an IController: topics, created, grown and deleted at once, or never."""

    def __init__(self, auto_create: bool = True) -> None:
        self.image: Any = Image()
        self.auto_create = auto_create
        self._made = 0
        self._observers: list[IMetadataObserver] = []

    def create_topic(
        self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]
    ) -> "Deferred[Any]":
        """Make it, or make it larger."""
        known = self.image.topics.get(name)
        self._made += 1
        topic_id = known.topic_id if known else str(self._made)
        topic = Topic(name, topic_id, (_STATE,) * partitions, replication_factor, config)
        self._change(replace(self.image, topics={**self.image.topics, name: topic}))
        return succeed(topic)

    def create_on_first_use(self, name: str) -> "Deferred[Any]":
        """Three partitions, if that is on."""
        if not self.auto_create:
            return fail(UnknownTopic(f"topic: {name} does not exist"))
        return self.create_topic(name, 3, 1, {})

    def recreate(self, name: str) -> None:
        """Another topic under the same name and of the same size, with nothing between the two."""
        self._made += 1
        topic = replace(self.image.topics[name], topic_id=str(self._made))
        self._change(replace(self.image, topics={**self.image.topics, name: topic}))

    def delete(self, name: str) -> None:
        """It is gone, its files not yet."""
        topics = dict(self.image.topics)
        gone = topics.pop(name)
        tombstone = Tombstone(gone.topic_id, name, len(gone.partitions))
        self._change(replace(self.image, topics=topics, tombstones={gone.topic_id: tombstone}))

    def watch(self, observer: IMetadataObserver) -> None:
        """Tell it now and ever after."""
        self._observers.append(observer)
        observer.metadata_changed(self.image)

    def forget_observers(self) -> None:
        """They died with their process."""
        self._observers.clear()

    def _change(self, image: Image) -> None:
        self.image = image
        for observer in self._observers:
            observer.metadata_changed(image)


@implementer(IPartitions)
class Table:
    """The partitions of :class:`Topics`, opened when asked for."""

    def __init__(self, topics: Topics, manager: LogManager, clock: Clock, held: bool) -> None:
        self._topics, self._manager, self._clock, self._held = topics, manager, clock, held
        self._open: dict[TopicPartition, Partition] = {}

    def get(self, tp: TopicPartition) -> IPartition:
        """See IPartitions."""
        count = self._topics.image.topic(tp.topic).partitions
        if not 0 <= tp.partition < len(count):
            raise BadRequest(f"partition: {tp.partition}")
        if not self._held:
            raise UnknownTopic(f"{tp} is not held here")
        if tp not in self._open:
            self._open[tp] = lead(tp, self._manager.open(tp, {}), self._clock, 0)
        return self._open[tp]

    def routes(self, topic: str) -> KeyRoutes:
        """See IPartitions."""
        return KeyRoutes(len(self._topics.image.topic(topic).partitions))


def lead(tp: TopicPartition, log: ILog, clock: Clock, epoch: int) -> Partition:
    """A partition without followers."""
    partition = Partition(
        tp,
        log,
        clock,
        _LIMITS,
        ack_all_timeout_s=2,
        high_watermark=log.end_offset,
        propose_isr=lambda *_: succeed(None),
        remember=lambda high_watermark: None,
    )
    partition.lead(epoch, 1, (0,))
    return partition


class Scene:
    """One broker's groups over many lives: :meth:`start`, :meth:`stop`, :meth:`kill`, :meth:`cut`, :meth:`revive`."""

    def __init__(
        self,
        seed: int = 0,
        mode: FsyncMode = FsyncMode.ALWAYS,
        assignors: tuple[IAssignor, ...] = (round_robin, range_),
        capacity: int | None = None,
        in_thread: InThread = run_now,
        kept_log_bytes: int = KEPT_LOG_BYTES,
        segment_bytes: int = 4096,
        held: bool = True,
        **settings: int,
    ) -> None:
        self.disk = MemoryDisk(Random(seed), capacity)
        self.clock = Clock()
        self.topics = Topics()
        self.groups: GroupCoordinator
        self.partitions: Table
        self.log: ILog
        self.partition: Partition
        self.manager: LogManager
        self._assignors = {assignor.name: assignor for assignor in assignors}
        self._in_thread = in_thread
        self._kept_log_bytes = kept_log_bytes
        self._log_config = {"segment.bytes": str(segment_bytes), "retention.ms": "-1", "retention.bytes": "-1"}
        self._held = held
        self._storage = StorageConfig(
            fsync_mode=mode, disk_low_bytes=0, disk_reserve_bytes=0, segment_max_bytes=65536, preallocate_bytes=0
        )
        self._config = GroupConfig(**settings)
        self._lives = 0

    def now(self) -> float:
        """Wall time, which moves with the clock."""
        return 1_700_000_000.0 + self.clock.seconds()

    def start(self) -> "Scene":
        """A new process on whatever the disk holds."""
        root = MemoryDirectory(self.disk, ())
        self._lives += 1
        self.topics.forget_observers()
        self.manager = LogManager(
            root, self._storage, self.clock, self.now, self._in_thread, self._in_thread, syncs_in(self._in_thread)
        )
        self.manager.startService()
        self.partitions = Table(self.topics, self.manager, self.clock, self._held)
        self.log = self.manager.open(GROUP_LOG, self._log_config)
        self.partition = lead(GROUP_LOG, self.log, self.clock, self._lives)
        self.groups = GroupCoordinator(
            partition=self.partition,
            log=self.log,
            offsets_checkpoint=Checkpoint(root, "offsets.json", self._in_thread),
            groups_checkpoint=Checkpoint(root, "groups.json", self._in_thread),
            clock=self.clock,
            now=self.now,
            config=self._config,
            partitions=self.partitions,
            controller=cast(IController, self.topics),
            assignors=self._assignors,
            kept_log_bytes=self._kept_log_bytes,
        )
        self.groups.startService()
        return self

    def stop(self) -> None:
        """A clean stop, to its end."""
        ended: list[object] = []
        self.groups.stopService().addBoth(ended.append)
        self.turn()
        self.manager.stopService().addBoth(ended.append)
        self.turn()
        assert ended == [None, None], ended

    def restart(self) -> "Scene":
        """A clean stop, and a new process."""
        self.stop()
        return self.start()

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

    def turn(self, times: int = 8) -> None:
        """Let the reactor turn a few times, in no time."""
        for _ in range(times):
            self.clock.advance(0)

    def done(self, asked: "Deferred[T]") -> T:
        """What *asked* fires with after some turns. Raises what it fails with."""
        self.turn()
        results: list[T] = []
        failures: list[Failure] = []
        asked.addCallbacks(results.append, failures.append)
        if failures:
            failures[0].raiseException()
        assert results, "not answered"
        return results[0]

    def join(
        self,
        member: str,
        group: str = "g",
        topic: str = "orders",
        assignor: str | None = None,
        session_ms: int | None = None,
    ) -> Assignment:
        """JOIN, answered."""
        return self.done(self.groups.join(group, topic, member, assignor, session_ms))

    def commit(self, member: str, generation: int, partition: int, offset: int, topic: str = "orders") -> None:
        """COMMIT, answered."""
        self.done(self.groups.commit("g", topic, member, generation, partition, offset))

    def committed(self, partition: int, topic: str = "orders") -> int | None:
        """OFFSET, answered."""
        return self.done(self.groups.committed("g", topic, partition))

    def events(self, group: str = "g") -> list[tuple[str, int]]:
        """Cause and generation of each event."""
        return [(event["cause"], event["after"]["generation"]) for event in self.done(self.groups.explain(group))]

    def produce(self, tp: TopicPartition, count: int) -> None:
        """Records, durable and visible."""
        batch = encode([None] * count, [b"v"] * count, int(self.now() * 1000))
        self.partitions.get(tp).append(batch, Acks.LEADER)
        self.turn()

    def checkpoint(self, name: str) -> Checkpoint:
        """A small file of the data directory."""
        checkpoint = Checkpoint(MemoryDirectory(self.disk, ()), name, run_now)
        checkpoint.load()
        return checkpoint

    def append_to_group_log(self, key: bytes, value: bytes) -> None:
        """A record as somebody else might have written it, durable."""
        self.log.append(encode([key], [value], 0), self._lives)
        self.done(self.log.flush())

    def _abandon(self) -> None:
        """Nothing of the old process will happen any more."""
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()


class GroupTestCase(SynchronousTestCase):
    """A started scene."""

    def setUp(self) -> None:
        self.scene = Scene().start()

    def refused(self, kind: type[FluxError], asked: "Deferred[Any]") -> str:
        """The message with which *asked* is refused."""
        with self.assertRaises(kind) as caught:
            self.scene.done(asked)
        return str(caught.exception)
