"""A reactor for one broker, whose time a test can move."""

import time
from typing import Any
from weakref import WeakSet

from twisted.internet.error import ConnectionLost
from twisted.internet.pollreactor import PollReactor
from twisted.python.failure import Failure


class ShiftedReactor(PollReactor):
    """Runs at real time plus what it is ahead. Never installed, so it leaves the process's own reactor to whoever runs that.

    *Action*: :meth:`advance`. *Transitions*: made → running by ``run``, on any thread → stopped by ``stop``, or dead by ``crash``, after
    which nothing it was asked for happens any more → :meth:`let_go`.
    """

    _registerAsIOThread = False  # "the" reactor thread, for those who ask Twisted, is that of the process's own reactor

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._ends: WeakSet[Any] = WeakSet()  # whatever was ever read; one that is paused is not among the readers
        super().__init__()

    def seconds(self) -> float:
        """The clock of everything that waits."""
        return time.monotonic() + self.ahead_s

    def now(self) -> float:
        """The wall clock: it moves along."""
        return time.time() + self.ahead_s

    def advance(self, seconds: float) -> None:
        """Move both clocks; what is due then is called in the next turn. To be called on the reactor's thread."""
        self.ahead_s += seconds

    def addReader(self, reader: Any) -> None:
        """See IReactorFDSet."""
        self._ends.add(reader)
        super().addReader(reader)

    def cut_connections(self) -> None:
        """Close every socket as the kernel does for a process that was killed: nobody inside is told."""
        for end in list(self._ends):
            if hasattr(end, "socket"):
                end.socket.close()

    def let_go(self) -> None:
        """Close what the reactor itself has open, the pipe that wakes it up: once it has stopped, and nobody calls from a thread."""
        for reader in self.getReaders():
            self.removeReader(reader)
            if not hasattr(reader, "socket"):
                reader.connectionLost(Failure(ConnectionLost()))
