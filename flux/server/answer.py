"""The answer to one request, or to a run of them: at hand, or to come."""

from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    """What makes an answer."""

    def cancel(self) -> None:
        """The answer is not wanted any more."""


class Answer:
    """Whole answer lines, once they are known.

    *Transitions*: waiting → ready by :meth:`arrive` or :meth:`expire`; waiting → abandoned by :meth:`abandon`. Only the first counts,
    so a handler that was given up cannot answer twice.
    """

    __slots__ = (
        "command",
        "correlation_ids",
        "deadline_s",
        "is_over",
        "lines",
        "on_arrival",
        "overlaps",
        "overtakable",
        "waiting_for",
    )

    def __init__(self, command: str, correlation_ids: list[bytes], overlaps: bool, lines: bytes | None = None) -> None:
        self.command = command
        self.correlation_ids = correlation_ids
        self.overlaps = overlaps  # the next run of this command need not wait for it
        self.overtakable = False  # nothing behind it has to wait for it
        self.deadline_s = 0.0  # on the injected clock; of interest while it waits
        self.lines = lines
        self.is_over = lines is not None  # ready or abandoned
        self.on_arrival: Callable[[Answer], None] | None = None
        self.waiting_for: Cancellable | None = None

    def arrive(self, lines: bytes) -> None:
        """These are the lines."""
        if not self.is_over:
            self.is_over = True
            self.waiting_for = None
            self._is_here(lines)

    def expire(self, lines: bytes) -> None:
        """These are the lines, because it took too long: cancel what would have made others."""
        if not self.is_over:
            self.abandon()
            self._is_here(lines)

    def abandon(self) -> None:
        """Nobody is there to read it: cancel what would have made it."""
        self.is_over = True
        waiting_for, self.waiting_for = self.waiting_for, None
        if waiting_for is not None:
            waiting_for.cancel()

    def _is_here(self, lines: bytes) -> None:
        self.lines = lines
        if self.on_arrival is not None:
            self.on_arrival(self)
