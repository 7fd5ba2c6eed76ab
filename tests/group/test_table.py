import json

from twisted.trial.unittest import SynchronousTestCase

from flux.group.assigning import Assigning
from flux.group.assignors import round_robin
from flux.group.group import NOBODY, Cause, Event, Generation, GroupState, fence, join, remove, shape
from flux.group.offsets import OffsetChange
from flux.group.records import GenerationChange
from flux.group.table import EVENTS_A_GROUP, EVENTS_IN_ALL, GroupTable, Subscription

ASSIGN = Assigning({"round_robin": round_robin})


def generation(*members: str, after: Generation = NOBODY) -> Generation:
    for member in members:
        after = join(after, "t", member, 10_000, None, 3, None, ASSIGN, 0).generation
    return after


def event(at_ms: int) -> Event:
    return Event(at_ms, "t", Cause.RESET, (), 0, shape(NOBODY), shape(NOBODY))


class SubscriptionTests(SynchronousTestCase):
    def test_it_is_stable_when_every_member_has_been_heard(self) -> None:
        """NEW, REBALANCING, STABLE, REBALANCING again, EMPTY; and back."""
        subscription = Subscription()
        seen = [subscription.state]
        one = generation("a", "b")
        subscription.begin(one)
        seen.append(subscription.state)
        for member in ("a", "stranger", "a"):
            subscription.heard(member)
            self.assertIs(subscription.state, GroupState.REBALANCING)
        subscription.heard("b")
        seen.append(subscription.state)
        two = fence(one, "t", Cause.RESET, 1, "", 0).generation
        subscription.begin(two)
        seen.append(subscription.state)
        empty = remove(two, "t", Cause.LEFT, {"a": 0, "b": 0}, ASSIGN, 0).generation
        subscription.begin(empty)
        seen.append(subscription.state)
        subscription.begin(generation("c", after=empty))
        seen.append(subscription.state)
        self.assertEqual(
            [state.name for state in seen], ["NEW", "REBALANCING", "STABLE", "REBALANCING", "EMPTY", "REBALANCING"]
        )

    def test_a_generation_never_falls(self) -> None:
        """Whoever tried would have broken the log."""
        subscription = Subscription()
        subscription.begin(generation("a", "b"))
        with self.assertRaises(AssertionError):
            subscription.begin(generation("a"))

    def test_a_new_session_is_no_new_generation(self) -> None:
        """The state stays."""
        subscription = Subscription()
        one = generation("a")
        subscription.begin(one)
        subscription.heard("a")
        subscription.begin(join(one, "t", "a", 5, None, 3, 0, ASSIGN, 0).generation)
        self.assertIs(subscription.state, GroupState.STABLE)
        self.assertEqual(subscription.generation.members["a"].session_ms, 5)


class GroupTableTests(SynchronousTestCase):
    def test_snapshots_show_it_whole(self) -> None:
        """Through JSON and back: generations, members, events and offsets."""
        table = GroupTable()
        table.apply(GenerationChange("g", "t", generation("a", "b"), (event(1), event(2))))
        table.apply(GenerationChange("g", "u", generation("a")))
        table.apply(GenerationChange("h", "t", generation("c"), (event(3),)))
        table.apply(OffsetChange("g", "t", 0, 7, 3, "a"))
        again = GroupTable()
        again.restore_groups(json.loads(json.dumps(dict(table.snapshot_groups()))))
        again.offsets.restore(json.loads(json.dumps(dict(table.offsets.snapshot()))))
        self.assertEqual(dict(again.snapshot_groups()), dict(table.snapshot_groups()))
        self.assertEqual(dict(again.offsets.snapshot()), {"g": {"t": {"0": 7}}})
        self.assertEqual(again.events("g"), [event(1), event(2)])
        self.assertEqual(
            [(group, topic) for group, topic, _ in again.subscriptions()], [("g", "t"), ("g", "u"), ("h", "t")]
        )
        self.assertEqual((again.size, again.members("g"), again.members("nobody")), (table.size, 3, 0))
        self.assertEqual(table.size, 1 + 4 + 3)

    def test_the_last_few_hundred_events_of_a_group_are_kept(self) -> None:
        """And fewer of each when there are very many groups, so that all of them have a bound."""
        table = GroupTable()
        for at_ms in range(1000):
            table.apply(GenerationChange("g", "t", generation("a"), (event(at_ms),)))
        self.assertEqual([one.at_ms for one in table.events("g")], list(range(1000 - EVENTS_A_GROUP, 1000)))
        for number in range(400):
            for at_ms in range(100):
                table.apply(GenerationChange(f"g{number}", "t", generation("a"), (event(at_ms),)))
        kept = sum(len(table.events(group)) for group in table.groups)
        self.assertLess(kept, 2 * EVENTS_IN_ALL)
        self.assertGreater(len(table.events("g399")), 40)
        self.assertEqual(table.size, kept + 401)
