"""How a room has something done elsewhere, and what time it is."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


class InThread(Protocol):
    """Calls a function off the reactor thread. In tests: at once, or when the test says."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """Fire with what *function* returns, or fail with what it raises."""


class SyncJob(Protocol):
    """Something to be made durable."""

    @property
    def descriptor(self) -> int | None:
        """The file, if :meth:`run` is an ``fdatasync`` of it and nothing else; whoever can do that in another way may.

        It stays open until the job has ended.
        """

    def run(self) -> None:
        """Blocks: for a thread that may. :raises OSError: it is not durable, and asking again would prove nothing."""


Synced = Callable[[Sequence[BaseException | None]], None]
"""Told, on the reactor's thread, what became of each of some jobs, in order: an error, or None if it is durable."""


class Syncs(Protocol):
    """Does jobs side by side, off the reactor's thread. In tests: one after another, in a thread of the test's."""

    def __call__(self, jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        """Begin *jobs*, at least one; call *synced*, once, when the last has ended. If this raises none was begun."""


Now = Callable[[], float]
"""The wall clock: seconds since the Unix epoch. For stamps only; waiting is ``clock``'s."""


class ITurns(IReactorTime):
    """A clock that knows when a turn of its reactor ends: what was readable has been read, and it is about to wait for more."""

    def at_end_of_turn(function: Callable[[], object]) -> None:
        """Call *function* then, in the order of asking. On the reactor's thread only.

        What such a function asks for is called in the same turn, and what that asks for in the next: nobody keeps the others waiting.
        """


def end_of_turn(clock: IReactorTime) -> Callable[[Callable[[], object]], object]:
    """What calls a function when the turn is over; a clock that does not know of turns calls it as soon as it can.

    A timer of Twisted's costs 3 µs, and one that a timer asks for another turn of the reactor.
    """
    at_end_of_turn: Callable[[Callable[[], object]], object] | None = getattr(clock, "at_end_of_turn", None)
    return at_end_of_turn or partial(clock.callLater, 0)
