"""One run of a broker on a thread of this process, from its start to its stop or its death."""

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar, cast
from uuid import uuid4

from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread

from flux.broker import Broker
from flux.config import Config
from flux.embedded.faults import FailingDispatch
from flux.embedded.reactor import ShiftedReactor
from flux.embedded.tracking import Opened, TrackedDirectory
from flux.embedded.watching import WatchedThreads
from flux.errors import FluxError
from flux.listening import Listener
from flux.loading import tcp_endpoint
from flux.server.factory import FluxFactory

T = TypeVar("T")

_MOST_TURNS = 1000  # an advance ends even when clients keep the broker busy


class Life:
    """A broker like that of :mod:`flux.tap`, on a reactor of its own. For threads other than that reactor's.

    *Transitions*: made → running by :meth:`start` → over by :meth:`stop` or :meth:`kill`. When it is over no thread, socket or file is
    left of it, whichever it was.
    """

    def __init__(self, config: Config, syncs: bool, ahead_s: float) -> None:
        self._reactor = reactor = ShiftedReactor(ahead_s)
        self._opened = Opened(syncs)
        self._threads = WatchedThreads(cast(Any, reactor))
        self._broker = broker = Broker(
            config,
            directory=TrackedDirectory(config.storage.data_dir, self._opened),
            clock=cast(Any, reactor),
            now=reactor.now,
            threads=self._threads,
            new_id=lambda: uuid4().hex,
        )
        self._dispatch = FailingDispatch(broker.dispatch)
        broker.factory = FluxFactory(self._dispatch, broker.clock, config.server)
        self._listener: Listener
        broker.listen(self._listen)
        self._thread = Thread(
            target=reactor.run, args=(False,), name=f"flux-broker {config.server.listen_addr}", daemon=True
        )

    def start(self) -> None:
        """Serve. :raises CannotStart: the directory. :raises CannotListenError: the port. Then it is over."""
        self._thread.start()
        try:
            self._call(self._start)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Drain it, as SIGTERM does."""
        try:
            self._call(self._broker.stopService)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it between two turns of its reactor, as near to ``kill -9`` as a thread comes: nothing is flushed, marked or answered.

        A sync that is under way ends before, as it may in a process that is killed.
        """
        reactor = self._reactor
        reactor.callFromThread(reactor.crash)
        self._thread.join()
        reactor.cut_connections()
        if self._threads.running:
            self._threads.stopService()
        reactor.let_go()
        self._opened.close()

    def advance(self, seconds: float) -> None:
        """Move its clocks; return when what became due, and what that led to on disk, is done."""
        self._call(lambda: Deferred.fromCoroutine(self._advance(seconds)))

    def fail_next(self, command: str, error: FluxError, times: int) -> None:
        """See :class:`FailingDispatch`. :raises ValueError: nobody here answers *command*."""
        if command not in self._broker.commands:
            raise ValueError(f"command: {command!r} is not known here; there are {' '.join(self._broker.commands)}")
        self._call(lambda: maybeDeferred(self._dispatch.fail_next, command, error, times))

    def _listen(self, factory: IProtocolFactory) -> IService:
        endpoint = serverFromString(self._reactor, tcp_endpoint(self._broker.config.server.listen_addr))
        self._listener = Listener(endpoint, factory)
        return self._listener

    def _start(self) -> "Deferred[IAddress]":
        self._broker.privilegedStartService()
        self._broker.startService()
        return self._listener.bound

    async def _advance(self, seconds: float) -> None:
        reactor = self._reactor
        reactor.advance(seconds)
        for _ in range(_MOST_TURNS):
            await deferLater(cast(Any, reactor), 0)
            await self._threads.when_idle()
            if all(call.getTime() > reactor.seconds() for call in reactor.getDelayedCalls()):
                return

    def _call(self, function: Callable[[], "Deferred[T]"]) -> T:
        result: Any = blockingCallFromThread(self._reactor, cast(Callable[[], Any], function))
        return cast(T, result)
