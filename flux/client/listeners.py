"""Who is told what happens to a consumer. Pure."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flux.client.subscription import Assigned, Event, Revoked, Survived
from flux.errors import FluxError
from flux.model import TopicPartition

OnPartitions = Callable[[Sequence[TopicPartition]], Any]
OnError = Callable[[FluxError], Any]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Called between two records, in order: never while a handler is at work."""

    on_assign: OnPartitions | None = None
    on_revoke: OnPartitions | None = None
    on_error: OnError | None = None

    def tell(self, event: Event) -> Any:
        """What the listener returned, which may have to be awaited."""
        match event:
            case Assigned(partitions):
                return None if self.on_assign is None else self.on_assign(partitions)
            case Revoked(partitions):
                return None if self.on_revoke is None else self.on_revoke(partitions)
            case Survived(error):
                return log(error) if self.on_error is None else self.on_error(error)


def log(error: FluxError) -> None:
    """What becomes of an error that nobody listens for."""
    logging.getLogger("flux.client").warning("%s: %s; trying again", error.code, error)
