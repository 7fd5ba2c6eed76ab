"""An agent, a clock, and what it wants: calls, whose outcomes the test tells."""

from typing import Any

from flux.client.agent import Agent, Wanted
from flux.client.calls import Page, Record
from flux.wire.group import Assigned, Committed, NextOffset


class AgentScene:
    """Asks the agent as a runner would."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.now_s = 100.0
        self.open: list[Wanted] = []

    def calls(self) -> list[str]:
        """Everything under way, as commands with their arguments."""
        self.open += self.agent.wants(self.now_s)
        return [f"{one.call.request.COMMAND} {one.call.request.encode().decode()}".strip() for one in self.open]

    def answer(self, command: str, outcome: Any) -> None:
        """The oldest call of *command* (or beginning with it) has this outcome."""
        for at, call in enumerate(self.calls()):
            if call.startswith(command):
                self.open.pop(at).then(outcome, self.now_s)
                return
        raise AssertionError(f"nobody asked for {command}: {self.calls()}")

    def advance_to_wake(self) -> float:
        """To when it wants to be asked; how long that was."""
        wake_at_s = self.agent.wake_at_s
        assert wake_at_s is not None, "it wants to be woken"
        waited_s, self.now_s = wake_at_s - self.now_s, wake_at_s
        return round(waited_s, 6)


def joined(generation: int, *partitions: int) -> Assigned:
    return Assigned(generation, partitions)


def located(offset: int, committed: bool = True) -> NextOffset:
    return NextOffset(offset, committed)


def record(topic: str, partition: int, offset: int) -> Record:
    """One whose value is its offset."""
    return Record(topic, partition, offset, str(offset).encode(), None, 0)


def page(topic: str, partition: int, *offsets: int, next_offset: int | None = None) -> Page:
    """Records whose values are their offsets."""
    records = tuple(record(topic, partition, offset) for offset in offsets)
    end = next_offset if next_offset is not None else offsets[-1] + 1
    return Page(records, end, end, 0)


COMMITTED = Committed()
