"""Every group, as the log tells it: the one place where a change takes effect, at start-up and ever after. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flux.group.group import LEGAL_PREDECESSORS, NOBODY, Event, Generation, GroupState
from flux.group.offsets import Offsets
from flux.group.records import (
    Change,
    GenerationChange,
    event_from_json,
    event_to_json,
    generation_from_json,
    generation_to_json,
)

EVENTS_A_GROUP = 256
EVENTS_IN_ALL = 20_000  # about 10 MB; with more than 78 groups each keeps its share of it
_FEWEST_EVENTS = 8


class Subscription:
    """One group on one topic: the generation in force, and who has been heard of in it.

    *Transitions*: :meth:`begin` a generation, :meth:`heard` from a member; the states between are in
    :data:`~flux.group.group.LEGAL_PREDECESSORS`. Who was heard of is not in the log: after a restart everybody is waited for.
    """

    __slots__ = ("generation", "settles_at", "state", "unheard")

    def __init__(self) -> None:
        self.generation = NOBODY
        self.state = GroupState.NEW
        self.unheard: set[str] = set()
        self.settles_at = 0  # the log's end after the last change: what it says holds once that is durable

    def begin(self, generation: Generation) -> None:
        """*generation* is in force; the same number again only changes what is known about its members."""
        if generation.number == self.generation.number:
            self.generation = generation
            return
        assert generation.number > self.generation.number, "a generation never falls"
        self.generation = generation
        self.unheard = set(generation.members)
        self._enter(GroupState.REBALANCING if self.unheard else GroupState.EMPTY)

    def heard(self, member: str) -> None:
        """*member* has shown that it knows the generation."""
        if member in self.unheard:
            self.unheard.discard(member)
            if not self.unheard:
                self._enter(GroupState.STABLE)

    def _enter(self, state: GroupState) -> None:
        assert self.state in LEGAL_PREDECESSORS[state], f"{self.state} → {state}"
        self.state = state


class GroupTable:
    """Group → topic → :class:`Subscription`, the events of each group, and the committed offsets.

    *Action*: :meth:`apply`. Two snapshots show it whole: groups with their events, and offsets.
    """

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Subscription]] = {}
        self.offsets = Offsets()
        self._entries = 0  # memberships and events
        self._events: dict[str, deque[Event]] = {}

    def apply(self, change: Change) -> None:
        """Make *change*. It was decided, or it is being read from the log: there is no difference."""
        if not isinstance(change, GenerationChange):
            self.offsets.apply(change)
            return
        subscription = self.groups.setdefault(change.group, {}).setdefault(change.topic, Subscription())
        before = len(subscription.generation.members)
        subscription.begin(change.generation)
        self._entries += len(change.generation.members) - before
        for event in change.events:
            self._remember(change.group, event)

    @property
    def size(self) -> int:
        """Offsets, memberships and events: what a snapshot costs."""
        return self.offsets.count + self._entries

    def get(self, group: str, topic: str) -> Subscription | None:
        """*group* on *topic*, None if nobody ever joined."""
        return self.groups.get(group, {}).get(topic)

    def events(self, group: str) -> list[Event]:
        """The last changes of generation, oldest first."""
        return list(self._events.get(group, ()))

    def members(self, group: str) -> int:
        """Memberships of *group*, over all its topics."""
        return sum(len(subscription.generation.members) for subscription in self.groups.get(group, {}).values())

    def subscriptions(self) -> Iterator[tuple[str, str, Subscription]]:
        """Group, topic and subscription of all."""
        for group, topics in self.groups.items():
            for topic, subscription in topics.items():
                yield group, topic, subscription

    def snapshot_groups(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each group as JSON has it, made when it is taken. What is applied later does not show."""
        frozen = [
            (group, {topic: one.generation for topic, one in topics.items()}, tuple(self._events.get(group, ())))
            for group, topics in self.groups.items()
        ]
        return ((group, _to_json(generations, events)) for group, generations, events in frozen)

    def restore_groups(self, data: Mapping[str, Any]) -> None:
        """Become what :meth:`snapshot_groups` showed."""
        for group, one in data.items():
            for topic, generation in one["topics"].items():
                self.apply(GenerationChange(group, topic, generation_from_json(generation)))
            for event in one["events"]:
                self._remember(group, event_from_json(event))

    def _remember(self, group: str, event: Event) -> None:
        events = self._events.setdefault(group, deque())
        events.append(event)
        self._entries += 1
        share = max(_FEWEST_EVENTS, min(EVENTS_A_GROUP, EVENTS_IN_ALL // len(self.groups)))
        while len(events) > share:
            events.popleft()
            self._entries -= 1


def _to_json(generations: Mapping[str, Generation], events: Sequence[Event]) -> dict[str, Any]:
    return {
        "topics": {topic: generation_to_json(generation) for topic, generation in generations.items()},
        "events": [event_to_json(event) for event in events],
    }
