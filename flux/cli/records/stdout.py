"""Where records go, and whether anybody still reads there."""

import select
import sys
import threading
from collections.abc import Callable


class Stdout:
    """Standard output, for bytes."""

    def __init__(self) -> None:
        self._stream = sys.stdout.buffer

    def write(self, data: bytes) -> None:
        """Out with it, now: whoever reads has it when this returns. :raises BrokenPipeError: nobody does."""
        self._stream.write(data)
        self._stream.flush()

    def when_gone(self, tell: Callable[[], object]) -> None:
        """Call *tell*, in a thread, when nobody reads any more: who has nothing to write would find out with the next record only."""
        try:
            fileno = self._stream.fileno()
        except OSError:  # not a file, in a test
            return
        threading.Thread(target=_watch, args=(fileno, tell), name="flux-stdout", daemon=True).start()


def _watch(fileno: int, tell: Callable[[], object]) -> None:
    poll = select.poll()
    poll.register(fileno, 0)  # errors are told without being asked for
    if poll.poll():
        tell()
