"""Who led a partition, when, and why it changed."""

from collections import deque
from typing import NamedTuple

from zope.interface import implementer

from flux.cluster.image import Image, PartitionState, Topic
from flux.interfaces import IMetadataObserver
from flux.model import TopicPartition

_KEPT = 8  # changes a partition; the image itself remembers only the last one


class LeadershipChange(NamedTuple):
    """From *leader_epoch* on *leader* leads, None for nobody. ``at_ms``: wall clock, milliseconds since the Unix epoch."""

    leader_epoch: int
    leader: int | None
    cause: str
    at_ms: int


@implementer(IMetadataObserver)
class LeadershipHistory:
    """The last leadership changes of every partition, as far as this process saw them and the image remembers."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._changes: dict[tuple[str, int], deque[LeadershipChange]] = {}

    def of(self, tp: TopicPartition) -> list[LeadershipChange]:
        """The last changes of *tp*, oldest first."""
        topic = self._topics.get(tp.topic)
        if topic is None or not 0 <= tp.partition < len(topic.partitions):
            return []
        return list(self._changes.get((topic.topic_id, tp.partition), [_last(topic.partitions[tp.partition])]))

    def metadata_changed(self, image: Image) -> None:
        """Note what is new in *image*."""
        before, self._topics = self._topics, dict(image.topics)
        for name, topic in before.items():
            if name not in image.topics or image.topics[name].topic_id != topic.topic_id:
                for number in range(len(topic.partitions)):
                    self._changes.pop((topic.topic_id, number), None)
        for name, topic in image.topics.items():
            known = before.get(name)
            if known is topic or known is None or known.topic_id != topic.topic_id:
                continue
            for number, (old, new) in enumerate(zip(known.partitions, topic.partitions, strict=False)):
                if new.leader_epoch != old.leader_epoch:
                    seen = self._changes.setdefault((topic.topic_id, number), deque([_last(old)], _KEPT))
                    seen.append(_last(new))


def _last(state: PartitionState) -> LeadershipChange:
    return LeadershipChange(state.leader_epoch, state.leader, state.cause, state.since_ms)
