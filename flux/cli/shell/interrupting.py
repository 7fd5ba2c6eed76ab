"""Ctrl-C and SIGTERM, but not in the middle of something: whoever says how far it got must not be cut off between doing and counting."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(KeyboardInterrupt):
    """Somebody wants an end, by signal *number*."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class Interruptions:
    """As a context, in the main thread, it makes both signals raise :class:`Stop`, wherever that thread is.

    *Action*: :meth:`held`. *Transition*: a signal while held is raised when it is over; a second one at once: somebody insists.
    """

    def __init__(self) -> None:
        self._is_held = False
        self._pending: int | None = None
        self._before: list[Any] = []

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
            self._before = [signal.signal(number, self._stop) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=False):
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if not self._is_held or self._pending is not None:
            raise Stop(number)
        self._pending = number
