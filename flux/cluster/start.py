"""The image a controller begins with. Pure: what was stored and what lies on disk in, the image of a new term out."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from flux.cluster.changes import with_partition
from flux.cluster.election import elect, raise_epochs, with_leader
from flux.cluster.image import BrokerState, Fence, Image, PartitionState, Topic
from flux.model import TopicPartition


def begin_term(image: Image, broker_id: int, host: str, port: int) -> Image:
    """*image* in the next term, with this broker registered and alive in a new incarnation: the term."""
    image = replace(image, term=image.term + 1, index=image.index + 1)
    known = image.brokers.get(broker_id)
    fenced_by = Fence.OPERATOR if known is not None and known.fenced_by is Fence.OPERATOR else None
    epoch = max(image.term, known.epoch + 1 if known is not None else 0)
    return replace(
        image, brokers={**image.brokers, broker_id: BrokerState(broker_id, host, port, epoch, True, fenced_by)}
    )


def adopt_topics(
    image: Image, found: Mapping[str, int], factor: int, broker_id: int, new_id: Callable[[], str], now_ms: int
) -> Image:
    """*image* with a topic for each name in *found* (name → partition count) that it lacks and has not deleted."""
    deleted = {tombstone.topic for tombstone in image.tombstones.values()}
    adopted = {}
    for name, partitions in sorted(found.items()):
        if name not in image.topics and name not in deleted:
            replicas = (broker_id, *[other for other in range(factor) if other != broker_id][: factor - 1])
            state = PartitionState(None, -1, replicas, replicas, "found on disk", now_ms)
            adopted[name] = Topic(name, new_id(), (state,) * partitions, factor, {}, image.term, image.index)
    return replace(image, topics={**image.topics, **adopted}) if adopted else image


def with_internal(
    image: Image, internal: Mapping[str, Mapping[str, str]], broker_id: int, new_id: Callable[[], str], now_ms: int
) -> Image:
    """*image* with the broker's own topics, of one partition and one replica each, under the settings *internal* gives them."""
    topics = dict(image.topics)
    for name, config in internal.items():
        state = PartitionState(None, -1, (broker_id,), (broker_id,), "the broker's own", now_ms)
        known = topics.get(name) or Topic(name, new_id(), (state,), 1, config, image.term, image.index)
        topics[name] = replace(known, config=config)
    return replace(image, topics=topics)


def lead_anew(
    image: Image, broker_id: int, newest_epochs: Mapping[TopicPartition, int], unclean: bool, now_ms: int
) -> Image:
    """*image* with leaders for all it can, and no epoch in which somebody may have appended something else before.

    After an *unclean* stop every epoch of this broker's rises: an unsynced tail may be lost, and its offsets will be used again. So does
    one that is not above what the log itself has seen (*newest_epochs*): the metadata is older than the log.
    """
    if unclean:
        image = raise_epochs(image, broker_id, "restart after an unclean stop", now_ms)
    for tp, newest in newest_epochs.items():
        state = image.partition(*tp)
        if newest > state.leader_epoch:
            state = replace(state, leader_epoch=newest)
            cause = "the log knew a later epoch than the metadata"
            image = with_partition(
                image, tp, with_leader(state, state.leader, state.isr, cause, now_ms, held=state.held)
            )
    return elect(image, "the broker started", now_ms)
