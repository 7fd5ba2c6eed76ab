"""Named threads: where syncs and cold reads happen."""

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from flux.interfaces import InThread, Synced, SyncJob, Syncs

T = TypeVar("T")


class Threads(Service):
    """Hands out threads of its own, not the reactor's pool, which also resolves names; starts and stops them."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pools: list[ThreadPool] = []
        self._crews: list[Crew] = []

    def one(self, name: str) -> InThread:
        """A thread that runs calls in order, one at a time."""
        pool = ThreadPool(1, 1, name)
        self._pools.append(pool)
        if self.running:
            pool.start()

        def in_thread(function: Callable[..., T], /, *args: Any) -> Deferred[T]:
            done: Deferred[T] = deferToThreadPool(self._reactor, pool, function, *args)
            return done

        return in_thread

    def several(self, name: str, count: int) -> Syncs:
        """*count* threads that sync side by side."""
        crew = Crew(self._reactor, name, count)
        self._crews.append(crew)
        return crew

    def startService(self) -> None:
        """Start them."""
        super().startService()
        for pool in self._pools:
            pool.start()

    def stopService(self) -> None:
        """Wait for what they are doing, then end them."""
        super().stopService()
        for pool in self._pools:
            pool.stop()
        for crew in self._crews:
            crew.stop()


class Crew:
    """Threads that do the jobs of a round, whoever is free the next: see :class:`~flux.interfaces.Syncs`.

    They are made when they are needed. Neither pool nor Deferred: one queue to them, and one call back for a whole round (with 50
    producers that wait for each answer 36 → 41 k/s).
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, count: int) -> None:
        self._reactor = reactor
        self._name = name
        self._count = count
        self._jobs: SimpleQueue[tuple[_Round, int] | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def __call__(self, jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        """See :class:`~flux.interfaces.Syncs`. :raises RuntimeError: the system refuses us even one thread."""
        while len(self._threads) < min(self._count, len(jobs)):
            thread = Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                break  # those there are will do
            self._threads.append(thread)
        together = _Round(jobs, synced)
        for at in range(len(jobs)):
            self._jobs.put((together, at))

    def stop(self) -> None:
        """Return when all that was begun is done and no thread is left."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while (next_job := self._jobs.get()) is not None:
            together, at = next_job
            try:
                together.jobs[at].run()
            except BaseException as error:  # whatever it is: the job's owner hears of it, and the thread lives on
                together.errors[at] = error
            if together.was_the_last():
                self._reactor.callFromThread(together.synced, together.errors)


class _Round:
    """Jobs whose owner is told of all of them together."""

    __slots__ = ("_left", "_lock", "errors", "jobs", "synced")

    def __init__(self, jobs: Sequence[SyncJob], synced: Synced) -> None:
        self.jobs = jobs
        self.synced = synced
        self.errors: list[BaseException | None] = [None] * len(jobs)
        self._left = len(jobs)
        self._lock = Lock()

    def was_the_last(self) -> bool:
        """One more has ended; whether all have."""
        with self._lock:
            self._left -= 1
            return not self._left
