"""What only a client can say, and an ``ERR`` line as the exception it stands for.

Their codes never travel. Everything else a client raises is a :class:`~flux.errors.FluxError` that the broker answered.
"""

from flux.errors import BY_CODE, FluxError
from flux.wire.v1 import ErrReply


class NoBroker(FluxError):
    """None of the known brokers could be reached; nothing was sent. The message says why, broker by broker."""

    code = "NO_BROKER"
    retriable = True


class NotSent(FluxError):
    """The request did not leave in time, or not at all; nothing was done."""

    code = "NOT_SENT"
    retriable = True


class OutcomeUnknown(FluxError):
    """The request left and no answer came: it may have been executed, or may still be. The client never repeats it by itself."""

    code = "OUTCOME_UNKNOWN"


class BadReply(FluxError):
    """There was an answer and it cannot be read; the request was probably executed."""

    code = "BAD_REPLY"


class ClientClosed(FluxError):
    """The client was closed before the request left; nothing was done."""

    code = "CLIENT_CLOSED"


class OtherError(FluxError):
    """The broker answered a code that this version does not know; it is in ``code``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # elsewhere a class says its code; here there is no class for it


def error_of(reply: ErrReply) -> FluxError:
    """The exception that *reply* stands for."""
    kind = BY_CODE.get(reply.code)
    return OtherError(reply.code, reply.message) if kind is None else kind(reply.message)
