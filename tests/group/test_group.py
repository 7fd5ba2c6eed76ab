from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import GenerationMismatch
from flux.group.assigning import Assigning
from flux.group.assignors import range_, round_robin
from flux.group.group import (
    LEGAL_PREDECESSORS,
    NAMED_MEMBERS,
    NOBODY,
    Cause,
    Generation,
    GroupState,
    Shape,
    Step,
    check_member,
    check_owner,
    fence,
    join,
    remove,
    resize,
)

ASSIGN = Assigning({"round_robin": round_robin, "range": range_})
AT = 1_700_000_000_000


def come(
    current: Generation, member: str, assignor: str | None = None, partitions: int = 3, session_ms: int = 10_000
) -> Step:
    return join(current, "orders", member, session_ms, assignor, partitions, 7, ASSIGN, AT)


def owned(generation: Generation) -> Mapping[str, Sequence[int]]:
    return {name: member.partitions for name, member in generation.members.items()}


class RuleTests(SynchronousTestCase):
    def test_the_first_member_begins_generation_two(self) -> None:
        """A new group is at generation 1 without members; whatever its first assignor is, that is no change."""
        for assignor in (None, "round_robin", "range"):
            step = come(NOBODY, "c1", assignor)
            self.assertEqual(step.generation.number, 2)
            self.assertEqual(step.generation.assignor, assignor or "round_robin")
            self.assertEqual(owned(step.generation), {"c1": (0, 1, 2)})
            self.assertEqual([event.cause for event in step.events], [Cause.JOINED])

    def test_a_known_member_joining_again_changes_nothing(self) -> None:
        """Not even an event: the step is the generation in force itself."""
        current = come(NOBODY, "c1").generation
        step = come(current, "c1")
        self.assertIs(step.generation, current)
        self.assertEqual(step.events, ())
        self.assertIs(come(current, "c1", "round_robin").generation, current)

    def test_another_session_is_recorded_in_the_same_generation(self) -> None:
        """The member stays what it is, with another timeout."""
        current = come(NOBODY, "c1").generation
        step = come(current, "c1", session_ms=500)
        self.assertEqual((step.generation.number, step.generation.members["c1"]), (2, (500, (0, 1, 2))))
        self.assertEqual(step.events, ())

    def test_members_share_in_string_order_not_in_order_of_arrival(self) -> None:
        """c1 comes last and is first."""
        current = NOBODY
        for member in ("c3", "c2", "c1"):
            current = come(current, member).generation
        self.assertEqual(current.number, 4)
        self.assertEqual(owned(current), {"c1": (0,), "c2": (1,), "c3": (2,)})

    def test_a_changed_assignor_raises_once_and_a_newcomer_who_changes_it_twice(self) -> None:
        """No assignor named keeps the one in force."""
        current = come(come(NOBODY, "c1", "range").generation, "c2").generation
        self.assertEqual((current.number, current.assignor), (3, "range"))
        changed = come(current, "c2", "round_robin")
        self.assertEqual((changed.generation.number, changed.generation.assignor), (4, "round_robin"))
        self.assertEqual([(e.cause, e.members) for e in changed.events], [(Cause.ASSIGNOR_CHANGED, (("c2", 7),))])
        twice = come(current, "c3", "round_robin")
        self.assertEqual(twice.generation.number, 5)
        self.assertEqual(owned(twice.generation), {"c1": (0,), "c2": (1,), "c3": (2,)})
        self.assertEqual(
            [(event.cause, event.before, event.after) for event in twice.events],
            [
                (Cause.JOINED, Shape(3, 2, 3, "range"), Shape(4, 3, 3, "range")),
                (Cause.ASSIGNOR_CHANGED, Shape(4, 3, 3, "range"), Shape(5, 3, 3, "round_robin")),
            ],
        )

    def test_an_empty_group_remembers_its_assignor_and_its_generation(self) -> None:
        """Everybody left: the next newcomer goes on from there, and may change the assignor."""
        current = come(NOBODY, "c1").generation
        empty = remove(current, "orders", Cause.LEFT, {"c1": 5}, ASSIGN, AT).generation
        self.assertEqual((empty.number, empty.members), (3, {}))
        self.assertEqual(come(empty, "c9").generation.number, 4)
        self.assertEqual(come(empty, "c9", "range").generation.number, 5)

    def test_a_sweep_raises_once_however_many_it_takes(self) -> None:
        """The event counts all of them and names the first."""
        current = NOBODY
        for number in range(100):
            current = come(current, f"c{number:02}", partitions=100).generation
        gone: dict[str, int | None] = {f"c{number:02}": 10_000 + number for number in range(99)}
        step = remove(current, "orders", Cause.EXPIRED, gone, ASSIGN, AT)
        self.assertEqual(step.generation.number, current.number + 1)
        self.assertEqual(owned(step.generation), {"c99": tuple(range(100))})
        (event,) = step.events
        self.assertEqual((event.concerned, len(event.members), event.members[0]), (99, NAMED_MEMBERS, ("c00", 10_000)))
        self.assertEqual((event.before.members, event.after.members), (100, 1))

    def test_a_topic_that_grows_is_shared_anew_and_an_empty_group_does_not_care(self) -> None:
        """A newcomer sees the topic as it then is."""
        current = come(NOBODY, "c1").generation
        grown = resize(current, "orders", 5, ASSIGN, AT)
        self.assertEqual((grown.generation.number, owned(grown.generation)), (3, {"c1": (0, 1, 2, 3, 4)}))
        self.assertEqual([event.cause for event in grown.events], [Cause.PARTITIONS_CHANGED])
        self.assertIs(resize(current, "orders", 3, ASSIGN, AT).generation, current)
        empty = remove(current, "orders", Cause.LEFT, {"c1": 5}, ASSIGN, AT).generation
        self.assertIs(resize(empty, "orders", 5, ASSIGN, AT).generation, empty)
        self.assertEqual(owned(come(empty, "c1", partitions=5).generation), {"c1": (0, 1, 2, 3, 4)})

    def test_a_fence_changes_only_the_number(self) -> None:
        """The same members own the same partitions."""
        current = come(come(NOBODY, "c1").generation, "c2").generation
        step = fence(current, "orders", Cause.RESET, 1, "to=earliest", AT)
        self.assertEqual((step.generation.number, step.generation.members), (4, current.members))
        self.assertEqual([(event.cause, event.detail) for event in step.events], [(Cause.RESET, "to=earliest")])

    def test_a_refusal_says_what_is_wrong(self) -> None:
        """Generation first, then member, then partition."""
        current = come(come(NOBODY, "c1").generation, "c2").generation
        table = [
            (2, "c1", "generation: 2 is not the current"),
            (4, "c1", "which is 3"),
            (3, "ghost", "'ghost' is not a member"),
        ]
        for number, member, text in table:
            with self.assertRaises(GenerationMismatch) as caught:
                check_member(current, "g", "orders", member, number)
            self.assertIn(text, str(caught.exception))
        owner = check_member(current, "g", "orders", "c1", 3)
        check_owner(owner, "g", "orders", "c1", 2)
        for partition in (1, 9, -1):
            with self.assertRaises(GenerationMismatch) as caught:
                check_owner(owner, "g", "orders", "c1", partition)
            self.assertIn(f"partition: {partition} ", str(caught.exception))

    def test_the_states_form_the_machine_they_should(self) -> None:
        """Nothing leads back to NEW, and nothing is stable but after a rebalance."""
        self.assertEqual(set(LEGAL_PREDECESSORS), set(GroupState))
        self.assertEqual(LEGAL_PREDECESSORS[GroupState.NEW], set())
        self.assertEqual(LEGAL_PREDECESSORS[GroupState.STABLE], {GroupState.REBALANCING})
