"""Group commit: one round of syncs at a time, and everybody who asks meanwhile shares the next."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flux.interfaces import SyncJob, Syncs, end_of_turn


class LogJob(SyncJob, Protocol):
    """What one log wants made durable in one round."""

    def done(self, error: BaseException | None) -> None:
        """Back on the reactor's thread: resume whoever waited."""


class Dirty(Protocol):
    """A log with unsynced bytes."""

    def begin_sync(self) -> LogJob | None:
        """All that is unsynced now; None if nothing is."""


class Flusher:
    """Runs rounds for the whole data directory, and has the files of a round synced side by side.

    *Action*: :meth:`want`. A round begins at the end of the reactor turn that asked, so that all the turn's appends share it; its
    waiters are resumed, and get one turn to write again, before the next begins (measured: 7.7 k → 50 k durable appends/s).
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, syncs: Syncs) -> None:
        self._at_end_of_turn = end_of_turn(clock)
        self._syncs = syncs
        self._wanted: dict[Dirty, None] = {}
        self._due = False
        self._running = False
        self._idle: list[Deferred[None]] = []
        self._round_over: list[Deferred[None]] = []

    def want(self, dirty: Dirty) -> None:
        """Sync *dirty* in the next round."""
        self._wanted[dirty] = None
        if not self._due and not self._running:
            self._due = True
            self._at_end_of_turn(self._round)

    def when_idle(self) -> Deferred[None]:
        """Fire when no round is running and none is due."""
        return self._when(self._running or self._due, self._idle)

    def when_round_is_over(self) -> Deferred[None]:
        """Fire when the round that is running, if one is, has ended and its waiters know."""
        return self._when(self._running, self._round_over)

    def _when(self, later: bool, waiting: list[Deferred[None]]) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        waiting.append(waiter)
        if not later:
            _fire(waiting)
        return waiter

    def _round(self) -> None:
        self._due = False
        wanted, self._wanted = self._wanted, {}
        jobs = [job for job in [dirty.begin_sync() for dirty in wanted] if job is not None]
        if not jobs:
            self._settle()
            return
        self._running = True
        try:
            self._syncs(jobs, partial(self._finish, jobs))
        except Exception as error:  # nothing was synced, and nobody is to wait for ever
            self._log.failure("a flush round could not begin")
            self._finish(jobs, [error] * len(jobs))

    def _finish(self, jobs: Sequence[LogJob], errors: Sequence[BaseException | None]) -> None:
        self._running = False
        for job, error in zip(jobs, errors, strict=True):
            try:
                job.done(error)
            except Exception:  # a waiter's fault; the other logs' waiters are told all the same
                self._log.failure("a flush round did not end as it should")
        _fire(self._round_over)
        self._settle()

    def _settle(self) -> None:
        if self._wanted and not self._due:
            self._due = True
            self._at_end_of_turn(self._round)
        elif not self._due:
            _fire(self._idle)


def _fire(waiting: list[Deferred[None]]) -> None:
    waiters = waiting[:]
    waiting.clear()
    for waiter in waiters:
        waiter.callback(None)
