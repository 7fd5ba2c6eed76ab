"""One connection in Twisted: dialled, written to, read from, hung up."""

from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint, ITCPTransport
from twisted.python.failure import Failure

from flux.client.conversation import Conversation


class Events(Protocol):
    """Who is told what happens on a connection."""

    def connected(self, conversation: Conversation) -> None:
        """It is there."""

    def received(self, conversation: Conversation, data: bytes) -> None:
        """Bytes came."""

    def lost(self, conversation: Conversation, reason: str) -> None:
        """It could not be made, or has ended."""


class Connection(protocol.Protocol):
    """The connection that *conversation* is held on, from dialling to the end.

    What is written is bounded by what a core keeps in flight, and what is read is used up at once: neither needs back-pressure.
    """

    transport: Any  # an ITransport; what else it can do is asked where it matters

    def __init__(self, conversation: Conversation, events: Events) -> None:
        self.conversation = conversation
        self.gone: Deferred[None] = Deferred()  # fires when nothing of it is left
        self._events = events
        self._dialling: Deferred[Any] | None = None

    def dial(self, endpoint: IStreamClientEndpoint) -> None:
        """Connect; events follow, and may precede the return."""
        self._dialling = endpoint.connect(protocol.Factory.forProtocol(lambda: self))
        self._dialling.addErrback(self._not_connected)

    def hang_up(self) -> None:
        """End it, whatever state it is in."""
        if not self.connected:
            assert self._dialling is not None, "it was dialled"
            self._dialling.cancel()
        elif self.conversation.unanswered:
            # Nobody waits for these answers. And a request may have left in part: a reset keeps the broker from taking that part,
            # ended by the end of the connection, for the whole.
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    # --- Twisted ---

    def connectionMade(self) -> None:
        """Requests are written whole: Nagle would only hold them back."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        self._events.connected(self.conversation)

    def dataReceived(self, data: bytes) -> None:
        """Some of an answer, or many."""
        self._events.received(self.conversation, data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The end."""
        self._over(reason)

    def _not_connected(self, failure: Failure) -> None:
        self._over(failure)

    def _over(self, reason: Failure) -> None:
        self._events.lost(self.conversation, reason.getErrorMessage().rstrip("."))
        self.gone.callback(None)
