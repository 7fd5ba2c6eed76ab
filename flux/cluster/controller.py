"""What exists and who leads: the decisions, made by pure functions, stored before they are seen."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.cluster import changes, election
from flux.cluster.history import LeadershipChange, LeadershipHistory
from flux.cluster.image import Fence, Image, Topic
from flux.cluster.liveness import Liveness
from flux.cluster.metadata import Metadata
from flux.cluster.settings import check_settings
from flux.cluster.start import adopt_topics, begin_term, lead_anew
from flux.cluster.store import FileMetadataStore
from flux.config import ClusterConfig
from flux.errors import BadRequest, FluxError, ShuttingDown, StorageError, Throttled, UnknownTopic
from flux.interfaces import IController, ILogManager, IMetadataObserver, Now
from flux.model import TOPIC_NAME, Role, TopicPartition, check_topic_name

_ANY_EPOCH = (1 << 31) - 1  # the largest a record batch can bear


@implementer(IController)
class Controller(Service):
    """See :class:`~flux.interfaces.IController`.

    *Transitions*: ``startService`` begins a new term: it adopts what lies on disk, registers this broker and gives every partition it
    can a leader, all stored before it returns; from then on brokers' silence is watched on *clock*. *unclean* is asked at the
    start: whether the last stop may have lost an unsynced tail.
    """

    name = "controller"  # type: ignore[assignment]  # Service declares it as None
    _log = Logger()

    def __init__(
        self,
        config: ClusterConfig,
        store: FileMetadataStore,
        logs: ILogManager,
        clock: IReactorTime,
        now: Now,
        new_id: Callable[[], str],
        unclean: Callable[[], bool],
    ) -> None:
        self._config = config
        self._store = store
        self._logs = logs
        self._clock = clock
        self._now = now
        self._new_id = new_id
        self._unclean = unclean
        self._metadata = Metadata(store)
        self._history = LeadershipHistory()
        self._liveness = Liveness()
        self._first_uses: dict[str, list[Deferred[Topic]]] = {}
        self._removals: dict[str, list[Deferred[None]]] = {}  # topic id → who waits for its files to be gone
        self._stuck: dict[str, str] = {}  # topic id → why its files cannot be removed
        self._sweep = LoopingCall(self._fence_silent)
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
        for name, topic in image.topics.items():
            if name not in stored.topics:
                self._log.warn("{topic}: found on disk, adopted with {n} partitions", topic=name, n=len(topic.partitions))
            elif found.get(name, 0) > len(topic.partitions):
                self._log.warn("{topic}: there are directories of partitions it does not have", topic=name)
        image = lead_anew(image, me, self._newest_epochs(image), self._unclean(), now_ms)
        self._metadata.start(self._store.commit_now(image, stored.index))
        self._metadata.watch(self._history)
        self._log.info("term {term} begins with {n} topics", term=image.term, n=len(image.topics))
        self._sweep.start(min(1.0, self._config.broker_timeout_ms / 10_000), now=False)

    def stopService(self) -> "Deferred[None]":
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
    ) -> "Deferred[Topic]":
        """Fire with the topic when it exists and is led. The same shape again: the same answer. :raises TopicExists: another shape."""
        return Deferred.fromCoroutine(self._create(name, partitions, replication_factor, config))

    def create_on_first_use(self, name: str) -> "Deferred[Topic]":
        """The topic, created with the defaults if it is missing; everybody who asks meanwhile shares the creation.

        :raises BadRequest: the name will not do. :raises UnknownTopic: auto-creation is off.
        """
        known = self.image.topics.get(name)
        if known is not None:
            return succeed(known)
        try:
            check_topic_name(name)
            if not self._config.auto_create_topics:
                raise UnknownTopic(f"topic: {name} does not exist, and topics are not created on first use here")
        except FluxError:
            return fail()
        done: Deferred[Topic] = Deferred()
        if name in self._first_uses:
            self._first_uses[name].append(done)
            return done
        self._first_uses[name] = [done]
        created = self.create_topic(name, self._config.num_partitions, self._config.replication_factor, {})
        created.addBoth(self._first_use_decided, name)
        return done

    def alter_topic(self, name: str, config: Mapping[str, str], partitions: int | None = None) -> "Deferred[Image]":
        """Settings over those the topic has, and more partitions. :raises BadRequest: it has more already, or a setting will not do."""
        try:
            checked = check_settings(config)
            self._check_count(partitions if partitions is not None else 1)
        except BadRequest:
            return fail()

        def altered(image: Image) -> Image:
            image = changes.alter_config(image, name, checked)
            if partitions is None:
                return image
            return changes.grow_topic(image, name, partitions, self._config.broker_id, self._now_ms())

        return self._metadata.change(altered)

    def delete_topic(self, name: str) -> "Deferred[Image]":
        """Fire with the image that first lacked the topic, once its files are gone too. :raises UnknownTopic: there is none."""
        return Deferred.fromCoroutine(self._delete(name))

    def topic_removed(self, topic_id: str, problem: str | None = None) -> "Deferred[Image]":
        """The files of a deleted topic are gone; or *problem* says why they cannot be, until a restart tries again."""
        waiting = self._removals.pop(topic_id, [])
        if problem is None:
            removed = self._metadata.change(partial(changes.remove_tombstone, topic_id=topic_id))
        else:
            self._stuck[topic_id] = problem
            removed = succeed(self.image)

        def answer(result: "Image | Failure") -> "Image | Failure":
            for waiter in waiting:
                if isinstance(result, Failure):
                    waiter.errback(result)
                elif problem is not None:
                    waiter.errback(StorageError(f"the topic is deleted, its files are not: {problem}"))
                else:
                    waiter.callback(None)
            return result

        return removed.addBoth(answer)

    # --- partitions ---

    def alter_isr(self, tp: TopicPartition, leader_epoch: int, isr: Sequence[int]) -> "Deferred[Image]":
        """The leader of *leader_epoch* says who is in sync. :raises NotLeader: another epoch began."""
        return self._metadata.change(partial(changes.alter_isr, tp=tp, leader_epoch=leader_epoch, isr=tuple(isr)))

    def set_leader(self, tp: TopicPartition, leader: int, isr: Sequence[int]) -> "Deferred[Image]":
        """An operator's word. :raises BadRequest: *leader* cannot lead, or *isr* does not fit."""
        return self._metadata.change(
            lambda image: changes.set_leader(image, tp, leader, tuple(isr), self._now_ms())
        )

    def set_role(self, tp: TopicPartition, role: Role) -> "Deferred[Image]":
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

    def elect_leaders(self, name: str) -> "Deferred[int]":
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

    def register_broker(self, broker_id: int, host: str, port: int, epoch: int | None) -> "Deferred[Image]":
        """A broker, which leads nothing new until it is heard. :raises BadRequest: a later incarnation is registered."""

        def registered(image: Image) -> Image:
            image = changes.register_broker(image, broker_id, host, port, epoch)
            if broker_id == self._config.broker_id:  # whoever answers here is alive
                image = changes.hear_broker(image, broker_id, self._now_ms())
            return image

        self._liveness.hear(broker_id, self._clock.seconds())
        return self._metadata.change(registered)

    def broker_heartbeat(self, broker_id: int) -> "Deferred[Image]":
        """A sign of life; it changes the image only if the broker was not known to be alive. :raises BadRequest: not registered."""
        if broker_id in self.image.brokers:
            self._liveness.hear(broker_id, self._clock.seconds())
        return self._metadata.change(lambda image: changes.hear_broker(image, broker_id, self._now_ms()))

    def fence(self, broker_id: int) -> "Deferred[Image]":
        """Let a broker lead nothing until :meth:`unfence`. :raises BadRequest: not registered."""
        return self._metadata.change(
            lambda image: changes.fence_brokers(image, [broker_id], Fence.OPERATOR, self._now_ms())
        )

    def unfence(self, broker_id: int) -> "Deferred[Image]":
        """Let a broker lead again. :raises BadRequest: not registered."""
        self._liveness.hear(broker_id, self._clock.seconds())
        return self._metadata.change(lambda image: changes.unfence_broker(image, broker_id, self._now_ms()))

    def reconcile_brokers(self, timeout_s: float) -> "Deferred[int]":
        """Fence whoever was silent for *timeout_s*, lift the fence of whoever was not; fire with the number of changes."""
        counted: list[int] = []

        def reconciled(image: Image) -> Image:
            before = image.brokers
            now = self._clock.seconds()
            self._liveness.hear(self._config.broker_id, now)
            silent = self._liveness.silent(image, timeout_s, now)
            for broker_id in self._liveness.speaking(image, timeout_s, now):
                image = changes.hear_broker(image, broker_id, self._now_ms())
            image = changes.fence_brokers(image, silent, Fence.SILENCE, self._now_ms())
            counted.append(sum(image.brokers[broker_id] != before[broker_id] for broker_id in before))
            return image

        return self._metadata.change(reconciled).addCallback(lambda _: counted[0])

    # --- inside ---

    async def _create(self, name: str, partitions: int, factor: int, config: Mapping[str, str]) -> Topic:
        if not TOPIC_NAME.match(name) or name in (".", ".."):
            raise BadRequest(f"topic: {name[:60]!r} is not a topic name; use 1 to 249 of A-Z a-z 0-9 . _ -")
        self._check_count(partitions)
        if not 1 <= factor <= changes.MAX_REPLICATION_FACTOR:
            raise BadRequest(f"replication factor: {factor} is not between 1 and {changes.MAX_REPLICATION_FACTOR}")
        checked = check_settings(config)
        await self._files_gone(name)

        def created(image: Image) -> Image:
            if name not in image.topics and len(image.topics) >= self._config.max_topics:
                raise Throttled(f"topic: {name} would be one more than the {self._config.max_topics} allowed")
            me = self._config.broker_id
            return changes.create_topic(image, self._new_id(), name, partitions, factor, checked, me, self._now_ms())

        return (await self._metadata.change(created)).topics[name]

    async def _delete(self, name: str) -> Image:
        deleted: list[str] = []

        def gone(image: Image) -> Image:
            deleted.append(image.topic(name).topic_id)
            return changes.delete_topic(image, name)

        image = await self._metadata.change(gone)
        await self._files_gone(name)
        return image

    async def _files_gone(self, name: str) -> None:
        """Return when no tombstone of *name* is left. :raises StorageError: its files cannot be removed."""
        for tombstone in list(self.image.tombstones.values()):
            if tombstone.topic != name:
                continue
            if tombstone.topic_id in self._stuck:
                raise StorageError(
                    f"topic: {name} is deleted, its files are not: {self._stuck[tombstone.topic_id]}; a restart tries again"
                )
            waiter: Deferred[None] = Deferred()
            self._removals.setdefault(tombstone.topic_id, []).append(waiter)
            await waiter

    def _first_use_decided(self, result: "Topic | Failure", name: str) -> None:
        for waiter in self._first_uses.pop(name):
            waiter.errback(result) if isinstance(result, Failure) else waiter.callback(result)

    def _check_count(self, partitions: int) -> None:
        if not 1 <= partitions <= self._config.max_partitions_per_topic:
            raise BadRequest(f"partitions: {partitions} is not between 1 and {self._config.max_partitions_per_topic}")

    def _fence_silent(self) -> None:
        now = self._clock.seconds()
        self._liveness.hear(self._config.broker_id, now)
        silent = self._liveness.silent(self.image, self._config.broker_timeout_ms / 1000, now)
        if silent:
            self._log.warn("brokers {silent} were not heard in time, they are fenced", silent=silent)
            fenced = self._metadata.change(
                lambda image: changes.fence_brokers(
                    image, [broker for broker in silent if broker in image.brokers], Fence.SILENCE, self._now_ms()
                )
            )
            fenced.addErrback(lambda failure: self._log.error("not fenced: {why}", why=failure.getErrorMessage()))

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
                newest[tp] = self._logs.open(tp, topic.config).end_offset_for_epoch(_ANY_EPOCH)[0]
            except StorageError as error:
                self._log.error("{tp}: its log does not open: {error}", tp=tp, error=error)
        return newest

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
