"""Group commit: one round of syncs at a time, and everybody who asks meanwhile shares the next."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.interfaces import AtOnce, InThread


class SyncJob(Protocol):
    """What one log wants made durable in one round."""

    def run(self) -> None:
        """In the flusher's thread. :raises OSError: it is not durable, and asking again would prove nothing."""

    def done(self, error: BaseException | None) -> None:
        """Back on the reactor's thread: resume whoever waited."""


class Dirty(Protocol):
    """A log with unsynced bytes."""

    def begin_sync(self) -> SyncJob | None:
        """All that is unsynced now; None if nothing is."""


class Flusher:
    """Runs rounds in one thread for the whole data directory; it has the files of a round synced side by side.

    *Action*: :meth:`want`. A round begins at the end of the reactor turn that asked, so that all the turn's appends share it; its
    waiters are resumed, and get one turn to write again, before the next begins (measured: 7.7 k → 50 k durable appends/s).
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, in_thread: InThread, at_once: AtOnce) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._at_once = at_once
        self._wanted: dict[Dirty, None] = {}
        self._due = False
        self._running = False
        self._idle: list[Deferred[None]] = []

    def want(self, dirty: Dirty) -> None:
        """Sync *dirty* in the next round."""
        self._wanted[dirty] = None
        if not self._due and not self._running:
            self._due = True
            self._clock.callLater(0, self._round)

    def when_idle(self) -> Deferred[None]:
        """Fire when no round is running and none is due."""
        idle: Deferred[None] = Deferred()
        if self._running or self._due:
            self._idle.append(idle)
        else:
            idle.callback(None)
        return idle

    def _round(self) -> None:
        self._due = False
        wanted, self._wanted = self._wanted, {}
        jobs = [job for job in (dirty.begin_sync() for dirty in wanted) if job is not None]
        if not jobs:
            self._settle()
            return
        self._running = True
        self._in_thread(self._at_once, [partial(_outcome, job.run) for job in jobs]).addErrback(
            self._broken, jobs
        ).addCallback(self._finish, jobs).addErrback(
            lambda failure: self._log.failure("a flush round did not end as it should", failure)
        )

    def _broken(self, failure: Failure, jobs: Sequence[SyncJob]) -> list[BaseException | None]:
        """There was no thread to be had, say. What was synced is not known, so nothing was: nobody is to wait for ever."""
        self._log.failure("a flush round broke", failure)
        return [failure.value] * len(jobs)

    def _finish(self, errors: Sequence[BaseException | None], jobs: Sequence[SyncJob]) -> None:
        self._running = False
        for job, error in zip(jobs, errors, strict=True):
            job.done(error)
        self._settle()

    def _settle(self) -> None:
        if self._wanted and not self._due:
            self._due = True
            self._clock.callLater(0, self._round)
        elif not self._due:
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)


def _outcome(run: Callable[[], None]) -> BaseException | None:
    try:
        run()
    except Exception as error:  # any failure to sync is final for that log, whatever its kind
        return error
    return None
