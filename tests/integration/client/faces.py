"""The three faces as one: whatever lives in a face's world is called from the test's thread, and what it returns is waited for."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from flux.client import AsyncFluxClient, BlockingClient, ClientSettings, FluxClient

PATIENCE_S = 60  # for what takes well under a second; a loaded machine may stretch it


class Face:
    """A client, or a producer or consumer of one. ``start`` returns at once; any other name is a method, called and waited for."""

    def __init__(self, target: Any, world: "World") -> None:
        self.target = target
        self.world = world

    def start(self, name: str, *args: Any, **options: Any) -> "Future[Any]":
        """Call the method *name*, and do not wait for what it returns."""
        return self.world.start(lambda: getattr(self.target, name)(*args, **options))

    def made(self, name: str, *args: Any, **options: Any) -> "Face":
        """The producer or consumer that the method *name* makes."""
        return self.world.entered(Face(self.start(name, *args, **options).result(PATIENCE_S), self.world))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **options: self.start(name, *args, **options).result(PATIENCE_S)


class World(ABC):
    """Where clients of one face live: threads, a loop, or a reactor."""

    waits_in_send = False  # a producer's, when there is no room

    def __init__(self) -> None:
        self._open: list[Face] = []

    def face(self, brokers: str, **settings: Any) -> Face:
        """A new client."""
        return self.entered(Face(self._made(brokers, ClientSettings(**settings)), self))

    def entered(self, face: Face) -> Face:
        """It will be closed after the test, before those that were there before it."""
        self._open.append(face)
        return face

    def leave(self) -> None:
        """Close everything."""
        while self._open:
            self._open.pop().close()

    def send(self, face: Face, *args: Any, **options: Any) -> "Future[Any]":
        """Have a producer send a record; its acknowledgement."""
        return face.start("send", *args, **options)

    def enter(self, face: Face) -> None:
        """Begin a ``with`` of it."""
        face.start("__aenter__").result(PATIENCE_S)

    @abstractmethod
    def start(self, call: Callable[[], Any]) -> "Future[Any]":
        """Make *call* there; what it returns, or what comes of that."""

    @abstractmethod
    def pause(self, seconds: float) -> Any:
        """What a handler returns that takes so long, without keeping anybody else from work."""

    @abstractmethod
    def _made(self, brokers: str, settings: ClientSettings) -> Any: ...

    @abstractmethod
    def end(self) -> None:
        """Leave no thread behind."""


class BlockingWorld(World):
    """Threads. Sends are made by the test's own, in its order."""

    waits_in_send = True

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(32)

    def start(self, call: Callable[[], Any]) -> "Future[Any]":
        def made() -> Any:
            result = call()
            return result.result(PATIENCE_S) if isinstance(result, Future) else result

        return self._pool.submit(made)

    def enter(self, face: Face) -> None:
        face.start("__enter__").result(PATIENCE_S)

    def send(self, face: Face, *args: Any, **options: Any) -> "Future[Any]":
        acknowledged: Future[Any] = face.target.send(*args, **options)
        return acknowledged

    def pause(self, seconds: float) -> Any:
        threading.Event().wait(seconds)

    def _made(self, brokers: str, settings: ClientSettings) -> Any:
        return BlockingClient(brokers, settings)

    def end(self) -> None:
        self._pool.shutdown()


class AsyncioWorld(World):
    """An event loop in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def start(self, call: Callable[[], Any]) -> "Future[Any]":
        async def made() -> Any:
            result = call()
            return await result if isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(made(), self._loop)

    def pause(self, seconds: float) -> Any:
        return asyncio.sleep(seconds)

    def _made(self, brokers: str, settings: ClientSettings) -> Any:
        return AsyncFluxClient(brokers, settings)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with suppress(RuntimeError):
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class TwistedWorld(World):
    """A reactor in a thread; not the global one, which shows that a client uses the one it is given."""

    def __init__(self) -> None:
        super().__init__()
        self._reactor: Any = EPollReactor()
        self._thread = threading.Thread(target=self._reactor.run, kwargs={"installSignalHandlers": False})
        self._thread.start()

    def start(self, call: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()

        async def made() -> Any:
            result = call()
            return await result if isawaitable(result) else result

        def failed(failure: Failure) -> None:
            future.set_exception(failure.value)

        def run() -> None:
            ensureDeferred(made()).addCallbacks(future.set_result, failed)

        self._reactor.callFromThread(run)
        return future

    def pause(self, seconds: float) -> Any:
        return deferLater(self._reactor, seconds)

    def _made(self, brokers: str, settings: ClientSettings) -> Any:
        return FluxClient(self._reactor, brokers, settings)

    def end(self) -> None:
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join()


WORLDS: dict[str, type[World]] = {"blocking": BlockingWorld, "asyncio": AsyncioWorld, "twisted": TwistedWorld}
