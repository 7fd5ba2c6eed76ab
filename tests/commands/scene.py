"""A broker's rooms in memory, as a command family sees them: partitions that hold real record batches, topics made on first use."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from flux.batch import EncodedBatch, encode
from flux.config import Config
from flux.crc32c import crc32c
from flux.errors import BadRequest, FluxError, NotEnoughReplicas, NotLeader, OffsetOutOfRange, ReplicationTimeout, UnknownTopic
from flux.interfaces import IBroker, IController, IMetadataObserver, IPartition, IPartitions
from flux.model import Acks, Appended, Fetched, Role, TopicPartition
from flux.partitioner import KeyRoutes
from flux.server.session import Session
from flux.watermark import Watermark

ACK_ALL_TIMEOUT_S = 2.0


@implementer(IPartition)
class MemoryPartition:
    """Batches in a list. ``durable`` stands for the disk's promise, ``visible`` for the high watermark.

    Both follow the log's end by themselves until the test says ``holding``; then they move when it moves them.
    """

    def __init__(self, tp: TopicPartition, clock: Clock) -> None:
        self.tp = tp
        self.role = Role.LEADER
        self.leader_epoch = 0
        self.isr: Sequence[int] = (0,)
        self.log_start = 0
        self.log_end = 0
        self.holding = False
        self.durable = Watermark()
        self.visible = Watermark()
        self.broken: Exception | None = None
        self.batches: list[tuple[int, int, bytes]] = []  # base offset, next offset, bytes
        self._clock = clock

    @property
    def high_watermark(self) -> int:
        return self.visible.value

    def append(self, batch: EncodedBatch, acks: Acks) -> Appended:
        if self.broken is not None:
            raise self.broken
        if self.role is Role.FOLLOWER:
            raise NotLeader(f"{self.tp} is led by broker 1")
        if acks is Acks.ALL and not self.isr:
            raise NotEnoughReplicas(f"{self.tp}: nobody is in sync")
        base = self.log_end
        self.put(batch)
        return Appended(self.tp.partition, base, self.log_end, self.leader_epoch)

    def when_acknowledged(self, appended: Appended, acks: Acks) -> "Deferred[int] | None":
        watermark = {Acks.NONE: None, Acks.LEADER: self.durable, Acks.ALL: self.visible}[acks]
        if watermark is None or watermark.value >= appended.end_offset:
            return None
        waiter = watermark.reach(appended.end_offset)
        if acks is Acks.ALL:
            waiter.addErrback(self._late, appended).addTimeout(ACK_ALL_TIMEOUT_S, self._clock, self._late_now(appended))
        return waiter

    def fetch(self, offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        if not self.log_start <= offset <= self.log_end:
            return fail(OffsetOutOfRange(f"{self.tp}: offset {offset} is outside {self.log_start} to {self.log_end}"))
        if offset < self.visible.value or max_wait_s <= 0:
            return succeed(self._read(offset, max_bytes))
        waiter: Deferred[Any] = self.visible.reach(offset + 1)
        waiter.addTimeout(max_wait_s, self._clock).addErrback(lambda failure: failure.trap(TimeoutError))
        return waiter.addCallback(lambda _: self._read(offset, max_bytes))

    def offset_for(self, timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        raise NotImplementedError("see the scenes of OFFSETS")

    # --- what the test does to it ---

    def put(self, batch: EncodedBatch) -> None:
        """*batch* at the end, whoever wrote it."""
        base, self.log_end = self.log_end, self.log_end + batch.count
        self.batches.append((base, self.log_end, batch.prefix(base, self.leader_epoch) + batch.body))
        self.follow()

    def put_control(self) -> None:
        """A control batch of one offset, as transactions leave them."""
        plain = encode([b""], [b""], 0)
        covered = bytes([0, 0x20]) + plain.body[7:]
        self.put(plain._replace(body=plain.body[:1] + crc32c(covered).to_bytes(4, "big") + covered))

    def put_gap(self, offsets: int) -> None:
        """Offsets that hold nothing any more."""
        self.log_end += offsets
        self.follow()

    def damage(self) -> None:
        """One byte of the last batch is not what it was."""
        base, end, data = self.batches.pop()
        self.batches.append((base, end, data[:-1] + bytes([data[-1] ^ 1])))

    def follow(self) -> None:
        if not self.holding:
            self.durable.advance(self.log_end)
            self.visible.advance(self.log_end)

    # --- inside ---

    def _read(self, offset: int, max_bytes: int) -> Fetched:
        data = b""
        for base, end, batch in self.batches:
            if end > offset and base < self.visible.value and (not data or len(data) + len(batch) <= max_bytes):
                data += batch
        return Fetched(offset, data, self.visible.value, self.log_start)

    def _late(self, failure: Any, appended: Appended) -> Any:
        return failure

    def _late_now(self, appended: Appended) -> "Callable[[Any, float], Any]":
        def give_up(_result: Any, _timeout: float) -> Any:
            raise ReplicationTimeout(f"partition {self.tp}, offset {appended.base_offset}: appended, not yet confirmed")

        return give_up


@implementer(IPartitions)
class MemoryPartitions:
    """Topics of three partitions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._routes: dict[str, KeyRoutes] = {}
        self._held: dict[TopicPartition, MemoryPartition] = {}

    def create(self, topic: str, partitions: int = 3) -> None:
        self._routes[topic] = KeyRoutes(partitions)
        for number in range(partitions):
            tp = TopicPartition(topic, number)
            self._held[tp] = MemoryPartition(tp, self._clock)

    def get(self, tp: TopicPartition) -> MemoryPartition:
        routes = self.routes(tp.topic)
        if not 0 <= tp.partition < routes.partitions:
            raise BadRequest(f"partition: {tp.partition} is not below {routes.partitions}")
        return self._held[tp]

    def routes(self, topic: str) -> KeyRoutes:
        if topic not in self._routes:
            raise UnknownTopic(f"topic: {topic} does not exist")
        return self._routes[topic]


@implementer(IController)
class MemoryController:
    """Creates topics at once, or when the test releases them."""

    image: Any = None

    def __init__(self, partitions: MemoryPartitions) -> None:
        self._partitions = partitions
        self.refusal: FluxError | None = None
        self.slow = False
        self.asked: list[str] = []
        self._creating: list[tuple[str, Deferred[None]]] = []

    def create_on_first_use(self, name: str) -> "Deferred[Any]":
        if self.refusal is not None:
            return fail(self.refusal)
        self.asked.append(name)
        if not self.slow:
            self._partitions.create(name)
            return succeed(None)
        creation: Deferred[None] = Deferred()
        self._creating.append((name, creation))
        return creation

    def release(self) -> None:
        """Every topic asked for exists now; whoever asked is told."""
        creating, self._creating = self._creating, []
        for name, _ in creating:
            self._partitions.create(name)
        for _, creation in creating:
            creation.callback(None)

    def create_topic(
        self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]
    ) -> "Deferred[Any]":
        self._partitions.create(name, partitions)
        return succeed(None)

    def watch(self, observer: IMetadataObserver) -> None: ...


@implementer(IBroker)
class MemoryBroker:
    """What a family is bound to."""

    groups: Any = None

    def __init__(self) -> None:
        self.clock: Any = Clock()
        self.config = Config()
        self.partitions = MemoryPartitions(self.clock)
        self.controller = MemoryController(self.partitions)
        self.commands: dict[str, Any] = {}

    def now(self) -> float:
        return 1_700_000_000.0


def session() -> Session:
    return Session("a test")
