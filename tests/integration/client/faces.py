"""The three faces as one: every method called from the test's thread, its result awaited or its error raised."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.python.failure import Failure

from flux.client import AsyncFluxClient, BlockingClient, ClientSettings, FluxClient

PATIENCE_S = 60  # for what takes well under a second; a loaded machine may stretch it


class Face(ABC):
    """One client. ``start`` returns at once, so that calls overlap; any other name is a method of the client."""

    @abstractmethod
    def start(self, name: str, *args: Any, **options: Any) -> "Future[Any]":
        """Call the method *name*, and do not wait."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **options: self.start(name, *args, **options).result(PATIENCE_S)


class World(ABC):
    """Where clients of one face live: a loop, a reactor, or threads."""

    def __init__(self) -> None:
        self._faces: list[Face] = []

    def face(self, brokers: str, **settings: Any) -> Face:
        """A new client, closed with its world at the latest."""
        face = self._made(brokers, ClientSettings(**settings))
        self._faces.append(face)
        return face

    def close_clients(self) -> None:
        """All that were made so far."""
        while self._faces:
            self._faces.pop().close()

    @abstractmethod
    def _made(self, brokers: str, settings: ClientSettings) -> Face: ...

    @abstractmethod
    def close(self) -> None:
        """Leave no thread behind."""


class BlockingWorld(World):
    """Threads."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(32)

    def _made(self, brokers: str, settings: ClientSettings) -> Face:
        return _BlockingFace(BlockingClient(brokers, settings), self._pool)

    def close(self) -> None:
        self._pool.shutdown()


class _BlockingFace(Face):
    def __init__(self, client: BlockingClient, pool: ThreadPoolExecutor) -> None:
        self._client = client
        self._pool = pool

    def start(self, name: str, *args: Any, **options: Any) -> "Future[Any]":
        return self._pool.submit(getattr(self._client, name), *args, **options)


class AsyncioWorld(World):
    """An event loop in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _made(self, brokers: str, settings: ClientSettings) -> Face:
        return _AsyncioFace(AsyncFluxClient(brokers, settings), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with suppress(RuntimeError):
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class _AsyncioFace(Face):
    def __init__(self, client: AsyncFluxClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def start(self, name: str, *args: Any, **options: Any) -> "Future[Any]":
        coroutine: Coroutine[Any, Any, Any] = getattr(self._client, name)(*args, **options)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


class TwistedWorld(World):
    """A reactor in a thread; not the global one, which shows that a client uses the one it is given."""

    def __init__(self) -> None:
        super().__init__()
        self._reactor: Any = EPollReactor()
        self._thread = threading.Thread(target=self._reactor.run, kwargs={"installSignalHandlers": False})
        self._thread.start()

    def _made(self, brokers: str, settings: ClientSettings) -> Face:
        return _TwistedFace(FluxClient(self._reactor, brokers, settings), self._reactor)

    def close(self) -> None:
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join()


class _TwistedFace(Face):
    def __init__(self, client: FluxClient, reactor: Any) -> None:
        self._client = client
        self._reactor = reactor

    def start(self, name: str, *args: Any, **options: Any) -> "Future[Any]":
        future: Future[Any] = Future()

        def call() -> None:
            called: Deferred[Any] = getattr(self._client, name)(*args, **options)
            called.addCallbacks(future.set_result, failed)

        def failed(failure: Failure) -> None:
            future.set_exception(failure.value)

        self._reactor.callFromThread(call)
        return future


WORLDS: dict[str, type[World]] = {"blocking": BlockingWorld, "asyncio": AsyncioWorld, "twisted": TwistedWorld}
