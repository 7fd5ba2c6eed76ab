"""JOIN, SYNC, HEARTBEAT, LEAVE, COMMIT, OFFSET for consumers; GROUP_LIST, GROUP_DESCRIBE, EXPLAIN_GROUP, GROUP_RESET for people."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from flux.errors import UnknownTopic
from flux.interfaces import Assignment, IBroker, ICommandFamily, ISession, ResetTo
from flux.model import TopicPartition
from flux.wire.group import (
    Alive,
    Assigned,
    Commit,
    Committed,
    Heartbeat,
    Join,
    Leave,
    Left,
    NextOffset,
    Offset,
    Sync,
)
from flux.wire.group_admin import (
    ExplainGroup,
    GroupDescribe,
    GroupDescribed,
    GroupExplained,
    GroupList,
    GroupListed,
    GroupMoved,
    GroupReset,
)

_ALIVE, _LEFT, _COMMITTED = Alive(), Left(), Committed()


@implementer(ICommandFamily)
class GroupFamily:
    """Shares topics among consumers."""

    name = "group"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The ten commands."""
        grouping, asking = Grouping(broker), Asking(broker)
        return {
            Join: grouping.join,
            Sync: grouping.sync,
            Heartbeat: grouping.heartbeat,
            Leave: grouping.leave,
            Commit: grouping.commit,
            Offset: grouping.offset,
            GroupList: asking.list,
            GroupDescribe: asking.describe,
            ExplainGroup: asking.explain,
            GroupReset: asking.reset,
        }


class Grouping:
    """What consumers ask. Every method may fail as :class:`~flux.interfaces.IGroupCoordinator` says."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    def join(self, request: Join, session: ISession) -> "Deferred[Assigned]":
        """Become, or stay, a member."""
        joined = self._broker.groups.join(
            request.group, request.topic, request.member, request.assignor, request.session_ms
        )
        return joined.addCallback(_assigned)

    def sync(self, request: Sync, session: ISession) -> "Deferred[Assigned]":
        """What the member owns."""
        synced = self._broker.groups.sync(request.group, request.topic, request.member, request.generation)
        return synced.addCallback(_assigned)

    def heartbeat(self, request: Heartbeat, session: ISession) -> "Deferred[Alive]":
        """A sign of life."""
        heard = self._broker.groups.heartbeat(request.group, request.topic, request.member, request.generation)
        return heard.addCallback(lambda _: _ALIVE)

    def leave(self, request: Leave, session: ISession) -> "Deferred[Left]":
        """Go."""
        left = self._broker.groups.leave(request.group, request.topic, request.member, request.generation)
        return left.addCallback(lambda _: _LEFT)

    def commit(self, request: Commit, session: ISession) -> "Deferred[Committed]":
        """The next offset to read."""
        committed = self._broker.groups.commit(
            request.group, request.topic, request.member, request.generation, request.partition, request.offset
        )
        return committed.addCallback(lambda _: _COMMITTED)

    async def offset(self, request: Offset, session: ISession) -> NextOffset:
        """Where the group goes on: at the log's start if it never said. :raises BadRequest: the topic has no such partition."""
        offset = await self._broker.groups.committed(request.group, request.topic, request.partition)
        if offset is not None:
            return NextOffset(offset, True)
        tp = TopicPartition(request.topic, request.partition)
        try:
            partition = self._broker.partitions.get(tp)
        except UnknownTopic:
            await self._broker.controller.create_on_first_use(request.topic)
            partition = self._broker.partitions.get(tp)
        return NextOffset(partition.log_start, False)


class Asking:
    """What people ask. Every method may fail as :class:`~flux.interfaces.IGroupCoordinator` says."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    async def list(self, request: GroupList, session: ISession) -> GroupListed:
        """Which groups there are."""
        return GroupListed(await self._broker.groups.groups())

    async def describe(self, request: GroupDescribe, session: ISession) -> GroupDescribed:
        """Who is in it, and how far behind they are."""
        return GroupDescribed(await self._broker.groups.describe(request.group))

    async def explain(self, request: ExplainGroup, session: ISession) -> GroupExplained:
        """Why it rebalanced."""
        return GroupExplained(request.group, await self._broker.groups.explain(request.group))

    async def reset(self, request: GroupReset, session: ISession) -> GroupMoved:
        """Go on elsewhere."""
        where = cast("Literal['earliest', 'latest', 'offset', 'time']", request.where)  # decode lets nothing else in
        to = ResetTo(where, request.value or 0)
        done = await self._broker.groups.reset(request.group, request.topic, to, request.dry_run)
        before = [move.before for move in done.moves]
        after = [move.after for move in done.moves]
        return GroupMoved(request.group, request.topic, done.generation, request.dry_run, before, after)


def _assigned(assignment: Assignment) -> Assigned:
    return Assigned(assignment.generation, assignment.partitions)
