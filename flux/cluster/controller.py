"""What exists and who leads: the decisions, made by pure functions, stored before they are seen."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from flux.cluster import changes, election
from flux.cluster.brokers import Brokers
from flux.cluster.history import LeadershipChange, LeadershipHistory
from flux.cluster.image import Image, Topic
from flux.cluster.metadata import Metadata
from flux.cluster.start import adopt_topics, begin_term, lead_anew, with_internal
from flux.cluster.topics import Topics
from flux.config import ClusterConfig
from flux.errors import ShuttingDown, StorageError
from flux.interfaces import IController, ILogManager, IMetadataObserver, IMetadataStore, Now
from flux.model import TOPIC_NAME, Role, TopicPartition


@implementer(IController)
class Controller(Service):
    """See :class:`~flux.interfaces.IController`.

    *Transitions*: ``startService`` begins a new term: it adopts what lies on disk, registers this broker and gives every partition it
    can a leader, all stored before it returns; from then on brokers' silence is watched on *clock*. *unclean* is asked at the
    start: whether the last stop may have lost an unsynced tail. *internal* names the broker's own topics, of one partition each,
    and their settings.
    """

    name = "controller"
    _log = Logger()

    def __init__(
        self,
        config: ClusterConfig,
        store: IMetadataStore,
        logs: ILogManager,
        clock: IReactorTime,
        now: Now,
        new_id: Callable[[], str],
        unclean: Callable[[], bool],
        internal: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._logs = logs
        self._now = now
        self._new_id = new_id
        self._unclean = unclean
        self._internal = internal or {}
        self._metadata = Metadata(store)
        self._history = LeadershipHistory()
        self._topics = Topics(config, self._metadata, new_id, self._now_ms)
        self._brokers = Brokers(config, self._metadata, clock, self._now_ms)
        self._sweep = LoopingCall(self._brokers.sweep)
        self._sweep.clock = clock

    @property
    def image(self) -> Image:
        """The image in force."""
        return self._metadata.image

    def startService(self) -> None:
        """Begin a term. :raises StorageError: the metadata are damaged, or the new image cannot be stored."""
        super().startService()
        stored = self._store.load()
        me, now_ms = self._config.broker_id, self._now_ms()
        found = self._found_on_disk()
        image = begin_term(stored, me, self._config.advertised_host, self._config.advertised_port)
        image = adopt_topics(image, found, self._config.replication_factor, me, self._new_id, now_ms)
        image = with_internal(image, self._internal, me, self._new_id, now_ms)
        for name, topic in image.topics.items():
            if name not in stored.topics and name in found:
                self._log.warn(
                    "{topic}: found on disk, adopted with {n} partitions", topic=name, n=len(topic.partitions)
                )
            elif found.get(name, 0) > len(topic.partitions):
                self._log.warn("{topic}: there are directories of partitions it does not have", topic=name)
        image = lead_anew(image, me, self._newest_epochs(image), self._unclean(), now_ms)
        self._metadata.start(self._store.commit_now(image, stored.index))
        self._metadata.watch(self._history)
        self._log.info("term {term} begins with {n} topics", term=image.term, n=len(image.topics))
        self._sweep.start(min(1.0, self._config.broker_timeout_ms / 10_000), now=False)

    def stopService(self) -> Deferred[None]:
        """Refuse further changes; fire when those under way are decided."""
        super().stopService()
        if self._sweep.running:
            self._sweep.stop()
        return self._metadata.stop(ShuttingDown("the broker stops"))

    def watch(self, observer: IMetadataObserver) -> None:
        """Tell *observer* the image now and after every change."""
        self._metadata.watch(observer)

    def history(self, tp: TopicPartition) -> Sequence[LeadershipChange]:
        """The last leadership changes of *tp*, oldest first."""
        return self._history.of(tp)

    # --- topics ---

    def create_topic(
        self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]
    ) -> Deferred[Topic]:
        """See :class:`~flux.interfaces.IController`."""
        return Deferred.fromCoroutine(self._topics.create(name, partitions, replication_factor, config))

    def create_on_first_use(self, name: str) -> Deferred[Topic]:
        """See :class:`~flux.interfaces.IController`."""
        return Deferred.fromCoroutine(self._topics.create_on_first_use(name))

    def alter_topic(self, name: str, config: Mapping[str, str], partitions: int | None) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return Deferred.fromCoroutine(self._topics.alter(name, config, partitions))

    def delete_topic(self, name: str) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return Deferred.fromCoroutine(self._topics.delete(name))

    def topic_removed(self, topic_id: str, problem: str | None) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return self._topics.removed(topic_id, problem)

    # --- partitions ---

    def alter_isr(self, tp: TopicPartition, leader_epoch: int, isr: Sequence[int]) -> Deferred[Image]:
        """The leader of *leader_epoch* says who is in sync. :raises NotLeader: another epoch began."""
        return self._metadata.change(partial(changes.alter_isr, tp=tp, leader_epoch=leader_epoch, isr=tuple(isr)))

    def set_leader(self, tp: TopicPartition, leader: int, isr: Sequence[int]) -> Deferred[Image]:
        """An operator's word. :raises BadRequest: *leader* cannot lead, or *isr* does not fit."""
        return self._metadata.change(lambda image: changes.set_leader(image, tp, leader, tuple(isr), self._now_ms()))

    def set_role(self, tp: TopicPartition, role: Role) -> Deferred[Image]:
        """An operator's word about this broker: lead *tp*, or follow until told otherwise."""
        me = self._config.broker_id

        def changed(image: Image) -> Image:
            state = image.partition(*tp)
            if (state.leader == me) is (role is Role.LEADER):
                return image
            if role is Role.FOLLOWER:
                return changes.take_leader(image, tp, self._now_ms())
            isr = state.isr if me in state.isr else (me, *state.isr)
            return changes.set_leader(image, tp, me, isr, self._now_ms())

        return self._metadata.change(changed)

    def elect_leaders(self, name: str) -> Deferred[int]:
        """Let preferred replicas lead where they are in sync; fire with the number of changes. :raises UnknownTopic: there is none."""
        before: list[Topic] = []

        def elected(image: Image) -> Image:
            before.append(image.topic(name))
            return election.elect_preferred(image, name, self._now_ms())

        def changed(image: Image) -> int:
            pairs = zip(before[0].partitions, image.topic(name).partitions, strict=True)
            return sum(old.leader_epoch != new.leader_epoch for old, new in pairs)

        return self._metadata.change(elected).addCallback(changed)

    # --- brokers ---

    def register_broker(self, broker_id: int, host: str, port: int, epoch: int | None) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return self._brokers.register(broker_id, host, port, epoch)

    def broker_heartbeat(self, broker_id: int) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return self._brokers.heartbeat(broker_id)

    def fence(self, broker_id: int) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return self._brokers.fence(broker_id)

    def unfence(self, broker_id: int) -> Deferred[Image]:
        """See :class:`~flux.interfaces.IController`."""
        return self._brokers.unfence(broker_id)

    def reconcile_brokers(self, timeout_s: float) -> Deferred[int]:
        """See :class:`~flux.interfaces.IController`."""
        return self._brokers.reconcile(timeout_s)

    # --- inside ---

    def _found_on_disk(self) -> dict[str, int]:
        """Topic name → one past the highest partition number there is a directory of."""
        found: dict[str, int] = {}
        for tp in self._logs.existing():
            if TOPIC_NAME.match(tp.topic) and tp.topic not in (".", ".."):
                found[tp.topic] = max(found.get(tp.topic, 0), tp.partition + 1)
            else:
                self._log.warn("{tp}: a directory that can be no topic's; left alone", tp=tp)
        return found

    def _newest_epochs(self, image: Image) -> dict[TopicPartition, int]:
        """For each partition there are files of, the latest leader epoch its log has seen."""
        newest = {}
        for tp in self._logs.existing():
            topic = image.topics.get(tp.topic)
            if topic is None or tp.partition >= len(topic.partitions):
                continue
            try:
                newest[tp] = self._logs.open(tp, topic.config).last_epoch
            except StorageError as error:
                self._log.error("{tp}: its log does not open: {error}", tp=tp, error=error)
        return newest

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
