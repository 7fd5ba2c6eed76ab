"""The coordinator: the room's Service, which owns the sessions' timer and answers for every group."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from flux.config import GroupConfig
from flux.errors import BadRequest, GenerationMismatch, ShuttingDown, UnknownTopic
from flux.group import group as rules
from flux.group.assigning import Assigning
from flux.group.group import Cause, Member
from flux.group.journal import Journal
from flux.group.limits import Limits, check_name
from flux.group.live import LiveGroups
from flux.group.offsets import OffsetChange
from flux.group.records import event_to_json
from flux.group.report import describe, summary
from flux.group.reset import moves, must_be_on, reset, targets
from flux.group.snapshots import KEPT_LOG_BYTES, Snapshots
from flux.group.table import GroupTable, Subscription
from flux.group.topics import TopicFollower
from flux.interfaces import (
    Assignment,
    IAssignor,
    ICheckpoint,
    IController,
    IGroupCoordinator,
    ILog,
    IPartition,
    IPartitions,
    Now,
    Reset,
    ResetTo,
)
from flux.model import check_topic_name

_STOPPED = "this broker is not serving groups: it is starting or shutting down; try again"


@implementer(IGroupCoordinator)
class GroupCoordinator(Service):
    """See :class:`~flux.interfaces.IGroupCoordinator`.

    Whatever is asked is decided at once, on everything decided before; the answer, a refusal too, leaves when what it was decided
    on is durable. So no client ever learns of a generation or an offset that a power cut could take back.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        partition: IPartition,
        log: ILog,
        offsets_checkpoint: ICheckpoint,
        groups_checkpoint: ICheckpoint,
        clock: IReactorTime,
        now: Now,
        config: GroupConfig,
        partitions: IPartitions,
        controller: IController,
        assignors: Mapping[str, IAssignor],
        kept_log_bytes: int = KEPT_LOG_BYTES,
    ) -> None:
        self._limits = Limits(config)
        self._snapshot_interval_s = config.group_snapshot_interval_ms / 1000
        self._partitions = partitions
        self._controller = controller
        self._assigning = Assigning(assignors)
        table = GroupTable()
        snapshots = Snapshots(table, log, offsets_checkpoint, groups_checkpoint, clock, kept_log_bytes)
        self._journal = Journal(table, partition, log, snapshots, now, config.group_snapshot_records)
        self._live = LiveGroups(table, self._journal, self._assigning, clock, now)
        self._topics = TopicFollower(self._live, clock)
        self._snapshots = LoopingCall(self._journal.snapshot)
        self._snapshots.clock = clock

    # --- Service ---

    def startService(self) -> None:
        """Load what was acknowledged, give every member a full session, and follow the topics.

        :raises StorageError: see :meth:`Journal.load`.
        """
        self._live.begin()
        self._controller.watch(self._topics)
        self._snapshots.start(self._snapshot_interval_s, now=False)
        super().startService()

    def stopService(self) -> "Deferred[None]":
        """Refuse what comes, let what was decided become durable, and leave both files complete."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._live.end()
        self._topics.end()
        if self._snapshots.running:
            self._snapshots.stop()
        await self._journal.snapshot()
        self._journal.refuse(ShuttingDown(_STOPPED))

    def _must_serve(self) -> None:
        if not self.running:
            raise ShuttingDown(_STOPPED)
        self._journal.must_serve()
        self._live.expel_silent()

    # --- members ---

    def join(
        self, group: str, topic: str, member: str, assignor: str | None, session_ms: int | None
    ) -> "Deferred[Assignment]":
        """See :class:`~flux.interfaces.IGroupCoordinator`. A topic that is missing is created, or waited for if that is off."""
        return Deferred.fromCoroutine(self._join(group, topic, member, assignor, session_ms))

    async def _join(
        self, group: str, topic: str, member: str, assignor: str | None, session_ms: int | None
    ) -> Assignment:
        check_topic_name(topic)
        check_name("group", group)
        check_name("consumer id", member)
        self._assigning.check(assignor)
        session_ms = self._limits.session_ms(session_ms)
        self._must_serve()
        if not self._topics.count(topic):
            await self._create(topic)
            self._must_serve()
        live, membership = self._live, (group, topic, member)
        current = live.generation(group, topic)
        if member not in current.members:
            self._limits.check_room(live.table, group, member)
        step = rules.join(
            current,
            topic,
            member,
            session_ms,
            assignor,
            self._topics.count(topic),
            live.silent_ms(membership),
            self._assigning,
            live.at_ms(),
        )
        live.follow(group, topic, current, step)
        live.sign_of_life(membership)
        await self._journal.durable(live.subscription(group, topic).settles_at)
        return Assignment(step.generation.number, step.generation.members[member].partitions)

    async def _create(self, topic: str) -> None:
        try:
            await self._controller.create_on_first_use(topic)
        except UnknownTopic:
            self._log.info("{topic} is awaited by a group; auto-creation is off", topic=topic)

    def sync(self, group: str, topic: str, member: str, generation: int) -> "Deferred[Assignment]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._sync(group, topic, member, generation))

    async def _sync(self, group: str, topic: str, member: str, generation: int) -> Assignment:
        subscription, owned = await self._member(group, topic, member, generation)
        await self._journal.durable(subscription.settles_at)
        return Assignment(generation, owned.partitions)

    def heartbeat(self, group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return self.sync(group, topic, member, generation).addCallback(lambda _assignment: None)

    def leave(self, group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._leave(group, topic, member, generation))

    async def _leave(self, group: str, topic: str, member: str, generation: int) -> None:
        subscription, _ = await self._member(group, topic, member, generation)
        live, current = self._live, subscription.generation
        gone = {member: live.silent_ms((group, topic, member))}
        step = rules.remove(current, topic, Cause.LEFT, gone, self._assigning, live.at_ms())
        await self._journal.durable(live.follow(group, topic, current, step))

    def commit(
        self, group: str, topic: str, member: str, generation: int, partition: int, offset: int
    ) -> "Deferred[None]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._commit(group, topic, member, generation, partition, offset))

    async def _commit(self, group: str, topic: str, member: str, generation: int, partition: int, offset: int) -> None:
        if offset < 0:
            raise BadRequest(f"offset: {offset} is negative; commit the next offset to read, 0 or above")
        subscription, owned = await self._member(group, topic, member, generation)
        try:
            rules.check_owner(owned, group, topic, member, partition)
        except GenerationMismatch:
            await self._journal.durable(subscription.settles_at)
            raise
        change = OffsetChange(group, topic, partition, offset, generation, member)
        await self._journal.durable(self._journal.write([change]))

    def committed(self, group: str, topic: str, partition: int) -> "Deferred[int | None]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._committed(group, topic, partition))

    async def _committed(self, group: str, topic: str, partition: int) -> int | None:
        self._must_serve()
        offset = self._live.table.offsets.get(group, topic, partition)
        await self._journal.durable(self._journal.commits_end)
        return offset

    async def _member(self, group: str, topic: str, member: str, generation: int) -> tuple[Subscription, Member]:
        """Who asks, with its sign of life noted. Waits only to refuse. :raises GenerationMismatch: says what is wrong."""
        self._must_serve()
        subscription = self._live.subscription(group, topic)
        try:
            owned = rules.check_member(subscription.generation, group, topic, member, generation)
        except GenerationMismatch:
            await self._journal.durable(subscription.settles_at)  # the refusal names a generation
            raise
        self._live.sign_of_life((group, topic, member))
        return subscription, owned

    # --- people ---

    def groups(self) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._groups())

    async def _groups(self) -> Sequence[Mapping[str, Any]]:
        self._must_serve()
        summaries = [summary(self._live, group) for group in sorted(self._live.table.groups)]
        await self._journal.durable(self._journal.end)
        return summaries

    def describe(self, group: str) -> "Deferred[Mapping[str, Any]]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._describe(group))

    async def _describe(self, group: str) -> Mapping[str, Any]:
        self._must_know(group)
        await self._journal.durable(self._journal.end)
        return await describe(self._live, self._partitions, group)

    def explain(self, group: str) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._explain(group))

    async def _explain(self, group: str) -> Sequence[Mapping[str, Any]]:
        self._must_know(group)
        events = [event_to_json(event) for event in self._live.table.events(group)]
        await self._journal.durable(self._journal.end)
        return events

    def reset(self, group: str, topic: str, to: ResetTo, dry_run: bool) -> "Deferred[Reset]":
        """See :class:`~flux.interfaces.IGroupCoordinator`."""
        return Deferred.fromCoroutine(self._reset(group, topic, to, dry_run))

    async def _reset(self, group: str, topic: str, to: ResetTo, dry_run: bool) -> Reset:
        self._must_know(group)
        must_be_on(self._live, group, topic)
        wanted = await targets(self._partitions, topic, self._topics.count(topic), to)
        self._must_serve()
        if dry_run:
            done, end = moves(self._live, group, topic, wanted), self._journal.end
        else:
            done, end = reset(self._live, group, topic, wanted, to)
        await self._journal.durable(end)
        return done

    def _must_know(self, group: str) -> None:
        self._must_serve()
        if group not in self._live.table.groups:
            raise BadRequest(f"group: there is no group {group!r}; GROUP_LIST names them")
