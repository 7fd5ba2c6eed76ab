"""Assignors as the coordinator may trust them: somebody else's code decides who owns what, and its mistakes must not."""

from collections.abc import Mapping, Sequence

from twisted.logger import Logger

from flux.errors import BadRequest
from flux.group.assignors import round_robin
from flux.interfaces import IAssignor


class Assigning:
    """Calls an assignor by name and checks that every partition has one owner.

    One that raises, or shares wrongly, or is gone since the group chose it, is reported and round robin is taken in its place: a member's
    end must always be followed by an assignment.
    """

    _log = Logger()

    def __init__(self, assignors: Mapping[str, IAssignor]) -> None:
        self._assignors = assignors

    def check(self, name: str | None) -> None:
        """:raises BadRequest: there is no assignor of that name; None means the group's own."""
        if name is not None and name not in self._assignors:
            raise BadRequest(f"assignor: {name!r} is not known; there are {', '.join(sorted(self._assignors))}")

    def __call__(self, name: str, members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        """Member → its partitions, ascending; see :data:`flux.group.group.Assign`."""
        try:
            assigned = self._assignors[name].assign(tuple(members), partitions)
            owned = {member: sorted(assigned[member]) for member in members}
            if sorted(p for each in owned.values() for p in each) == list(range(partitions)):
                return owned
            self._log.error(
                "assignor {name} did not give each of {partitions} partitions one owner",
                name=name,
                partitions=partitions,
            )
        except Exception:  # a plugin may raise anything
            self._log.failure("assignor {name} failed; round robin is used instead", name=name)
        return round_robin.assign(members, partitions)
