"""Named threads, one call at a time each: where syncs and cold reads happen."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from flux.interfaces import InThread

T = TypeVar("T")


class Threads(Service):
    """Hands out threads of its own, not the reactor's pool, which also resolves names; starts and stops them."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pools: list[ThreadPool] = []

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
