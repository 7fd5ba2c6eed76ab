"""Errors on order, put between the connections and what answers them: the broker's own parts know nothing of it."""

from collections import defaultdict, deque
from collections.abc import Iterator

from flux.errors import FluxError
from flux.interfaces import ISession
from flux.server.answer import Answer
from flux.server.dispatch import Dispatch, error_lines
from flux.wire.v1 import Lines


class FailingDispatch:
    """A :class:`~flux.server.dispatch.Dispatch` that answers with the errors it was told to, and passes on everything else.

    *Action*: :meth:`fail_next`. A request that fails so is not executed.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._planned: defaultdict[str, deque[FluxError]] = defaultdict(deque)

    def fail_next(self, command: str, error: FluxError, times: int) -> None:
        """Answer the next *times* requests of *command* with *error*; after those planned already."""
        self._planned[command].extend([error] * times)

    @property
    def draining(self) -> bool:
        """Whether what starts from now on is refused."""
        return self._dispatch.draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        self._dispatch.draining = draining

    def overlaps(self, command: str) -> bool:
        """See :meth:`Dispatch.overlaps`."""
        return self._dispatch.overlaps(command)

    def expire(self, answer: Answer) -> None:
        """See :meth:`Dispatch.expire`."""
        self._dispatch.expire(answer)

    def answers(self, lines: Lines, session: ISession) -> Iterator[Answer]:
        """See :meth:`Dispatch.answers`. Of a run, the requests that are to fail are answered each on its own."""
        command, correlation_ids, arguments = lines.command, lines.correlation_ids, lines.arguments
        planned = self._planned.get(command)
        failing = 0
        while planned and failing < len(correlation_ids):
            failed = correlation_ids[failing : failing + 1]
            failing += 1
            yield Answer(command, failed, self.overlaps(command), error_lines(failed, planned.popleft()))
        if failing < len(correlation_ids):
            yield from self._dispatch.answers(Lines(command, correlation_ids[failing:], arguments[failing:]), session)
