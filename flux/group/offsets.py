"""The offsets groups have committed. Pure: a table of numbers, its change, and its form in a snapshot."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


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

    *Action*: :meth:`apply` a change; :meth:`snapshot`. *Transition*: one number. A commit costs the same however many there are, and so
    does a snapshot: it shares the numbers of each group and topic, which are copied by the first change after it.
    """

    __slots__ = ("_groups", "_unshared", "count")

    def __init__(self) -> None:
        self._groups: dict[
            str, dict[str, dict[str, int]]
        ] = {}  # partitions as JSON has them, so that nothing is converted
        self._unshared: set[tuple[str, str]] = set()
        self.count = 0

    def apply(self, change: OffsetChange) -> None:
        """The last one applied holds, even if it is lower."""
        partitions = self._changeable(change.group, change.topic)
        partition = str(change.partition)
        self.count -= partition in partitions
        if change.offset is None:
            partitions.pop(partition, None)
        else:
            partitions[partition] = change.offset
            self.count += 1

    def get(self, group: str, topic: str, partition: int) -> int | None:
        """The offset committed last, None if none ever was."""
        return self._groups.get(group, {}).get(topic, {}).get(str(partition))

    def of(self, group: str, topic: str) -> dict[int, int]:
        """Partition → offset, of those ever committed, as they now are."""
        partitions = self._groups.get(group, {}).get(topic, {})
        return {int(partition): offset for partition, offset in partitions.items()}

    def snapshot(self) -> Iterator[tuple[str, Mapping[str, Mapping[str, int]]]]:
        """Each group with ``{topic: {partition: offset}}`` as JSON has it. What is applied later does not show."""
        self._unshared.clear()
        return iter([(group, dict(topics)) for group, topics in self._groups.items()])

    def restore(self, data: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
        """Become what :meth:`snapshot` showed."""
        self._groups = {
            group: {topic: dict(partitions) for topic, partitions in topics.items()} for group, topics in data.items()
        }
        self.count = sum(len(partitions) for topics in self._groups.values() for partitions in topics.values())

    def _changeable(self, group: str, topic: str) -> dict[str, int]:
        topics = self._groups.setdefault(group, {})
        if (group, topic) not in self._unshared:
            self._unshared.add((group, topic))
            topics[topic] = dict(topics.get(topic, {}))
        return topics[topic]
