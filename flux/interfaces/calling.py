"""How a room has something done elsewhere, and what time it is."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class InThread(Protocol):
    """Calls a function off the reactor thread. In tests: at once, or when the test says."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """Fire with what *function* returns, or fail with what it raises."""


class AtOnce(Protocol):
    """Calls functions that wait for a device, side by side. Blocks: for a thread that may. In tests: one after another."""

    def __call__(self, functions: Sequence[Callable[[], T]], /) -> list[T]:
        """What each returns, in order, when the last has returned."""


Now = Callable[[], float]
"""The wall clock: seconds since the Unix epoch. For stamps only; waiting is ``clock``'s."""
