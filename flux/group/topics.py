"""What groups make of the topics there are: how many partitions there are to share, and what deletion takes with it."""

from collections.abc import Set
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from flux.errors import FluxError
from flux.group.group import Cause, fence, resize
from flux.group.live import RETRY_S, LiveGroups
from flux.group.offsets import OffsetChange
from flux.interfaces import IMetadataObserver


@implementer(IMetadataObserver)
class TopicFollower:
    """Shares a topic that grew, appeared or went anew, at once; forgets what was committed on one that was deleted.

    Offsets of a deleted topic would, in a topic of the same name made later, pass over records nobody has read. They are forgotten only
    when the deletion itself is seen: a topic that is merely missing at start may come back.
    """

    _log = Logger()

    def __init__(self, live: LiveGroups, clock: IReactorTime) -> None:
        self._live = live
        self._clock = clock
        self._image: Any = None
        self._retry: IDelayedCall | None = None

    def count(self, topic: str) -> int:
        """Partitions of *topic*, 0 if there is no such topic."""
        found = self._image.topics.get(topic)
        return 0 if found is None else len(found.partitions)

    def metadata_changed(self, image: Any) -> None:
        """See :class:`~flux.interfaces.IMetadataObserver`."""
        before, self._image = self._image, image
        self._fit(_deleted(before, image))

    def end(self) -> None:
        """Look no more."""
        if self._retry is not None and self._retry.active():
            self._retry.cancel()

    def _fit(self, deleted: Set[str]) -> None:
        live = self._live
        if live.journal.refusal is not None:
            return
        try:
            for group, topic, subscription in list(live.table.subscriptions()):
                current = subscription.generation
                step = resize(current, topic, self.count(topic), live.assigning, live.at_ms())
                offsets = live.table.offsets.of(group, topic) if topic in deleted else ()
                if topic in deleted and step.generation is current and current.members:
                    # As many partitions as before, but other ones: who reads must not commit where it was in the old ones.
                    step = fence(current, topic, Cause.PARTITIONS_CHANGED, 1, "the topic was made anew", live.at_ms())
                number = step.generation.number
                forgotten = [OffsetChange(group, topic, partition, None, number, None) for partition in offsets]
                live.follow(group, topic, current, step, forgotten)
        except FluxError as error:
            self._log.warn(
                "groups cannot follow their topics yet, trying again in {s} s: {error}", s=RETRY_S, error=error
            )
            self._retry = self._clock.callLater(RETRY_S, self._fit, deleted)


def _deleted(before: Any, image: Any) -> Set[str]:
    """Names of topics whose deletion shows between two images, or in the first one: there, by the files still to be removed."""
    if before is None:
        return {tombstone.topic for tombstone in image.tombstones.values() if tombstone.topic not in image.topics}
    if before.topics is image.topics:
        return set()
    return {
        name
        for name, topic in before.topics.items()
        if name not in image.topics or image.topics[name].topic_id != topic.topic_id
    }
