"""One call under way, from asking to its outcome. Pure."""

from typing import Any, Generic, TypeVar

from flux.client.calls import Call
from flux.errors import FluxError

R = TypeVar("R")

_OVERHEAD = 200  # bytes of the line around the arguments, and of the objects that remember it


class Exchange(Generic[R]):
    """A call, until when it has time, and in the end its outcome.

    *Transitions*: :meth:`succeed` and :meth:`fail`, whichever comes first; the other, and any second one, is ignored.
    ``waiter`` belongs to the face: whatever it has to wake when there is an outcome.
    """

    __slots__ = (
        "_value",
        "arguments",
        "call",
        "deadline_s",
        "error",
        "is_done",
        "moves",
        "sent_at_s",
        "size",
        "waiter",
    )

    def __init__(self, call: Call[R], deadline_s: float, waiter: Any = None) -> None:
        self.call = call
        self.arguments = b""
        self.size = _OVERHEAD
        self.deadline_s = deadline_s
        self.waiter = waiter
        self.sent_at_s = 0.0
        self.moves = 0  # from broker to broker, because one said that another leads
        self.is_done = False
        self.error: FluxError | None = None
        self._value: R | None = None

    def load(self, arguments: bytes) -> None:
        """These are the call's arguments, encoded; ``size`` is about how many bytes it all takes up, in memory and on the wire."""
        self.arguments = arguments
        self.size = len(arguments) + _OVERHEAD

    @property
    def is_overtakable(self) -> bool:
        """Whether the broker may answer later requests before it."""
        return bool(getattr(self.call.request, "overtakable", False))

    def succeed(self, value: R) -> None:
        """The broker answered."""
        if not self.is_done:
            self.is_done = True
            self._value = value

    def fail(self, error: FluxError) -> None:
        """The broker refused, or there will be no answer."""
        if not self.is_done:
            self.is_done = True
            self.error = error

    def result(self) -> R:
        """What was answered. :raises FluxError: why there is nothing."""
        assert self.is_done, "a result is asked for when there is one"
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]  # done without an error: it is what Call.read returned

    def outcome(self) -> R | FluxError:
        """The same, with an error as a value."""
        return self.error if self.error is not None else self.result()
