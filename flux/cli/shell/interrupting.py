"""Ctrl-C and SIGTERM, but not in the middle of something: whoever says how far it got must not be cut off between doing and counting."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NUDGE_S = 0.25  # by so much a signal may come late


class Stop(KeyboardInterrupt):
    """Somebody wants an end, by signal *number*."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class Interruptions:
    """As a context, in the main thread, it makes both signals raise :class:`Stop`, wherever that thread is.

    *Action*: :meth:`held`. *Transition*: a signal while held is raised when it is over; a second one at once: somebody insists.

    Python notes a signal, and runs its handler before the next bytecode. One that is noted when a call is just about to wait (to read
    from a terminal, for a lock) would stay a note until that call ends by itself, which may be never. So a timer interrupts the waits
    of the main thread now and then: they go on, and what was noted is seen.
    """

    def __init__(self) -> None:
        self._is_held = False
        self._pending: int | None = None
        self._before: list[tuple[int, Any]] = []
        self._timer_before = (0.0, 0.0)  # seconds left, and between two

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what is done in here be done whole."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._pending is not None:
            raise Stop(self._pending)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others cannot, and no signal reaches them
            self._before = [(number, signal.signal(number, self._stop)) for number in _SIGNALS]
            self._before.append((signal.SIGALRM, signal.signal(signal.SIGALRM, _do_nothing)))
            self._timer_before = signal.setitimer(signal.ITIMER_REAL, _NUDGE_S, _NUDGE_S)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._before:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)  # before its handler goes: without one it would end the process
        for number, handler in self._before:
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, *self._timer_before)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if not self._is_held or self._pending is not None:
            raise Stop(number)
        self._pending = number


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Only a signal with a handler interrupts a wait."""
