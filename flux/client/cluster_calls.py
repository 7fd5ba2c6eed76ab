"""What can be asked about partitions, topics and brokers: the replication family and the admin family.

Every function is named as its command.
"""

from collections.abc import Mapping, Sequence

from flux.client.calls import Call
from flux.errors import BadRequest
from flux.model import Role
from flux.wire.admin_brokers import (
    BrokerAlive,
    BrokerFenced,
    BrokerHeartbeat,
    BrokerRegistered,
    FenceBroker,
    GetMetadata,
    Metadata,
    ReconcileBrokerHealth,
    Reconciled,
    RegisterBroker,
    UnfenceBroker,
)
from flux.wire.admin_leaders import ElectTopicLeaders, LeadersElected, PartitionLeaderSet, SetPartitionLeader
from flux.wire.admin_topics import (
    AlterTopic,
    CreateTopic,
    DeleteRecords,
    DeleteTopic,
    DescribeTopic,
    RecordsDeleted,
    TopicDeleted,
    TopicDescribed,
    TopicShape,
)
from flux.wire.replica import (
    ExplainPartition,
    PartitionExplained,
    PartitionRole,
    ReplicaFetch,
    ReplicaFetched,
    SetPartitionRole,
)

# --- partitions ---


def replica_fetch(
    topic: str, partition: int, replica: int, offset: int, *, timeout_s: float | None = None
) -> Call[ReplicaFetched]:
    """Report that *replica* holds everything up to and including *offset*, -1 for nothing."""
    return Call(ReplicaFetch(topic, partition, replica, offset), ReplicaFetched.decode, timeout_s)


def set_partition_role(
    topic: str, partition: int, role: Role | str, *, timeout_s: float | None = None
) -> Call[PartitionRole]:
    """Make the broker that answers the leader of a partition, or a follower."""
    return Call(SetPartitionRole(topic, partition, as_role(role)), PartitionRole.decode, timeout_s)


def explain_partition(topic: str, partition: int, *, timeout_s: float | None = None) -> Call[PartitionExplained]:
    """Ask why a partition's high watermark stands where it stands."""
    return Call(ExplainPartition(topic, partition), PartitionExplained.decode, timeout_s)


def admin_set_partition_leader(
    topic: str, partition: int, leader: int, isr: Sequence[int], *, timeout_s: float | None = None
) -> Call[PartitionLeaderSet]:
    """Make broker *leader* lead a partition, with *isr* in sync. Naming one that lacks committed records loses them."""
    return Call(SetPartitionLeader(topic, partition, leader, isr), PartitionLeaderSet.decode, timeout_s)


def admin_elect_topic_leaders(topic: str, *, timeout_s: float | None = None) -> Call[LeadersElected]:
    """Let the preferred replicas of *topic* lead."""
    return Call(ElectTopicLeaders(topic), LeadersElected.decode, timeout_s)


# --- topics ---


def admin_create_topic(
    topic: str,
    partitions: int,
    replication_factor: int = 1,
    settings: Mapping[str, object] | None = None,
    *,
    timeout_s: float | None = None,
) -> Call[TopicShape]:
    """Make a topic; the same again is the same answer. *settings* are under Kafka's names, such as ``retention.ms``.

    :raises TopicExists: with another shape.
    """
    return Call(CreateTopic(topic, partitions, replication_factor, _text(settings)), TopicShape.decode, timeout_s)


def admin_alter_topic(
    topic: str,
    settings: Mapping[str, object] | None = None,
    *,
    partitions: int | None = None,
    allow_key_move: bool = False,
    timeout_s: float | None = None,
) -> Call[TopicShape]:
    """Change settings of a topic, or give it more *partitions*, which sends keys elsewhere than before: *allow_key_move*."""
    request = AlterTopic(topic, _text(settings), partitions, allow_key_move)
    return Call(request, TopicShape.decode, timeout_s, request.wait_s)


def admin_delete_topic(topic: str, *, timeout_s: float | None = None) -> Call[TopicDeleted]:
    """Delete a topic and all its records."""
    return Call(DeleteTopic(topic), TopicDeleted.decode, timeout_s)


def admin_delete_records(
    topic: str, partition: int, before: int, *, timeout_s: float | None = None
) -> Call[RecordsDeleted]:
    """Delete all records of a partition *before* an offset."""
    return Call(DeleteRecords(topic, partition, before), RecordsDeleted.decode, timeout_s)


def admin_describe_topic(topic: str, *, timeout_s: float | None = None) -> Call[TopicDescribed]:
    """Ask what a topic is made of, partition by partition."""
    return Call(DescribeTopic(topic), TopicDescribed.decode, timeout_s)


# --- brokers ---


def admin_register_broker(
    broker_id: int, host: str, port: int, epoch: int | None = None, *, timeout_s: float | None = None
) -> Call[BrokerRegistered]:
    """Make a broker known under an address."""
    return Call(RegisterBroker(broker_id, host, port, epoch), BrokerRegistered.decode, timeout_s)


def admin_broker_heartbeat(broker_id: int, *, timeout_s: float | None = None) -> Call[BrokerAlive]:
    """Give a broker's sign of life."""
    return Call(BrokerHeartbeat(broker_id), BrokerAlive.decode, timeout_s)


def admin_fence_broker(broker_id: int, *, timeout_s: float | None = None) -> Call[BrokerFenced]:
    """Keep a broker from leading."""
    return Call(FenceBroker(broker_id), BrokerFenced.decode, timeout_s)


def admin_unfence_broker(broker_id: int, *, timeout_s: float | None = None) -> Call[BrokerFenced]:
    """Let a broker lead again."""
    return Call(UnfenceBroker(broker_id), BrokerFenced.decode, timeout_s)


def admin_reconcile_broker_health(timeout_ms: int, *, timeout_s: float | None = None) -> Call[Reconciled]:
    """Fence brokers that were silent for *timeout_ms*, and lift the fence of those that were not."""
    return Call(ReconcileBrokerHealth(timeout_ms), Reconciled.decode, timeout_s)


def admin_get_metadata(*, timeout_s: float | None = None) -> Call[Metadata]:
    """Ask which topics and brokers there are."""
    return Call(GetMetadata(), Metadata.decode, timeout_s)


# --- what a caller may write ---


def as_role(role: Role | str) -> Role:
    """*role* by either of its names. :raises BadRequest: it is none."""
    try:
        return role if isinstance(role, Role) else Role(role.lower())
    except ValueError:
        raise BadRequest(f"role: {role!r} is not known here; use leader or follower") from None


def _text(settings: Mapping[str, object] | None) -> dict[str, str]:
    return {} if settings is None else {name: _word(value) for name, value in settings.items()}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
