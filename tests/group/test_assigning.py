from collections.abc import Callable, Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.errors import BadRequest
from flux.group.assigning import Assigning
from flux.group.assignors import range_, round_robin
from flux.interfaces import IAssignor


@implementer(IAssignor)
class Strange:
    """Somebody else's assignor."""

    name = "strange"

    def __init__(self, result: Callable[[Sequence[str], int], Mapping[str, Sequence[int]]]) -> None:
        self._result = result

    def assign(self, members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        return self._result(members, partitions)


def broken(members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
    raise ZeroDivisionError


class AssigningTests(SynchronousTestCase):
    def test_an_unknown_assignor_is_refused_naming_those_there_are(self) -> None:
        """The way out is in the message."""
        assigning = Assigning({"round_robin": round_robin, "range": range_})
        assigning.check("range")
        assigning.check(None)
        with self.assertRaises(BadRequest) as caught:
            assigning.check("sticky")
        self.assertIn("'sticky' is not known; there are range, round_robin", str(caught.exception))

    def test_a_third_party_assignor_decides(self) -> None:
        """What it returns is what members own, in ascending order."""
        strange = Strange(lambda members, partitions: {members[0]: [2, 0, 1], members[1]: []})
        self.assertEqual(Assigning({"strange": strange})("strange", ["a", "b"], 3), {"a": [0, 1, 2], "b": []})

    def test_a_wrong_one_is_reported_and_round_robin_is_taken(self) -> None:
        """Two owners, no owner, a partition that is not there, a member left out, an exception, or gone since."""
        fair = {"a": [0, 2], "b": [1]}
        for wrong in (
            lambda members, partitions: {"a": [0, 1, 2], "b": [2]},
            lambda members, partitions: {"a": [0, 1], "b": []},
            lambda members, partitions: {"a": [0, 1, 2], "b": [3]},
            lambda members, partitions: {"a": [0, 1, 2]},
            broken,
        ):
            found = Assigning({"strange": Strange(wrong)})("strange", ["a", "b"], 3)
            self.assertEqual({member: list(share) for member, share in found.items()}, fair)
        found = Assigning({})("strange", ["a", "b"], 3)
        self.assertEqual({member: list(share) for member, share in found.items()}, fair)
        self.assertEqual(len(self.flushLoggedErrors(KeyError, ZeroDivisionError)), 3)
