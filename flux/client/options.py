"""What producers and consumers can be told: the one table of options and defaults. Pure."""

from dataclasses import dataclass
from typing import Literal

from flux.model import Acks


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How records are gathered, sent and sent again."""

    acks: Acks = Acks.LEADER
    """What an acknowledgement means: 0 nothing, 1 that the leader has it as durably as it promises, all that those in sync have it."""
    linger_ms: int = 0
    """How long a record waits for others to share its batch."""
    batch: int = 100
    """Records sent together, at most."""
    max_in_flight: int = 5
    """Batches sent and not answered, at most; two of them never hold records of one key."""
    max_buffered: int = 10_000
    """Records accepted and not acknowledged, at most; then senders wait."""
    max_buffered_bytes: int = 32 << 20
    """The same in bytes of keys and values."""
    max_retries: int = 3
    """How often a record is sent again that a broker refused for now. One that may have been appended never is."""
    backoff_ms: int = 250
    """How long to wait before the first retry; twice as long before each further one."""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How a group's partitions are read."""

    assignor: str = "round_robin"
    """How the group's partitions are shared; a group has one."""
    session_ms: int = 10_000
    """How long the broker waits for a sign of life; after that the partitions are others'."""
    heartbeat_ms: int = 2000
    """How often one is given, however long a handler takes."""
    poll_ms: int = 500
    """How long the broker may wait for a record before it answers that there is none."""
    max_poll_bytes: int = 1 << 20
    """How much one answer may hold; up to twice as much is buffered, for each partition."""
    prefetch: int = 500
    """With fewer records than that at hand, more are asked for, partition by partition."""
    auto_offset_reset: Literal["earliest", "latest", "error"] = "earliest"
    """Where to begin when nothing is committed, or when that is not in the log any more; ``error`` ends the consumer instead."""
    commit_interval_ms: int = 100
    """At most so often is one partition's offset committed; the last one always follows."""
    max_retries: int = 3
    """How often a handler gets a record again that it failed on; then the consumer ends with its error."""
    backoff_ms: int = 250
    """How long to wait before the first retry, of a handler or of a request; twice as long before each further one."""
    max_backoff_ms: int = 5000
    """But no longer than that. Requests are tried again for as long as it takes."""


class Backoff:
    """How long to wait before the next attempt: twice as long each time, up to a limit."""

    def __init__(self, first_ms: int, most_ms: int) -> None:
        self._first_s = first_ms / 1000
        self._most_s = most_ms / 1000
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Once more."""
        delay_s = min(self._next_s, self._most_s)
        self._next_s = 2 * delay_s
        return delay_s

    def reset(self) -> None:
        """It went well: begin anew."""
        self._next_s = self._first_s


class Attempts:
    """A handler's, at one record: how long to wait before the next one."""

    def __init__(self, options: ConsumerOptions) -> None:
        self._left = options.max_retries
        self._backoff = Backoff(options.backoff_ms, options.max_backoff_ms)

    def next_s(self) -> float | None:
        """None: it has had enough of them."""
        self._left -= 1
        return None if self._left < 0 else self._backoff.next_s()
