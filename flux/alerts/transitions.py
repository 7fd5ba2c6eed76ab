"""What an operator may want to know of the step from one image to the next. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from flux.model import Alert, AlertKind, TopicPartition


def transitions(before: Mapping[str, Any], after: Mapping[str, Any], now_ms: int) -> Iterator[Alert]:
    """The alerts between the topics (:class:`flux.cluster.image.Topic`, by name) of two images.

    What is new and lacks a replica already is told too: so after a start, whose image before is empty, all that is amiss is.
    """
    for name, topic in before.items():
        if not _same(topic, after.get(name)):
            for number, state in enumerate(topic.partitions):
                if _missing(state):
                    tp = TopicPartition(name, number)
                    yield _alert(AlertKind.UNDER_REPLICATION_ENDED, tp, state, now_ms, "the topic was deleted")
    for name, topic in after.items():
        known = before.get(name)
        if known is topic:  # unchanged topics are the same object from image to image
            continue
        states = known.partitions if known is not None and _same(known, topic) else ()
        for number, state in enumerate(topic.partitions):
            old = states[number] if number < len(states) else None
            yield from _of_partition(TopicPartition(name, number), old, state, now_ms)


def _of_partition(tp: TopicPartition, old: Any | None, new: Any, now_ms: int) -> Iterator[Alert]:
    if old is not None and old.leader != new.leader:
        yield _alert(AlertKind.LEADERSHIP_CHANGED, tp, new, new.since_ms, new.cause)
    missed, missing = _missing(old) if old is not None else [], _missing(new)
    if set(missing) - set(missed):  # each one that leaves: the second is worse than the first
        cause = f"out of sync: {' '.join(map(str, missing))}"
        yield _alert(AlertKind.UNDER_REPLICATED, tp, new, now_ms, cause)
    elif missed and not missing:
        yield _alert(AlertKind.UNDER_REPLICATION_ENDED, tp, new, now_ms, "all replicas are in sync")


def _same(topic: Any, other: Any | None) -> bool:
    """Not just of one name."""
    return other is not None and bool(topic.topic_id == other.topic_id)


def _missing(state: Any) -> list[int]:
    return [replica for replica in state.replicas if replica not in state.isr]


def _alert(kind: AlertKind, tp: TopicPartition, state: Any, at_ms: int, cause: str) -> Alert:
    return Alert(kind, tp, at_ms, cause, state.leader, state.leader_epoch, tuple(state.replicas), tuple(state.isr))
