"""The changes that make the next image. Pure: an image in, an image out; the same image says that nothing changes.

The image handed in bears the term and index the change will have, so that a topic can remember those of its creation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flux.cluster.election import elect, with_leader
from flux.cluster.image import BrokerState, Fence, Image, PartitionState, Tombstone, Topic
from flux.errors import BadRequest, NotLeader, Throttled, TopicExists
from flux.model import TopicPartition

MAX_REPLICATION_FACTOR = 100  # a number from the wire; far above any use, far below what would fill memory


def create_topic(
    image: Image,
    topic_id: str,
    name: str,
    partitions: int,
    factor: int,
    config: Mapping[str, str],
    leader: int,
    now_ms: int,
) -> Image:
    """Topic *name*, led by broker *leader* if it can.

    :raises TopicExists: one of that name has another shape. :raises Throttled: the files of a deleted one are still there.
    """
    known = image.topics.get(name)
    if known is not None:
        different = [
            f"{what} {have} instead of {asked}"
            for what, have, asked in (
                ("partitions", len(known.partitions), partitions),
                ("replication factor", known.replication_factor, factor),
                *((setting, known.config.get(setting, "its default"), value) for setting, value in config.items()),
            )
            if have != asked
        ]
        if different:
            raise TopicExists(f"topic: {name} exists with {', '.join(different)}")
        return image
    if any(tombstone.topic == name for tombstone in image.tombstones.values()):
        raise Throttled(f"topic: {name} is being deleted; try again")
    replicas = _replicas(leader, factor)
    states = tuple(PartitionState(None, -1, replicas, replicas) for _ in range(partitions))
    topic = Topic(name, topic_id, states, factor, dict(config), image.term, image.index)
    return elect(_with_topic(image, topic), "created", now_ms, [name])


def grow_topic(image: Image, name: str, partitions: int, leader: int, now_ms: int) -> Image:
    """Topic *name* with *partitions* partitions. :raises BadRequest: it has more."""
    topic = image.topic(name)
    have = len(topic.partitions)
    if partitions < have:
        raise BadRequest(f"partitions: {name} has {have}, and a topic never shrinks to {partitions}")
    if partitions == have:
        return image
    replicas = _replicas(leader, topic.replication_factor)
    states = tuple(PartitionState(None, -1, replicas, replicas) for _ in range(partitions - have))
    return elect(_with_topic(image, replace(topic, partitions=topic.partitions + states)), "created", now_ms, [name])


def alter_config(image: Image, name: str, config: Mapping[str, str]) -> Image:
    """Topic *name* with *config* over what it has."""
    topic = image.topic(name)
    altered = {**topic.config, **config}
    return image if altered == dict(topic.config) else _with_topic(image, replace(topic, config=altered))


def delete_topic(image: Image, name: str) -> Image:
    """No topic *name* any more, but a tombstone until its files are gone."""
    topic = image.topic(name)
    tombstone = Tombstone(topic.topic_id, name, len(topic.partitions))
    topics = {other: known for other, known in image.topics.items() if other != name}
    return replace(image, topics=topics, tombstones={**image.tombstones, topic.topic_id: tombstone})


def remove_tombstone(image: Image, topic_id: str) -> Image:
    """The files of the deleted topic *topic_id* are gone."""
    if topic_id not in image.tombstones:
        return image
    return replace(image, tombstones={known: stone for known, stone in image.tombstones.items() if known != topic_id})


def register_broker(image: Image, broker_id: int, host: str, port: int, epoch: int | None) -> Image:
    """Broker *broker_id*, which leads nothing new until it is heard. Without *epoch*, another address is another incarnation.

    :raises BadRequest: a later incarnation is registered.
    """
    known = image.brokers.get(broker_id)
    if known is None:
        return _with_broker(image, BrokerState(broker_id, host, port, 1 if epoch is None else epoch))
    moved = (host, port) != (known.host, known.port)
    if epoch is None:
        epoch = known.epoch + moved
    if epoch < known.epoch:
        raise BadRequest(f"epoch: {epoch} is stale, broker {broker_id} is registered with {known.epoch}")
    if epoch == known.epoch:
        return _with_broker(image, replace(known, host=host, port=port)) if moved else image
    fenced_by = Fence.OPERATOR if known.fenced_by is Fence.OPERATOR else None
    return _with_broker(image, BrokerState(broker_id, host, port, epoch, fenced_by=fenced_by))


def hear_broker(image: Image, broker_id: int, now_ms: int) -> Image:
    """A heartbeat of *broker_id*: it is alive, and no longer fenced for its silence."""
    broker = image.broker(broker_id)
    fenced_by = None if broker.fenced_by is Fence.SILENCE else broker.fenced_by
    if broker.alive and fenced_by is broker.fenced_by:
        return image
    heard = _with_broker(image, replace(broker, alive=True, fenced_by=fenced_by))
    return elect(heard, f"broker {broker_id} was heard", now_ms)


def fence_brokers(image: Image, broker_ids: Sequence[int], fence: Fence, now_ms: int) -> Image:
    """*broker_ids* lead nothing from now on."""
    fenced = image
    for broker_id in broker_ids:
        broker = image.broker(broker_id)
        if broker.fenced_by not in (fence, Fence.OPERATOR):
            fenced = _with_broker(fenced, replace(broker, fenced_by=fence))
    if fenced is image:
        return image
    why = "by an operator" if fence is Fence.OPERATOR else "for its silence"
    return elect(fenced, f"broker {' '.join(map(str, broker_ids))} was fenced {why}", now_ms)


def unfence_broker(image: Image, broker_id: int, now_ms: int) -> Image:
    """*broker_id* may lead again."""
    broker = image.broker(broker_id)
    if not broker.fenced:
        return image
    return elect(_with_broker(image, replace(broker, fenced_by=None)), f"broker {broker_id} is fenced no more", now_ms)


def set_leader(image: Image, tp: TopicPartition, leader: int, isr: tuple[int, ...], now_ms: int) -> Image:
    """An operator says who leads *tp* and who is in sync; whoever is not among the replicas yet joins them.

    :raises BadRequest: *leader* is not in *isr* or cannot lead, or *isr* names a stranger or names one twice.
    """
    state = image.partition(*tp)
    strangers = [member for member in isr if member not in state.replicas and member not in image.brokers]
    if strangers or len(set(isr)) != len(isr):
        raise BadRequest(f"isr: {list(isr)} must name replicas of {tp} or registered brokers, each once")
    if leader not in isr:
        raise BadRequest(f"leader: {leader} must be in the ISR {list(isr)}")
    if not image.broker(leader).electable:
        raise BadRequest(f"leader: broker {leader} is {'fenced' if image.broker(leader).fenced else 'not alive yet'}")
    if (state.leader, state.isr, state.held) == (leader, isr, False):
        return image
    replicas = state.replicas + tuple(member for member in isr if member not in state.replicas)
    state = replace(state, replicas=replicas)
    return with_partition(image, tp, with_leader(state, leader, isr, "set by an operator", now_ms))


def take_leader(image: Image, tp: TopicPartition, now_ms: int) -> Image:
    """An operator takes *tp*'s leader away; elections pass it by until one is set."""
    state = image.partition(*tp)
    if state.held:
        return image
    cause = "role set to follower by an operator"
    return with_partition(image, tp, with_leader(state, None, state.isr, cause, now_ms, held=True))


def alter_isr(image: Image, tp: TopicPartition, leader_epoch: int, isr: tuple[int, ...]) -> Image:
    """The leader of *tp* in *leader_epoch* says who is in sync.

    :raises NotLeader: another epoch began. :raises BadRequest: *isr* lacks the leader or names a stranger.
    """
    state = image.partition(*tp)
    if state.leader_epoch != leader_epoch or state.leader is None:
        raise NotLeader(f"{tp}: epoch {leader_epoch} is over, {state.leader_epoch} began")
    if state.leader not in isr or not set(isr) <= set(state.replicas):
        raise BadRequest(f"isr: {list(isr)} must hold the leader {state.leader} and only replicas of {tp}")
    return image if set(state.isr) == set(isr) else with_partition(image, tp, replace(state, isr=isr))


def with_partition(image: Image, tp: TopicPartition, state: PartitionState) -> Image:
    """*image* with *tp* in *state*."""
    topic = image.topic(tp.topic)
    partitions = (*topic.partitions[: tp.partition], state, *topic.partitions[tp.partition + 1 :])
    return _with_topic(image, replace(topic, partitions=partitions))


def _with_topic(image: Image, topic: Topic) -> Image:
    return replace(image, topics={**image.topics, topic.name: topic})


def _with_broker(image: Image, broker: BrokerState) -> Image:
    return replace(image, brokers={**image.brokers, broker.id: broker})


def _replicas(leader: int, factor: int) -> tuple[int, ...]:
    """The preferred leader, then the lowest other ids: with one broker, the ids under which its followers report."""
    return (leader, *[broker for broker in range(factor) if broker != leader][: factor - 1])
