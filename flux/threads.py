"""Named threads: where syncs and cold reads happen."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from flux.errors import FluxError
from flux.interfaces import InThread, Synced, SyncJob, Syncs

T = TypeVar("T")


class NoThread(FluxError):
    """The system refuses a thread that the broker cannot do without; the message is a sentence for whoever started it."""


class Threads(Service):
    """Hands out threads of its own, not the reactor's pool, which also resolves names; starts and stops them."""

    def __init__(self, reactor: IReactorFromThreads, new_thread: type[Thread] = Thread) -> None:
        self._reactor = reactor
        self._new_thread = new_thread
        self._pools: list[ThreadPool] = []
        self._crews: list[Crew] = []

    def one(self, name: str) -> InThread:
        """A thread that runs calls in order, one at a time."""
        pool = ThreadPool(1, 1, name)
        pool.threadFactory = self._new_thread
        self._pools.append(pool)
        if self.running:
            pool.start()

        def in_thread(function: Callable[..., T], /, *args: Any) -> Deferred[T]:
            done: Deferred[T] = deferToThreadPool(self._reactor, pool, function, *args)
            return done

        return in_thread

    def several(self, name: str, count: int) -> Syncs:
        """*count* threads that sync side by side."""
        crew = Crew(self._reactor, name, count, self._new_thread)
        self._crews.append(crew)
        if self.running:
            crew.start()
        return crew

    def startService(self) -> None:
        """Start at least one of each kind. :raises NoThread: the system refuses it, and none runs."""
        super().startService()
        needed: list[ThreadPool | Crew] = [*self._pools, *self._crews]
        for at, each in enumerate(needed):
            try:
                each.start()
            except RuntimeError as error:
                for started in needed[:at]:
                    started.stop()
                super().stopService()
                raise NoThread(
                    f"{each.name}: the system refuses a thread ({error}); allow this user or container more of them "
                    f"(ulimit -u, pids.max), or more memory"
                ) from error

    def stopService(self) -> None:
        """Wait for what they are doing, then end them."""
        super().stopService()
        for pool in self._pools:
            pool.stop()
        for crew in self._crews:
            crew.stop()


class Crew:
    """Threads that do the jobs of a round, whoever is free the next: see :class:`~flux.interfaces.Syncs`.

    One is there from the start, the others are made when they are needed: if the system refuses them, a round takes longer. Were there
    none, a round could not begin, and a log whose disk is well would take no writes until a restart. Neither pool nor Deferred: one
    queue to them, and one call back for a whole round (with 50 producers that wait for each answer 36 → 41 k/s).
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, count: int, new_thread: type[Thread]) -> None:
        self.name = name
        self._reactor = reactor
        self._new_thread = new_thread
        self._count = count
        self._jobs: SimpleQueue[tuple[_Round, int] | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def __call__(self, jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        """See :class:`~flux.interfaces.Syncs`."""
        assert self._threads, "a crew is started first"
        with suppress(RuntimeError):  # those there are will do
            while len(self._threads) < min(self._count, len(jobs)):
                self._add()
        together = _Round(jobs, synced)
        for at in range(len(jobs)):
            self._jobs.put((together, at))

    def start(self) -> None:
        """With one thread. :raises RuntimeError: the system refuses it."""
        self._add()

    def stop(self) -> None:
        """Return when all that was begun is done and no thread is left."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _add(self) -> None:
        thread = self._new_thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)

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
