"""How a room has something done elsewhere, and what time it is."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

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
