from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.group.assignors import range_, round_robin
from flux.interfaces import IAssignor

CROWDS = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=20, unique=True).map(sorted)


def owned(assigned: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    return {member: list(partitions) for member, partitions in assigned.items()}


class AssignorTests(SynchronousTestCase):
    def test_they_keep_the_promise_of_the_interface(self) -> None:
        for assignor in (round_robin, range_):
            verifyObject(IAssignor, assignor)
        self.assertEqual((round_robin.name, range_.name), ("round_robin", "range"))

    def test_examples(self) -> None:
        """Members in order, partitions, and who gets what."""
        table = [
            (round_robin, ["a"], 3, {"a": [0, 1, 2]}),
            (round_robin, ["a", "b"], 3, {"a": [0, 2], "b": [1]}),
            (round_robin, ["a", "b", "c"], 2, {"a": [0], "b": [1], "c": []}),
            (round_robin, ["a", "b"], 0, {"a": [], "b": []}),
            (round_robin, [], 3, {}),
            (range_, ["a"], 3, {"a": [0, 1, 2]}),
            (range_, ["a", "b"], 5, {"a": [0, 1, 2], "b": [3, 4]}),
            (range_, ["a", "b", "c"], 8, {"a": [0, 1, 2], "b": [3, 4, 5], "c": [6, 7]}),
            (range_, ["a", "b", "c"], 2, {"a": [0], "b": [1], "c": []}),
            (range_, [], 3, {}),
        ]
        for assignor, members, partitions, expected in table:
            self.assertEqual(
                owned(assignor.assign(members, partitions)), expected, (assignor.name, members, partitions)
            )

    @given(CROWDS, st.integers(0, 60))
    def test_every_partition_has_one_owner_and_no_member_two_more_than_another(
        self, members: list[str], partitions: int
    ) -> None:
        """Both share fairly and completely."""
        for assignor in (round_robin, range_):
            shares = owned(assignor.assign(members, partitions))
            self.assertEqual(sorted(p for share in shares.values() for p in share), list(range(partitions)))
            self.assertEqual(list(shares), members)
            sizes = [len(share) for share in shares.values()]
            self.assertLessEqual(max(sizes) - min(sizes), 1)
            self.assertEqual(sizes, sorted(sizes, reverse=True))

    @given(CROWDS, st.integers(0, 60))
    def test_range_keeps_neighbours_together(self, members: list[str], partitions: int) -> None:
        """Each run is contiguous, and the runs follow each other in order of members."""
        shares = owned(range_.assign(members, partitions))
        self.assertEqual([p for member in members for p in shares[member]], list(range(partitions)))
