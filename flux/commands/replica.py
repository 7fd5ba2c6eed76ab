"""REPLICA_FETCH, SET_PARTITION_ROLE and EXPLAIN_PARTITION: replicas, roles, and why the watermark stands where it stands."""

from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from flux.interfaces import IBroker, ICommandFamily, ISession
from flux.model import TopicPartition
from flux.wire.replica import (
    ExplainPartition,
    PartitionExplained,
    PartitionRole,
    ReplicaFetch,
    ReplicaFetched,
    SetPartitionRole,
)


@implementer(ICommandFamily)
class ReplicaFamily:
    """Keeps account of replicas. A topic that does not exist is never created here."""

    name = "replica"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The three commands."""
        replicating = Replicating(broker)
        return {
            ReplicaFetch: replicating.fetch,
            SetPartitionRole: replicating.set_role,
            ExplainPartition: replicating.explain,
        }


class Replicating:
    """What followers and operators say to a partition.

    Every method may raise UnknownTopic and, for a partition the topic does not have, BadRequest.
    """

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    async def fetch(self, request: ReplicaFetch, session: ISession) -> ReplicaFetched:
        """Take a report; if it changes who is in sync, answer when that is stored.

        :raises BadRequest: this broker follows, or no such replica reports to it.
        """
        partition = self._broker.partitions.get(TopicPartition(request.topic, request.partition))
        changing = partition.report(request.replica, request.offset)
        if changing is not None:
            await changing
        return ReplicaFetched(
            request.replica,
            request.offset,
            partition.high_watermark,
            tuple(partition.isr),
            partition.under_replicated,
        )

    async def set_role(self, request: SetPartitionRole, session: ISession) -> PartitionRole:
        """Lead, or follow until told otherwise; answered when it is stored and in force."""
        tp = TopicPartition(request.topic, request.partition)
        await self._broker.controller.set_role(tp, request.role)
        partition = self._broker.partitions.get(tp)
        return PartitionRole(tp.topic, tp.partition, partition.role, partition.high_watermark)

    def explain(self, request: ExplainPartition, session: ISession) -> PartitionExplained:
        """Why the watermark stands where it stands."""
        tp = TopicPartition(request.topic, request.partition)
        partition = self._broker.partitions.get(tp)
        found = partition.explain()
        explanation = {
            "why": found.why,
            "role": found.role.value,
            "leader_epoch": found.leader_epoch,
            "hw": found.high_watermark - 1,
            "log_start": found.log_start,
            "log_end": found.log_end,
            "promised_end": found.promised_end,
            "min_isr": found.min_isr,
            "isr": list(found.isr),
            "under_replicated": partition.under_replicated,
            "replicas": [_replica(standing) for standing in found.replicas],
            "leadership": [change._asdict() for change in self._broker.controller.history(tp)],
        }
        return PartitionExplained(tp.topic, tp.partition, explanation)


def _replica(standing: Any) -> dict[str, Any]:
    """A :class:`flux.replication.isr.Standing`."""
    return {
        "replica": standing.replica,
        "end_offset": standing.end_offset,
        "lag": standing.lag,
        "silent_ms": None if standing.silent_s is None else int(standing.silent_s * 1000),
        "in_sync": standing.in_sync,
        "why": standing.why,
    }
