"""One consumer's membership in a group on one topic: join, stay, join again, leave. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from flux.client.agent import Wanted
from flux.client.calls import Call
from flux.client.group_calls import heartbeat, join, leave
from flux.client.options import Backoff, ConsumerOptions
from flux.errors import FluxError, GenerationMismatch
from flux.wire.group import Assigned


class Membership:
    """A member with its generation, or on its way to one.

    *Transitions*: joined, and told so by *assigned*; a generation that is over means to join again, at once; :meth:`leave` is
    final. Everything else that goes wrong is told by *failed* and tried again.
    """

    def __init__(
        self,
        group: str,
        topic: str,
        member: str,
        options: ConsumerOptions,
        assigned: Callable[["Membership", Sequence[int]], None],
        failed: Callable[[FluxError], None],
    ) -> None:
        self.group = group
        self.topic = topic
        self.member = member
        self.generation: int | None = None
        self.has_left = False
        self._options = options
        self._assigned = assigned
        self._failed = failed
        self._backoff = Backoff(options.backoff_ms, options.max_backoff_ms)
        self._asking = False
        self._leaving = False
        self._due_s = 0.0
        self._asked_at_s = 0.0
        self._alive_until_s = 0.0  # from when a sign was sent that the broker is known to have heard

    def is_alive(self, now_s: float) -> bool:
        """Whether what the member owns is surely its own: neither its generation nor, whether it was told or not, its session is over."""
        return self.generation is not None and now_s < self._alive_until_s

    @property
    def wake_at_s(self) -> float | None:
        """When it wants something next."""
        return None if self._asking or self.has_left else self._due_s

    def wants(self, now_s: float) -> list[Wanted]:
        """A sign of life, or what it takes to be allowed to give one."""
        if self._asking or self.has_left or now_s < self._due_s:
            return []
        if self.generation is None and self._leaving:
            self.has_left = True
            return []
        self._asking = True
        self._asked_at_s = now_s
        if self.generation is None:
            return [Wanted(self._join(), self._joined)]
        if self._leaving:
            return [Wanted(leave(self.group, self.topic, self.member, self.generation), self._left)]
        return [Wanted(heartbeat(self.group, self.topic, self.member, self.generation), self._heard)]

    def leave(self) -> None:
        """Go, as soon as nothing is under way."""
        self._leaving = True
        self._due_s = 0.0

    def rejoin(self, generation: int) -> None:
        """*generation* is over, as somebody was told."""
        if self.generation == generation:
            self.generation = None
            self._due_s = 0.0

    def _join(self) -> Call[Assigned]:
        options = self._options
        return join(self.group, self.topic, self.member, assignor=options.assignor, session_ms=options.session_ms)

    def _joined(self, outcome: Any, now_s: float) -> None:
        self._asking = False
        if isinstance(outcome, FluxError):
            self._try_again(outcome, now_s)
            return
        self.generation = outcome.generation
        self._was_heard(now_s)
        self._assigned(self, outcome.partitions)

    def _heard(self, outcome: Any, now_s: float) -> None:
        self._asking = False
        if self.generation is None or isinstance(outcome, GenerationMismatch):
            self.generation = None
            self._due_s = 0.0
        elif isinstance(outcome, FluxError):
            self._try_again(outcome, now_s)
        else:
            self._was_heard(now_s)

    def _was_heard(self, now_s: float) -> None:
        self._backoff.reset()
        self._alive_until_s = self._asked_at_s + self._options.session_ms / 1000
        self._due_s = 0.0 if self._leaving else now_s + self._options.heartbeat_ms / 1000

    def _left(self, outcome: Any, now_s: float) -> None:
        # If it failed, the session expires.
        self._asking = False
        self.has_left = True

    def _try_again(self, error: FluxError, now_s: float) -> None:
        self._due_s = 0.0 if self._leaving else now_s + self._backoff.next_s()
        self._failed(error)
