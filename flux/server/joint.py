"""One run of requests from one or many connections, from its handler's result to every connection's answer."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.interfaces import Pending
from flux.server.answer import Answer

Failed = Callable[[Answer, BaseException], bytes]
"""Error lines for all of an answer's requests."""


class Joint:
    """*members* are the answers to a run's requests, in the order of the run; each gets its own lines as soon as these are known.

    *Action*: :meth:`settle` with what the handler returned, or :meth:`fail`. *Transitions*: :meth:`cancel`, once for each member that
    is given up; when nobody is left who waits, what the run waits for is cancelled. A member whose answer does not leave costs no other
    its own.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(self, members: list[Answer], failed: Failed) -> None:
        self._members = members
        self._failed = failed
        self._over = 0  # so many members, from the first on, are known to wait no more
        self._waits: Sequence[Deferred[Any]] = ()

    def settle(self, result: Any) -> None:
        """*result* is Replies, a Deferred of them, or :class:`~flux.interfaces.Pending`."""
        if isinstance(result, Pending):
            self._wait(result)
        elif isinstance(result, Deferred):
            self._begin_to_wait([result])
            result.addCallback(self._tell, self._members).addErrback(self._fail_late)
        else:
            self._tell(result, self._members)

    def fail(self, error: BaseException) -> None:
        """Everybody who still waits is told *error*."""
        self._fail(self._members, error)

    def cancel(self) -> None:
        """One member less waits."""
        members = self._members
        while self._over < len(members) and members[self._over].is_over:
            self._over += 1
        if self._over == len(members):
            for wait in self._waits:
                wait.cancel()

    def _begin_to_wait(self, waits: Sequence[Deferred[Any]]) -> None:
        self._waits = waits
        for member in self._members:
            member.waiting_for = self

    def _wait(self, pending: Pending) -> None:
        """Tell each member when everything that its own requests wait for has come: who waits for more keeps nobody else."""
        self._begin_to_wait([wait for wait, _ in pending.waits])
        groups: dict[int, list[int]] = {}  # members that wait for the same, told together
        for at, waits in enumerate(self._waits_of_members(pending)):
            groups.setdefault(waits, []).append(at)
        starts, end = [], 0
        for member in self._members:
            starts.append(end)
            end += len(member.correlation_ids)
        for waits, group in groups.items():
            members = [self._members[at] for at in group]
            positions: Sequence[int] = range(end)
            if len(groups) > 1:
                positions = [
                    position
                    for at in group
                    for position in range(starts[at], starts[at] + len(self._members[at].correlation_ids))
                ]
            _Group(self, members, positions, pending, waits)

    def _waits_of_members(self, pending: Pending) -> list[int]:
        """For each member a number whose bits say which of the waits it has a part in."""
        if len(self._members) == 1:
            return [(1 << len(pending.waits)) - 1]
        owners: list[int] = []
        for at, member in enumerate(self._members):
            owners += [at] * len(member.correlation_ids)
        waits = [0] * len(self._members)
        for number, (_, positions) in enumerate(pending.waits):
            for owner in {owners[position] for position in positions}:
                waits[owner] |= 1 << number
        return waits

    def _tell(self, replies: Any, members: list[Answer]) -> None:
        """*replies* are those of *members*, in order."""
        if len(members) == 1:
            self._arrive(members[0], replies.lines(members[0].correlation_ids))
            return
        correlation_ids = [each for member in members for each in member.correlation_ids]
        lines = replies.lines(correlation_ids).split(b"\n")
        at = 0
        for member in members:
            count = len(member.correlation_ids)
            own = lines[at] if count == 1 else b"\n".join(lines[at : at + count])
            self._arrive(member, own + b"\n")
            at += count

    def _arrive(self, member: Answer, lines: bytes) -> None:
        try:
            member.arrive(lines)
        except Exception:  # its connection's fault; the others' answers are on their way still
            self._log.failure("an answer to {command} did not leave", command=member.command)

    def _fail(self, members: list[Answer], error: BaseException) -> None:
        for member in members:
            if not member.is_over:
                self._arrive(member, self._failed(member, error))

    def _fail_late(self, failure: Failure) -> None:
        assert failure.value is not None, "a Failure holds an exception"
        self.fail(failure.value)


class _Group:
    """Members of a joint run that wait for the same Deferreds."""

    __slots__ = ("_joint", "_left", "_members", "_pending", "_positions")

    def __init__(
        self, joint: Joint, members: list[Answer], positions: Sequence[int], pending: Pending, waits: int
    ) -> None:
        self._joint = joint
        self._members = members
        self._positions = positions
        self._pending = pending
        self._left = waits.bit_count()
        if not self._left:
            self._come()
        while waits:  # only as many steps as it has waits, of which a run may hold a thousand
            number = waits.bit_length() - 1
            waits ^= 1 << number
            pending.waits[number][0].addBoth(self._one_came)

    def _one_came(self, _result: object) -> None:
        self._left -= 1
        if not self._left:
            self._come()

    def _come(self) -> None:
        try:
            self._joint._tell(self._pending.replies(self._positions), self._members)
        except Exception as error:  # the handler's fault; nobody is to wait for ever because of it
            self._joint._fail(self._members, error)
