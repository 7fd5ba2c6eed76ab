"""What the group room promises, and what assignors promise it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface


class IAssignor(IPlugin):
    """How a topic's partitions are shared among members. Found by ``twisted.plugin`` in ``flux.plugins``."""

    name: str = Attribute("What JOIN's assignor= says.")

    def assign(members: Sequence[str], partitions: int) -> Mapping[str, Sequence[int]]:
        """Member → its partitions, ascending. Pure: *members* come sorted, every member is a key, every partition has one owner."""


class Assignment(NamedTuple):
    """What a member owns in a generation."""

    generation: int
    partitions: tuple[int, ...]


class ResetTo(NamedTuple):
    """Where GROUP_RESET sends a group. ``value`` is an offset, or Unix milliseconds; it means nothing for the two ends."""

    where: Literal["earliest", "latest", "offset", "time"]
    value: int = 0


class OffsetMove(NamedTuple):
    """One partition's committed offset before a reset (None: there was none) and after it."""

    partition: int
    before: int | None
    after: int


class Reset(NamedTuple):
    """What a reset did, or would do: the generation in force after it, and each partition's offset."""

    generation: int
    moves: tuple[OffsetMove, ...]


class IGroupCoordinator(Interface):
    """Who reads what. An answer, a refusal too, fires when all it rests on is durable. A stale generation is refused by name.

    Generations and members are counted for each group *and topic*: what happens on one topic changes nothing on another.
    Everything may fail with StorageError, and with ShuttingDown before the start and after the stop.
    """

    def join(
        group: str, topic: str, member: str, assignor: str | None, session_ms: int | None
    ) -> "Deferred[Assignment]":
        """Become, or stay, a member. :raises BadRequest: a name, the session or the assignor. :raises Throttled: a limit."""

    def sync(group: str, topic: str, member: str, generation: int) -> "Deferred[Assignment]":
        """What *member* owns. :raises GenerationMismatch: says which of group, topic, member, generation is wrong."""

    def heartbeat(group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """A sign of life. :raises GenerationMismatch: as :meth:`sync`."""

    def leave(group: str, topic: str, member: str, generation: int) -> "Deferred[None]":
        """Go; the rest share. :raises GenerationMismatch: as :meth:`sync`."""

    def commit(group: str, topic: str, member: str, generation: int, partition: int, offset: int) -> "Deferred[None]":
        """The next offset to read. :raises GenerationMismatch: as :meth:`sync`, or the member does not own *partition*."""

    def committed(group: str, topic: str, partition: int) -> "Deferred[int | None]":
        """The offset committed last, None if none ever was."""

    def groups() -> "Deferred[Sequence[Mapping[str, Any]]]":
        """GROUP_LIST: group, state, members, topics of each, by name; values as JSON has them."""

    def describe(group: str) -> "Deferred[Mapping[str, Any]]":
        """GROUP_DESCRIBE: members, assignments and lag, as JSON has them. :raises BadRequest: there is no such group."""

    def explain(group: str) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """EXPLAIN_GROUP: the last changes of generation, oldest first, as JSON has them. :raises BadRequest: there is no such group."""

    def reset(group: str, topic: str, to: ResetTo, dry_run: bool) -> "Deferred[Reset]":
        """Move every committed offset of *group* on *topic*; a live group is fenced. :raises BadRequest: the group is not there."""
