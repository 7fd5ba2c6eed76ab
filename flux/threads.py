"""Named threads: where syncs and cold reads happen."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from flux.interfaces import AtOnce, InThread

T = TypeVar("T")


class Threads(Service):
    """Hands out threads of its own, not the reactor's pool, which also resolves names; starts and stops them."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pools: list[ThreadPool] = []
        self._helpers: list[ThreadPoolExecutor] = []

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

    def several(self, name: str, count: int) -> AtOnce:
        """*count* threads that help whichever of the others has more to wait for than one thing."""
        helpers = ThreadPoolExecutor(count, name)  # makes its threads when they are needed
        self._helpers.append(helpers)

        def at_once(functions: Sequence[Callable[[], T]], /) -> list[T]:
            # The caller does the first itself: with one file dirty, which is usual, no thread is bothered.
            others: list[Future[T]] = []
            try:
                for function in functions[1:]:
                    others.append(helpers.submit(function))
                return [*[function() for function in functions[:1]], *[other.result() for other in others]]
            finally:
                if others:
                    wait(others)  # also if something is raised: what the caller does next, it does alone

        return at_once

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
        for helpers in self._helpers:
            helpers.shutdown()
