"""A bound endpoint as a Service."""

from ipaddress import ip_address

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure


class Listener(Service):
    """Listens on one endpoint. Unlike Twisted's own service it knows its address, and says so when anybody may come in.

    *Transitions*: ``privilegedStartService`` binds, before anything else of the process starts, and raises what the endpoint failed
    with, if it failed at once; one that takes its time fires, or fails, :attr:`bound`. ``stopService`` closes the port and
    no connection.
    """

    _log = Logger()

    def __init__(self, endpoint: IStreamServerEndpoint, factory: IProtocolFactory) -> None:
        self.bound: Deferred[IAddress] = Deferred()
        self._endpoint = endpoint
        self._factory = factory
        self._listening: Deferred[None] | None = None
        self._port: IListeningPort | None = None
        self._at_once = True
        self._failure: Failure | None = None

    def privilegedStartService(self) -> None:
        """Bind. :raises CannotListenError: the address is taken, or not ours."""
        super().privilegedStartService()
        self._listening = self._endpoint.listen(self._factory).addCallbacks(self._listens, self._fails)
        if self._failure is not None:
            self._failure.raiseException()
        self._at_once = False

    def startService(self) -> None:
        """Bind, where nobody has called :meth:`privilegedStartService`."""
        super().startService()
        if self._listening is None:
            self.privilegedStartService()

    def stopService(self) -> "Deferred[None]":
        """Fire when nobody new can connect."""
        super().stopService()
        if self._port is None:
            if self._listening is not None:
                self._listening.cancel()
            return maybeDeferred(lambda: None)
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening).addCallback(lambda _: None)

    def _listens(self, port: IListeningPort) -> None:
        self._port = port
        address = port.getHost()
        self._log.info("listening on {address}", address=address)
        if _is_exposed(address):
            self._log.warn(
                "{address} can be reached from other machines and there is no authentication: whoever connects may read and"
                " write everything; keep it behind a firewall, or listen on 127.0.0.1",
                address=address,
            )
        self.bound.callback(address)

    def _fails(self, failure: Failure) -> None:
        if self._at_once:
            self._failure = failure
        else:
            self.bound.errback(failure)


def _is_exposed(address: IAddress) -> bool:
    try:
        return not ip_address(getattr(address, "host", "")).is_loopback
    except ValueError:  # no IP address, so a path or the like
        return False
