"""The table of partitions this broker holds, kept as the metadata image says."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.config import ReplicationConfig
from flux.errors import BadRequest, FluxError, NotLeader, ShuttingDown, StorageError, UnknownTopic, system_reason
from flux.interfaces import ICheckpoint, IController, ILogManager, IMetadataObserver, IPartitions
from flux.model import TopicPartition
from flux.partitioner import KeyRoutes
from flux.replication.isr import Limits
from flux.replication.partition import Partition
from flux.replication.watermarks import WatermarkCheckpoint

_SAVE_INTERVAL_S = 5.0
_ISR_INTERVAL_S = (
    0.5  # or a twentieth of the lag timeout, if that is less: a late replica leaves at most so much too late
)


@implementer(IPartitions, IMetadataObserver)
class ReplicaManager(Service):
    """Opens, leads, follows and drops partitions as :meth:`metadata_changed` says.

    *Action*: :meth:`get`, :meth:`routes`. *Transitions*: started, it watches *controller*, looks at replicas and saves watermarks on
    *clock*; :meth:`release_waits` begins a drain; stopped, it has saved the watermarks a last time.
    """

    name = "replicas"
    _logger = Logger()

    def __init__(
        self,
        config: ReplicationConfig,
        logs: ILogManager,
        checkpoint: ICheckpoint,
        controller: IController,
        clock: IReactorTime,
        broker_id: int,
    ) -> None:
        self._config = config
        self._logs = logs
        self._controller = controller
        self._clock = clock
        self._broker_id = broker_id
        self._topics: Mapping[str, Any] = {}
        self._addresses: Mapping[int, str] = {}
        self._partitions: dict[TopicPartition, Partition] = {}
        self._absent: dict[TopicPartition, FluxError] = {}  # those of a known topic that are not held here, and why
        self._routes: dict[str, KeyRoutes] = {}
        self._removing: set[str] = set()
        self._watermarks = WatermarkCheckpoint(checkpoint, clock, self._high_watermarks)
        self._loops = [LoopingCall(self._judge), LoopingCall(self._watermarks.save)]
        for loop in self._loops:
            loop.clock = clock

    def startService(self) -> None:
        """Take up every partition of the image in force."""
        super().startService()
        self._watermarks.load()
        self._controller.watch(self)
        judge, save = self._loops
        judge.start(min(_ISR_INTERVAL_S, self._config.replica_lag_timeout_ms / 20_000), now=False)
        save.start(_SAVE_INTERVAL_S, now=False)

    def stopService(self) -> "Deferred[None]":
        """Save the watermarks; fire when that is durable."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self.release_waits(ShuttingDown("the broker stops"))
        super().stopService()
        return self._watermarks.close()

    def release_waits(self, reason: FluxError) -> None:
        """Fail every parked fetch with *reason*, and park none from now on."""
        for partition in self._partitions.values():
            partition.release_waits(reason)

    # --- IPartitions ---

    def get(self, tp: TopicPartition) -> Partition:
        """The partition *tp*.

        :raises UnknownTopic: no such topic. :raises BadRequest: the topic has no such partition. :raises NotLeader: it is held elsewhere.
        """
        partition = self._partitions.get(tp)
        if partition is None:
            raise self._why_absent(tp)
        return partition

    def routes(self, topic: str) -> KeyRoutes:
        """Key → partition number. :raises UnknownTopic: there is none."""
        routes = self._routes.get(topic)
        if routes is None:
            raise UnknownTopic(f"topic: {topic} does not exist")
        return routes

    # --- IMetadataObserver ---

    def metadata_changed(self, image: Any) -> None:
        """Make the table what *image* says. A partition whose log does not open is reported, and answers with the reason."""
        before, self._topics = self._topics, image.topics
        addresses = {broker.id: broker.address for broker in image.brokers.values()}
        moved, self._addresses = addresses != self._addresses, addresses  # refusals name the leader's address
        for name in before.keys() - image.topics.keys():
            self._drop(before[name])
        for name, topic in image.topics.items():
            if moved or before.get(name) is not topic:  # unchanged topics are the same object from image to image
                self._take_up(topic, before.get(name))
        for tombstone in image.tombstones.values():
            if tombstone.topic_id not in self._removing:
                self._removing.add(tombstone.topic_id)
                removal = Deferred.fromCoroutine(self._remove_files(tombstone))
                removal.addErrback(self._tombstone_stays, tombstone)

    # --- inside ---

    def _take_up(self, topic: Any, known: Any | None) -> None:
        if topic.name not in self._routes or self._routes[topic.name].partitions != len(topic.partitions):
            self._routes[topic.name] = KeyRoutes(len(topic.partitions))
        settings_changed = known is not None and known.config != topic.config
        limits = self._limits(topic.config)
        max_message_bytes = int(topic.config["max.message.bytes"]) if "max.message.bytes" in topic.config else None
        for number, state in enumerate(topic.partitions):
            tp = TopicPartition(topic.name, number)
            if self._broker_id not in state.replicas:
                self._absent[tp] = NotLeader(f"{tp} {self._led_by(state)}; this broker holds no replica of it")
                continue
            partition = self._partitions.get(tp)
            if partition is None:
                partition = self._open(tp, topic, limits)
            elif settings_changed:
                self._logs.open(tp, topic.config)  # open already: takes the settings
            if partition is None:
                continue
            partition.limit(limits)
            partition.max_message_bytes = max_message_bytes
            if state.leader == self._broker_id:
                brokers = self._brokers(state)
                partition.lead(state.leader_epoch, len(brokers), tuple(brokers.index(broker) for broker in state.isr))
            else:
                partition.follow(state.leader_epoch, self._led_by(state))

    def _open(self, tp: TopicPartition, topic: Any, limits: Limits) -> Partition | None:
        try:
            log = self._logs.open(tp, topic.config)
        except (StorageError, OSError) as error:
            self._logger.error("{tp}: its log does not open: {error}", tp=tp, error=error)
            self._absent[tp] = StorageError(f"{tp}: its log does not open: {system_reason(error)}")
            return None
        high_watermark = self._watermarks.loaded(topic.topic_id, tp.partition)
        if high_watermark > log.end_offset:
            self._logger.error(
                "{tp}: offsets {end} to {last} were committed and are lost: the log ends at {end}",
                tp=tp,
                end=log.end_offset,
                last=high_watermark - 1,
            )
        self._absent.pop(tp, None)
        partition = self._partitions[tp] = Partition(
            tp,
            log,
            self._clock,
            limits,
            ack_all_timeout_s=self._config.ack_all_timeout_ms / 1000,
            high_watermark=high_watermark,
            propose_isr=self._propose_isr,
            remember=partial(self._watermarks.remember, topic.topic_id, topic.name, tp.partition),
        )
        return partition

    def _drop(self, topic: Any) -> None:
        gone = UnknownTopic(f"topic: {topic.name} was deleted")
        del self._routes[topic.name]
        for number in range(len(topic.partitions)):
            tp = TopicPartition(topic.name, number)
            self._absent.pop(tp, None)
            partition = self._partitions.pop(tp, None)
            if partition is not None:
                partition.close(gone)

    async def _remove_files(self, tombstone: Any) -> None:
        problem = None
        try:
            tps = [TopicPartition(tombstone.topic, number) for number in range(tombstone.partitions)]
            await gatherResults([self._logs.delete(tp) for tp in tps], consumeErrors=True)
        except FirstError as failed:
            # The tombstone stays: the next start tries again, and until then the name cannot be used.
            error = failed.subFailure.value
            assert error is not None, "a Failure holds an exception"
            problem = system_reason(error)
            self._logger.failure("{topic}: its files were not removed", failed.subFailure, topic=tombstone.topic)
        await self._controller.topic_removed(tombstone.topic_id, problem)

    def _tombstone_stays(self, failure: Failure, tombstone: Any) -> None:
        self._logger.error(
            "{topic}: its files are removed, which could not be stored: {reason}",
            topic=tombstone.topic,
            reason=failure.getErrorMessage(),
        )

    def _propose_isr(self, tp: TopicPartition, leader_epoch: int, isr: tuple[int, ...]) -> "Deferred[Any]":
        brokers = self._brokers(self._topics[tp.topic].partitions[tp.partition])
        return self._controller.alter_isr(tp, leader_epoch, tuple(brokers[replica] for replica in isr))

    def _brokers(self, state: Any) -> tuple[int, ...]:
        """Replica id → broker id: this broker is 0, the others follow in the image's order."""
        return (self._broker_id, *(broker for broker in state.replicas if broker != self._broker_id))

    def _limits(self, config: Mapping[str, str]) -> Limits:
        return Limits(
            min_isr=int(config.get("min.insync.replicas", self._config.min_isr)),
            max_lag=self._config.replica_max_lag,
            lag_timeout_s=self._config.replica_lag_timeout_ms / 1000,
        )

    def _judge(self) -> None:
        for partition in list(self._partitions.values()):
            if partition.replicated:
                partition.judge()

    def _high_watermarks(self) -> dict[str, dict[str, Any]]:
        return {
            topic.topic_id: {
                "topic": name,
                "high_watermarks": {
                    str(number): high_watermark
                    for number in range(len(topic.partitions))
                    if (high_watermark := self._high_watermark(topic, number)) is not None
                },
            }
            for name, topic in self._topics.items()
        }

    def _high_watermark(self, topic: Any, number: int) -> int | None:
        """What is to be remembered of a partition; None if it is not held here."""
        tp = TopicPartition(topic.name, number)
        partition = self._partitions.get(tp)
        if partition is not None:
            return partition.committed
        if isinstance(self._absent.get(tp), StorageError):  # the log may open in the next life
            return self._watermarks.loaded(topic.topic_id, number)
        return None

    def _led_by(self, state: Any) -> str:
        if state.leader is None:
            return "has no leader"
        address = self._addresses.get(state.leader)
        return f"is led by broker {state.leader}" + (f", leader={address}" if address else "")

    def _why_absent(self, tp: TopicPartition) -> FluxError:
        if tp in self._absent:
            return self._absent[tp].with_traceback(None)
        if tp.topic not in self._topics:
            return UnknownTopic(f"topic: {tp.topic} does not exist")
        count = len(self._topics[tp.topic].partitions)
        return BadRequest(
            f"partition: {tp.partition} is not one of the {count} partitions of {tp.topic}, 0 to {count - 1}"
        )
