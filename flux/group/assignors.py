"""The built-in assignors. Plugins like anybody else's: ``flux.plugins`` names the two objects, ``twisted.plugin`` finds them."""

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from flux.interfaces import IAssignor


@implementer(IAssignor)
class RoundRobin:
    """Partition p goes to member p mod n."""

    name = "round_robin"

    def assign(self, members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        """Every n-th partition, beginning with the member's own place."""
        count = len(members)
        return {member: range(place, partitions, count) for place, member in enumerate(members)}


@implementer(IAssignor)
class Range:
    """Neighbouring partitions stay together: the first (partitions mod n) members have one more."""

    name = "range"

    def assign(self, members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        """A contiguous run each."""
        share, more = divmod(partitions, len(members)) if members else (0, 0)
        runs, start = {}, 0
        for place, member in enumerate(members):
            end = start + share + (place < more)
            runs[member] = range(start, end)
            start = end
        return runs


round_robin = RoundRobin()
range_ = Range()
