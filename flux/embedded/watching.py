"""Threads one can wait for."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from flux.interfaces import InThread, Synced, SyncJob, Syncs
from flux.threads import Threads

T = TypeVar("T")


class WatchedThreads(Threads):
    """Threads that say when all they were asked for is done."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        super().__init__(reactor)
        self._pending = 0
        self._waiting: list[Deferred[None]] = []

    def one(self, name: str) -> InThread:
        """See :meth:`Threads.one`."""
        in_thread = super().one(name)

        def watched(function: Callable[..., T], /, *args: Any) -> Deferred[T]:
            self._pending += 1
            return in_thread(function, *args).addBoth(self._done)

        return watched

    def several(self, name: str, count: int) -> Syncs:
        """See :meth:`Threads.several`."""
        syncs = super().several(name, count)

        def watched(jobs: Sequence[SyncJob], synced: Synced, /) -> None:
            def done(errors: Sequence[BaseException | None]) -> None:
                synced(errors)
                self._done(None)

            syncs(jobs, done)
            self._pending += 1

        return watched

    def when_idle(self) -> "Deferred[None]":
        """Fire when no call is outstanding."""
        idle: Deferred[None] = Deferred()
        self._waiting.append(idle)
        self._tell()
        return idle

    def _done(self, result: T) -> T:
        self._pending -= 1
        self._tell()
        return result

    def _tell(self) -> None:
        if not self._pending:
            waiting, self._waiting = self._waiting, []
            for idle in waiting:
                idle.callback(None)
