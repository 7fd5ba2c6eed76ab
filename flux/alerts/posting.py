"""One HTTP POST at a time, by treq; of the answer only the status is of interest."""

from collections.abc import Callable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from flux import __version__


def poster(reactor: Any, url: str) -> Callable[[bytes], "Deferred[int]"]:
    """A function that POSTs a JSON document to *url* and fires with the HTTP status.

    Cancelled, its Deferred fails with CancelledError and nothing else, and the connection is closed. Redirects are not followed.
    """
    client = HTTPClient(Agent(reactor))
    headers = Headers({"Content-Type": ["application/json"], "User-Agent": [f"flux/{__version__}"]})

    def post(body: bytes) -> "Deferred[int]":
        def give_up(done: "Deferred[int]") -> None:
            done.errback(CancelledError())  # first: what the request makes of its own cancellation has many names
            request.cancel()

        def answered(response: Any) -> None:
            response.deliverBody(_Unread())
            if not done.called:
                done.callback(response.code)

        def failed(failure: Failure) -> None:
            if not done.called:
                done.errback(failure)

        done: Deferred[int] = Deferred(give_up)
        request = client.post(url, data=body, headers=headers, allow_redirects=False, unbuffered=True, reactor=reactor)
        request.addCallbacks(answered, failed)
        return done

    return post


class _Unread(Protocol):
    """A body nobody wants: the connection is closed instead of reading it, however long it is."""

    def connectionMade(self) -> None:
        """It begins."""
        assert self.transport is not None
        self.transport.loseConnection()
