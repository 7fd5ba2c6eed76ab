"""What groups must do, written a second time and as simply as possible: the reference for the churn storm."""

from dataclasses import dataclass, field


@dataclass
class Reading:
    """One group on one topic."""

    generation: int = 1
    assignor: str | None = None
    partitions: int = 0
    sessions: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)


class Model:
    """Topics with their sizes, one :class:`Reading` each, and the time."""

    def __init__(self, topics: dict[str, int]) -> None:
        self.now = 0.0
        self.topics = topics
        self.readings = {topic: Reading() for topic in topics}

    def join(self, topic: str, member: str, assignor: str | None, session: float) -> None:
        reading = self.readings[topic]
        if member not in reading.sessions:
            reading.generation += 1
        if reading.assignor is not None and assignor not in (None, reading.assignor):
            reading.generation += 1
        reading.assignor = assignor or reading.assignor or "round_robin"
        reading.sessions[member] = session
        reading.heard[member] = self.now

    def leave(self, topic: str, member: str) -> None:
        self._remove(topic, [member])

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for topic, reading in self.readings.items():
            silent = [m for m, session in reading.sessions.items() if reading.heard[m] + session <= self.now]
            self._remove(topic, silent)

    def grow(self, topic: str, partitions: int) -> None:
        self.topics[topic] += partitions
        self.readings[topic].generation += bool(self.readings[topic].sessions and partitions)

    def restart(self) -> None:
        for reading in self.readings.values():
            reading.heard = dict.fromkeys(reading.sessions, self.now)

    def owned(self, topic: str) -> dict[str, list[int]]:
        """Member → partitions, by the definition."""
        reading, count = self.readings[topic], self.topics[topic]
        members = sorted(reading.sessions)
        if reading.assignor == "round_robin":
            return {m: [p for p in range(count) if members[p % len(members)] == m] for m in members}
        deal = [m for i, m in enumerate(members) for _ in range(count // len(members) + (i < count % len(members)))]
        return {m: [p for p in range(count) if deal[p] == m] for m in members}

    def _remove(self, topic: str, members: list[str]) -> None:
        reading = self.readings[topic]
        reading.generation += bool(members)
        for member in members:
            del reading.sessions[member], reading.heard[member]
