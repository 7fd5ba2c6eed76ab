"""All connections: how many, how long, and how they end."""

from collections import Counter

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from flux.config import ServerConfig
from flux.errors import FluxError, ShuttingDown, Throttled
from flux.server.dispatch import error_lines
from flux.server.dispatching import Dispatching
from flux.server.protocol import FluxProtocol
from flux.wire.v1 import NO_ID

_LONGEST_SWEEP_S = 1.0


class Refused(Protocol):
    """A connection that is told why, and closed."""

    def __init__(self, error: FluxError) -> None:
        self._error = error

    def connectionMade(self) -> None:
        """Say it and close."""
        assert self.transport is not None
        self.transport.write(error_lines((NO_ID,), self._error))
        self.transport.loseConnection()


class FluxFactory(Factory):
    """Builds connections within limits, sweeps them for what takes too long, and drains them.

    One loop sweeps all connections, and runs while there is one: a timer for each request would cost more than the request.
    ``accepted``, ``refused`` and ``connections`` count for metrics.
    """

    noisy = False
    _log = Logger()

    def __init__(self, dispatch: Dispatching, clock: IReactorTime, config: ServerConfig) -> None:
        self.accepted = 0
        self.refused = 0
        self.connections: dict[FluxProtocol, str | None] = {}  # and the address each came from, if it has one
        self._dispatch = dispatch
        self._clock = clock
        self._config = config
        self._per_peer: Counter[str] = Counter()
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock
        shortest_ms = min(config.partial_line_timeout_ms, config.idle_timeout_ms, config.request_timeout_ms)
        self._sweep_interval_s = min(_LONGEST_SWEEP_S, shortest_ms / 4000)  # so a timeout is late by a quarter at most
        self._drained: Deferred[None] | None = None
        self._busy: set[FluxProtocol] = set()  # while draining: connections not yet answered
        self._patience_ends: IDelayedCall | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """A connection, or one that is refused: too many of them, or the broker is draining."""
        error = self._refusal(_host(addr))
        if error is not None:
            self.refused += 1
            return Refused(error)
        self.accepted += 1
        protocol = FluxProtocol(self._dispatch, self._clock, self._config)
        protocol.factory = self
        return protocol

    @property
    def draining(self) -> bool:
        """Nobody new is let in, and it waits for connections to be answered."""
        return self._drained is not None

    def drain(self) -> "Deferred[None]":
        """Refuse what is new, answer what is in flight, then close; fire when the last connection is lost.

        After ``drain_timeout_ms``, or when the Deferred is cancelled, what is left is aborted.
        """
        if self._drained is None:
            self._drained = Deferred(lambda _: self._abort())
            self._dispatch.draining = True
            self._busy = {connection for connection in self.connections if not connection.pipeline.is_empty}
            for connection in self._busy:
                connection.pipeline.watched = True
            self._patience_ends = self._clock.callLater(self._config.drain_timeout_ms / 1000, self._abort)
            self._close_if_answered()
        return self._drained

    # --- the connections ---

    def opened(self, connection: FluxProtocol) -> None:
        """*connection* is made."""
        host = self.connections[connection] = _host(connection.transport.getPeer())
        if host is not None:
            self._per_peer[host] += 1
        if not self._sweeping.running:
            self._sweeping.start(self._sweep_interval_s, now=False)

    def closed(self, connection: FluxProtocol) -> None:
        """*connection* is lost."""
        host = self.connections.pop(connection, None)
        self._busy.discard(connection)
        if host is not None:
            self._per_peer[host] -= 1
            if not self._per_peer[host]:
                del self._per_peer[host]
        if not self.connections and self._sweeping.running:
            self._sweeping.stop()
        if self._drained is not None:
            self._close_if_answered()

    def emptied(self, connection: FluxProtocol) -> None:
        """Everything *connection* asked is answered."""
        if self._busy:
            self._busy.discard(connection)
            self._close_if_answered()

    # --- inside ---

    def _refusal(self, host: str | None) -> FluxError | None:
        config = self._config
        if self._drained is not None:
            return ShuttingDown("this broker is shutting down; connect to another or later")
        if len(self.connections) >= config.max_connections:
            return Throttled(
                f"there are {config.max_connections} connections, which is max_connections; close some first"
            )
        if host is not None and self._per_peer[host] >= config.max_connections_per_peer:
            return Throttled(
                f"{host} has {config.max_connections_per_peer} connections, which is max_connections_per_peer; close some first"
            )
        return None

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for connection in list(self.connections):
            try:
                connection.sweep(now)
            except Exception:  # one connection's fault must not stop the timeouts of all others
                self._log.failure("a connection could not be swept")

    def _close_if_answered(self) -> None:
        assert self._drained is not None, "draining"
        if self._busy:
            return
        for connection in list(self.connections):
            connection.close()
        if not self.connections and not self._drained.called:
            if self._patience_ends is not None and self._patience_ends.active():
                self._patience_ends.cancel()
            self._drained.callback(None)

    def _abort(self) -> None:
        if self._patience_ends is not None and self._patience_ends.active():
            self._patience_ends.cancel()
        if self.connections:
            self._log.warn(
                "{count} connections are closed unanswered: the drain took too long", count=len(self.connections)
            )
        self._busy.clear()
        for connection in list(self.connections):
            connection.abort()


def _host(address: object) -> str | None:
    host = getattr(address, "host", None)
    return host if isinstance(host, str) else None
