"""What producers and consumers have in common: they want calls made, and make something of the outcomes. Pure."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from flux.client.calls import Call


class Wanted(NamedTuple):
    """A call to be made, and who is to be told its outcome (a value or a FluxError) and the time."""

    call: Call[Any]
    then: Callable[[Any, float], None]


class Agent(Protocol):
    """Decides; a face's runner makes the calls, tells the outcomes, and asks again after each of them and at ``wake_at_s``."""

    @property
    def wake_at_s(self) -> float | None:
        """When something will be wanted, if nothing happens before."""

    def wants(self, now_s: float) -> list[Wanted]:
        """What is to be done now, each once."""


def earliest(*times_s: float | None) -> float | None:
    """The first of *times_s*; None if there is none."""
    return min((time_s for time_s in times_s if time_s is not None), default=None)
