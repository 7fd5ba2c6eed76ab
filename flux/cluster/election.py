"""Who leads. Pure: an image in, an image out; every change of leader raises the partition's leader epoch.

Leaders come from the in-sync replicas, the preferred one (the first of the replica list) first. Only a topic that says
``unclean.leader.election.enable=true`` may be led by a replica that lacks committed records, and only when no other is left.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from flux.cluster.image import BrokerState, Image, PartitionState, Topic


def with_leader(
    state: PartitionState, leader: int | None, isr: tuple[int, ...], cause: str, now_ms: int, *, held: bool = False
) -> PartitionState:
    """*state* in its next epoch."""
    return replace(
        state, leader=leader, leader_epoch=state.leader_epoch + 1, isr=isr, cause=cause, since_ms=now_ms, held=held
    )


def elect(image: Image, cause: str, now_ms: int, names: Iterable[str] | None = None) -> Image:
    """Give every partition (of topics *names*) whose leader is gone another, if there is one; *cause* says what happened."""
    chosen = partial(_replace_lost, image.brokers, cause, now_ms)
    return _each(image, image.topics if names is None else names, chosen)


def elect_preferred(image: Image, name: str, now_ms: int) -> Image:
    """Let the preferred replicas of topic *name* lead, where they are in sync; where nobody leads, whoever can."""

    def chosen(topic: Topic, state: PartitionState) -> PartitionState:
        state = _replace_lost(image.brokers, "an election was asked for", now_ms, topic, state)
        preferred = state.replicas[0]
        if (
            state.held
            or state.leader == preferred
            or preferred not in state.isr
            or not _electable(preferred, image.brokers)
        ):
            return state
        return with_leader(state, preferred, state.isr, "the preferred replica is in sync", now_ms)

    return _each(image, [image.topic(name).name], chosen)


def raise_epochs(image: Image, broker_id: int, cause: str, now_ms: int) -> Image:
    """Let *broker_id* lead what it leads in a new epoch."""

    def raised(_topic: Topic, state: PartitionState) -> PartitionState:
        if state.leader != broker_id:
            return state
        return with_leader(state, broker_id, state.isr, cause, now_ms)

    return _each(image, image.topics, raised)


def _replace_lost(
    brokers: Mapping[int, BrokerState], cause: str, now_ms: int, topic: Topic, state: PartitionState
) -> PartitionState:
    if state.held or (state.leader is not None and state.leader in brokers and not brokers[state.leader].fenced):
        return state
    for replica in state.replicas:
        if replica in state.isr and _electable(replica, brokers):
            isr = tuple(member for member in state.isr if member not in brokers or not brokers[member].fenced)
            return with_leader(state, replica, isr, cause, now_ms)
    if topic.config.get("unclean.leader.election.enable") == "true":
        for replica in state.replicas:
            if _electable(replica, brokers):
                return with_leader(
                    state, replica, (replica,), f"unclean election, committed records may be lost: {cause}", now_ms
                )
    if state.leader is None:
        return state
    return with_leader(state, None, state.isr, f"no replica in sync can lead: {cause}", now_ms)


def _electable(broker_id: int, brokers: Mapping[int, BrokerState]) -> bool:
    return broker_id in brokers and brokers[broker_id].electable


def _each(image: Image, names: Iterable[str], chosen: Callable[[Topic, PartitionState], PartitionState]) -> Image:
    changed = {}
    for name in names:
        topic = image.topics[name]
        partitions = tuple(chosen(topic, state) for state in topic.partitions)
        if any(new is not old for new, old in zip(partitions, topic.partitions, strict=True)):
            changed[name] = replace(topic, partitions=partitions)
    return replace(image, topics={**image.topics, **changed}) if changed else image
