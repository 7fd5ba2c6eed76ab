"""A producer's records on their way: in batches, in order per key, again if need be. Pure."""

from collections import deque
from functools import partial
from typing import Any

from flux.client.agent import Wanted
from flux.client.calls import Call, Text, as_bytes, produce
from flux.client.errors import ClientClosed
from flux.client.options import Backoff, ProducerOptions
from flux.errors import BadRequest, FluxError, MessageTooLarge, Throttled
from flux.wire.produce import Produced

Outcome = Produced | FluxError

_OVERHEAD = 500  # bytes of the objects that remember a record
_LOOKED_THROUGH = 1000  # records that wait for their key, before the search for one that need not is given up


class Letter:
    """One record on its way. ``key`` is what must stay in order, None: nothing. ``waiter`` belongs to the face."""

    __slots__ = ("attempts", "call", "due_s", "key", "number", "outcome", "size", "waiter")

    def __init__(self, number: int, call: Call[Produced], key: object, size: int, due_s: float, waiter: Any) -> None:
        self.number = number
        self.call = call
        self.key = key
        self.size = size
        self.due_s = due_s
        self.waiter = waiter
        self.attempts = 0
        self.outcome: Outcome | None = None


class Outbox:
    """Records wait, travel in batches, and are settled: acknowledged or failed.

    A record is sent again only if it surely was not appended, and if no later one of its key may have been: it fails rather than
    change places. For the same reason no two batches under way hold the same key.

    *Action*: :meth:`post`, :meth:`flush`. *Transitions*: by :meth:`wants` records leave, by their outcomes they are settled.
    """

    def __init__(self, options: ProducerOptions) -> None:
        self.is_closed = False
        self._options = options
        self._backoff = Backoff(options.backoff_ms, 1 << 30)
        self._queue: deque[Letter] = deque()  # not under way; in order of their numbers
        self._added = 0
        self._settled = 0
        self._bytes = 0
        self._travelling = 0  # batches
        self._busy: set[object] = set()  # keys under way
        self._is_stuck = False  # all that was looked through waits for its key: another look would find nothing else
        self._paused_until_s = 0.0
        self._looked_at_s = 0.0
        self._hurried = 0  # records below this number do not linger
        self._flushes: list[_Flush] = []
        self._finished: list[Letter] = []

    # --- the caller ---

    def has_room(self, size: int) -> bool:
        """Whether a record of *size* bytes would be accepted; into an empty outbox any is."""
        count = self._added - self._settled
        return not count or (
            count < self._options.max_buffered and self._bytes + size + _OVERHEAD <= self._options.max_buffered_bytes
        )

    def post(
        self,
        topic: str,
        key: Text | None,
        value: Text | None,
        timestamp_ms: int | None,
        now_s: float,
        waiter: Any = None,
    ) -> None:
        """Have a record sent; those of one topic and key stay in order.

        :raises Throttled: there is no room for it. :raises ClientClosed: no more are accepted.
        """
        key, value = as_bytes(key), as_bytes(value)
        size = len(key or b"") + len(value or b"")
        if self.is_closed:
            raise ClientClosed("the producer is closed; nothing was sent")
        if not self.has_room(size):
            raise Throttled(f"{self._added - self._settled} records are not acknowledged yet; wait for room first")
        call = produce(topic, key, value, acks=self._options.acks, timestamp_ms=timestamp_ms)
        order = None if key is None else (topic, key)
        due_s = now_s + self._options.linger_ms / 1000
        self._queue.append(Letter(self._added, call, order, size + _OVERHEAD, due_s, waiter))
        self._is_stuck = self._is_stuck and order in self._busy
        self._added += 1
        self._bytes += size + _OVERHEAD

    def flush(self, waiter: Any = None) -> bool:
        """Let nothing linger; whether everything is settled. If not, *waiter* is taken by :meth:`take_flushed` once it is."""
        self._hurried = self._added
        unsettled = self._added - self._settled
        if unsettled:
            self._flushes.append(_Flush(self._added, unsettled, waiter))
        return not unsettled

    def close(self, waiter: Any = None) -> bool:
        """Accept no more, and :meth:`flush`."""
        self.is_closed = True
        return self.flush(waiter)

    def take_finished(self) -> list[Letter]:
        """The records settled since the last time, with their outcomes."""
        finished, self._finished = self._finished, []
        return finished

    def take_flushed(self) -> list[Any]:
        """The waiters of flushes that are complete since the last time."""
        flushed = [flush.waiter for flush in self._flushes if not flush.unsettled]
        if flushed:
            self._flushes = [flush for flush in self._flushes if flush.unsettled]
        return flushed

    # --- the runner ---

    @property
    def wake_at_s(self) -> float | None:
        """When the queue's first record has lingered, or the pause is over; None if something else has to happen first."""
        if not self._queue or self._travelling >= self._options.max_in_flight:
            return None
        when_s = max(self._paused_until_s, 0.0 if self._is_hurried else self._queue[0].due_s)
        return when_s if when_s > self._looked_at_s else None

    def wants(self, now_s: float) -> list[Wanted]:
        """The records that leave now."""
        self._looked_at_s = now_s
        wanted: list[Wanted] = []
        while now_s >= self._paused_until_s and self._travelling < self._options.max_in_flight:
            batch = self._take_batch(now_s)
            if not batch:
                break
            self._travelling += 1
            journey = _Journey(batch)
            wanted += [Wanted(letter.call, partial(self._answered, journey, letter)) for letter in batch]
        return wanted

    # --- inside ---

    @property
    def _is_hurried(self) -> bool:
        first = self._queue[0]
        return first.number < self._hurried or first.attempts > 0 or len(self._queue) >= self._options.batch

    def _take_batch(self, now_s: float) -> list[Letter]:
        queue = self._queue
        if not queue or self._is_stuck or not (self._is_hurried or now_s >= queue[0].due_s):
            return []
        batch: list[Letter] = []
        kept: list[Letter] = []
        while queue and len(batch) < self._options.batch and len(kept) < _LOOKED_THROUGH:
            letter = queue.popleft()
            (kept if letter.key in self._busy else batch).append(letter)
        queue.extendleft(reversed(kept))
        self._is_stuck = not batch
        for letter in batch:
            letter.attempts += 1
            if letter.key is not None:
                self._busy.add(letter.key)
        return batch

    def _answered(self, journey: "_Journey", letter: Letter, outcome: Outcome, now_s: float) -> None:
        letter.outcome = outcome
        if isinstance(outcome, Produced):
            self._backoff.reset()
            self._settle(letter)
        journey.awaited -= 1
        if not journey.awaited:
            self._travelling -= 1
            self._is_stuck = False
            self._busy.difference_update(each.key for each in journey.letters)
            self._look_back(journey.letters, now_s)

    def _look_back(self, letters: list[Letter], now_s: float) -> None:
        """Every outcome of a batch is there: what failed is sent again or has failed for good."""
        again: list[Letter] = []
        passed: set[object] = set()  # keys of which a later record may have been appended
        for letter in reversed(letters):
            error = letter.outcome
            if isinstance(error, FluxError):
                if error.retriable and letter.attempts <= self._options.max_retries and letter.key not in passed:
                    again.append(letter)
                    continue
                self._settle(letter)
                if error.retriable or isinstance(error, (BadRequest, MessageTooLarge)):
                    continue
            if letter.key is not None:
                passed.add(letter.key)
        if again:
            self._queue = deque(sorted([*again, *self._queue], key=_number))
            if now_s >= self._paused_until_s:
                self._paused_until_s = now_s + self._backoff.next_s()

    def _settle(self, letter: Letter) -> None:
        self._settled += 1
        self._bytes -= letter.size
        self._finished.append(letter)
        for flush in self._flushes:
            flush.unsettled -= letter.number < flush.number


class _Journey:
    """A batch under way."""

    __slots__ = ("awaited", "letters")

    def __init__(self, letters: list[Letter]) -> None:
        self.letters = letters
        self.awaited = len(letters)


class _Flush:
    """Someone waits for all records below a number."""

    __slots__ = ("number", "unsettled", "waiter")

    def __init__(self, number: int, unsettled: int, waiter: Any) -> None:
        self.number = number
        self.unsettled = unsettled
        self.waiter = waiter


def _number(letter: Letter) -> int:
    return letter.number
