"""One partition a consumer owns: where it reads, what is at hand, what is handled, and what is committed. Pure."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from flux.client.agent import Wanted, earliest
from flux.client.calls import Page, Record, consume, offsets
from flux.client.group_calls import commit, offset
from flux.client.membership import Membership
from flux.client.options import Backoff, ConsumerOptions
from flux.errors import FluxError, GenerationMismatch, OffsetOutOfRange
from flux.model import TopicPartition
from flux.wire.group import NextOffset
from flux.wire.offsets import End, OffsetFound


class Feed:
    """Records of one partition, read ahead of whoever handles them, committed behind him.

    Reading goes: where did the group stop (locate), if that is nowhere, where does the log begin or end (reset), then page by
    page. One call for reading and one for committing may be under way. What is committed is never ahead of what is handled.

    *Transitions*: :meth:`doubt` after a rebalance, :meth:`seek`, :meth:`pause` and :meth:`resume`, :meth:`stop`.
    """

    def __init__(
        self,
        tp: TopicPartition,
        membership: Membership,
        options: ConsumerOptions,
        failed: Callable[[FluxError], None],
    ) -> None:
        self.tp = tp
        self.is_paused = False
        self.jumps = 0  # a record handed out before a jump says nothing about what comes after it
        self._membership = membership
        self._options = options
        self._failed = failed
        self._records: deque[Record] = deque()
        self._position: int | None = None  # where to read next
        self._is_located = False
        self._reset_to: End | None = None
        self._reading = 0  # the number of the call under way that counts; 0: none
        self._calls = 0
        self._read_at_s = 0.0
        self._read_backoff = Backoff(options.backoff_ms, options.max_backoff_ms)
        self._is_stopping = False
        self._handled: int | None = None  # the next offset to commit
        self._ours: set[int | None] = set()  # what the group's offset may be by our doing; None: nothing was committed
        self._committing = False
        self._commit_at_s = 0.0
        self._commit_backoff = Backoff(options.backoff_ms, options.max_backoff_ms)

    # --- the consumer ---

    def has_records(self, now_s: float) -> bool:
        """Whether :meth:`take` has one that is surely this member's."""
        return bool(self._records) and self._is_located and not self.is_paused and self._membership.is_alive(now_s)

    def take(self) -> Record:
        """The next record. :raises IndexError: there is none."""
        return self._records.popleft()

    def handled(self, record: Record) -> None:
        """It need not be read again."""
        self._handled = record.offset + 1

    @property
    def position(self) -> int | None:
        """The offset of the next record to be handed out; None as long as nobody knows."""
        return self._records[0].offset if self._records else self._position

    @property
    def is_settled(self) -> bool:
        """Whether what is handled is committed."""
        return not self._committing and not self._has_to_commit

    def seek(self, where: int) -> None:
        """Go on at *where*."""
        self.jumps += 1
        self._records.clear()
        self._position = where
        self._is_located = True
        self._reset_to = None
        self._reading = 0
        self._read_at_s = 0.0

    def pause(self) -> None:
        """Hand out nothing, read nothing."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False

    def doubt(self) -> None:
        """There was a rebalance: look whether somebody else has moved the group's offset before going on."""
        self._is_located = False
        self._reset_to = None
        self._reading = 0
        self._read_at_s = 0.0

    def stop(self) -> None:
        """Read no more; what is handled is still committed."""
        self._is_stopping = True
        self._records.clear()
        self._commit_at_s = 0.0

    # --- the runner ---

    @property
    def wake_at_s(self) -> float | None:
        """When it wants something next, if nothing happens before."""
        return earliest(
            self._read_at_s if self._wants_to_read else None,
            self._commit_at_s if self._has_to_commit and not self._committing else None,
        )

    def wants(self, now_s: float) -> list[Wanted]:
        """A call to read, a call to commit."""
        wanted: list[Wanted] = []
        if self._wants_to_read and now_s >= self._read_at_s:
            self._calls += 1
            self._reading = self._calls
            wanted.append(self._read(self._calls))
        if self._has_to_commit and not self._committing and now_s >= self._commit_at_s:
            self._committing = True
            wanted.append(self._commit(now_s))
        return wanted

    # --- inside: reading ---

    @property
    def _wants_to_read(self) -> bool:
        if self._reading or self._is_stopping or self._membership.generation is None:
            return False
        return not self._is_located or (not self.is_paused and len(self._records) < self._options.prefetch)

    def _read(self, number: int) -> Wanted:
        topic, partition = self.tp
        options = self._options
        if self._reset_to is not None:
            return Wanted(offsets(topic, partition, self._reset_to), partial(self._was_reset, number))
        if not self._is_located:
            return Wanted(offset(self._membership.group, topic, partition), partial(self._was_located, number))
        assert self._position is not None, "it is located"
        call = consume(topic, partition, self._position, max_bytes=options.max_poll_bytes, wait_ms=options.poll_ms)
        return Wanted(call, partial(self._was_read, number))

    def _was_located(self, number: int, outcome: NextOffset | FluxError, now_s: float) -> None:
        if not self._read_went_well(number, outcome, now_s):
            return
        assert isinstance(outcome, NextOffset), "it went well"
        found = outcome.offset if outcome.committed else None
        self._is_located = True
        if self._position is not None and found in self._ours:
            return  # where we left it: go on with what is at hand
        self.jumps += 1
        self._ours = {found}
        self._handled = None
        self._records.clear()
        self._position = outcome.offset
        if found is None and self._options.auto_offset_reset != "earliest":  # there it is already
            self._reset()
            if self._reset_to is None:
                self._failed(OffsetOutOfRange(f"{self.tp}: the group {self._membership.group} has committed nothing"))

    def _was_reset(self, number: int, outcome: OffsetFound | FluxError, now_s: float) -> None:
        if self._read_went_well(number, outcome, now_s):
            assert isinstance(outcome, OffsetFound), "it went well"
            self._reset_to = None
            self._is_located = True
            self._position = outcome.offset

    def _was_read(self, number: int, outcome: Page | FluxError, now_s: float) -> None:
        if number == self._reading and isinstance(outcome, OffsetOutOfRange):
            self._reading = 0
            self._reset()
            self._failed(outcome)
        elif self._read_went_well(number, outcome, now_s):
            assert isinstance(outcome, Page), "it went well"
            self._records.extend(outcome.records)
            self._position = outcome.next_offset

    def _reset(self) -> None:
        """There is nothing where it should go on: go where the options say; nowhere, if they say that this is an error."""
        if self._options.auto_offset_reset != "error":
            self._reset_to = self._options.auto_offset_reset
        self._is_located = False
        self._position = None

    def _read_went_well(self, number: int, outcome: object, now_s: float) -> bool:
        if number != self._reading:
            return False  # the feed has moved on since
        self._reading = 0
        if isinstance(outcome, FluxError):
            self._read_at_s = now_s + self._read_backoff.next_s()
            self._failed(outcome)
            return False
        self._read_backoff.reset()
        return True

    # --- inside: committing ---

    @property
    def _has_to_commit(self) -> bool:
        return (
            self._handled is not None
            and self._ours != {self._handled}
            and (self._is_located or self._is_stopping)
            and self._membership.generation is not None
        )

    def _commit(self, now_s: float) -> Wanted:
        membership, where = self._membership, self._handled
        assert membership.generation is not None and where is not None, "there is something to commit"
        self._ours.add(where)
        self._commit_at_s = 0.0 if self._is_stopping else now_s + self._options.commit_interval_ms / 1000
        call = commit(
            membership.group, self.tp.topic, membership.member, membership.generation, self.tp.partition, where
        )
        return Wanted(call, partial(self._was_committed, membership.generation, where))

    def _was_committed(self, generation: int, where: int, outcome: Any, now_s: float) -> None:
        self._committing = False
        if isinstance(outcome, GenerationMismatch):
            self._membership.rejoin(generation)
        elif isinstance(outcome, FluxError):
            self._commit_at_s = now_s + self._commit_backoff.next_s()
            self._failed(outcome)
        else:
            self._commit_backoff.reset()
            self._ours = {where}
