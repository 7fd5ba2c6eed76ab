"""The offsets groups have committed. Pure: a table of numbers, its change, and its form in a snapshot."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class OffsetChange(NamedTuple):
    """*group* goes on with *offset* in this partition, None if what it had committed is forgotten.

    ``generation`` and ``member`` say who wrote it; no member: a reset, or the topic's end.
    """

    group: str
    topic: str
    partition: int
    offset: int | None
    generation: int
    member: str | None


class Offsets:
    """Group → topic → partition → the next offset to read.

    *Action*: :meth:`apply` a change. *Transition*: one number; a commit costs the same however many there are.
    """

    __slots__ = ("_groups", "count")

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, dict[int, int]]] = {}
        self.count = 0

    def apply(self, change: OffsetChange) -> None:
        """The last one applied holds, even if it is lower."""
        if change.offset is None:
            topics = self._groups.get(change.group, {})
            if topics.get(change.topic, {}).pop(change.partition, None) is not None:
                self.count -= 1
                if not topics[change.topic]:
                    del topics[change.topic]
            return
        partitions = self._groups.setdefault(change.group, {}).setdefault(change.topic, {})
        if change.partition not in partitions:
            self.count += 1
        partitions[change.partition] = change.offset

    def get(self, group: str, topic: str, partition: int) -> int | None:
        """The offset committed last, None if none ever was."""
        return self.of(group, topic).get(partition)

    def of(self, group: str, topic: str) -> Mapping[int, int]:
        """Partition → offset, of those ever committed."""
        return self._groups.get(group, {}).get(topic, {})

    def snapshot(self) -> dict[str, Any]:
        """A copy nobody changes, as JSON has it: ``{group: {topic: {partition: offset}}}``."""
        return {
            group: {topic: {str(p): offset for p, offset in partitions.items()} for topic, partitions in topics.items()}
            for group, topics in self._groups.items()
        }

    def restore(self, data: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
        """Become what :meth:`snapshot` showed."""
        self._groups = {
            group: {topic: {int(p): offset for p, offset in partitions.items()} for topic, partitions in topics.items()}
            for group, topics in data.items()
        }
        self.count = sum(len(partitions) for topics in self._groups.values() for partitions in topics.values())
