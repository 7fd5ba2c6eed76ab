"""What a connection asks of whoever answers its requests: the dispatch, or something put before it."""

from collections.abc import Iterator
from typing import Protocol

from flux.interfaces import ISession
from flux.server.answer import Answer
from flux.wire.v1 import Lines


class Dispatching(Protocol):
    """See :class:`~flux.server.dispatch.Dispatch`. Promised here, in a module that is never compiled: there a class of that name
    would have to be it, or inherit from it.
    """

    draining: bool

    def overlaps(self, command: str) -> bool:
        """Whether a run of *command* may start while the run before it, of that command too, is being answered."""

    def answers(self, lines: Lines, session: ISession) -> Iterator[Answer]:
        """The answers to *lines*, in order. Taking the next one starts the next request."""

    def expire(self, answer: Answer) -> None:
        """Answer with an error now what has waited past its deadline."""
