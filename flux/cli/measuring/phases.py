"""What is done to a broker: records one by one, records by the hundred, and all of them read again."""

from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from flux.cli.measuring.outcome import Outcome
from flux.cli.shell.progress import Advance
from flux.model import Acks

if TYPE_CHECKING:
    from flux.client import BlockingClient

Clock = Callable[[], float]


class Lap:
    """So many *seconds*, shown as they pass: a bar moves on by milliseconds."""

    def __init__(self, clock: Clock, seconds: float, advance: Advance) -> None:
        self.began_s = clock()
        self._clock = clock
        self._length_ms = int(seconds * 1000)
        self._shown_ms = 0
        self._advance = advance

    @property
    def is_over(self) -> bool:
        """The time is up."""
        ms = min(int((self._clock() - self.began_s) * 1000), self._length_ms)
        self._show(ms)
        return ms >= self._length_ms

    def end(self) -> float:
        """Over, early or not; the seconds it took."""
        self._show(self._length_ms)
        return self._clock() - self.began_s

    def _show(self, ms: int) -> None:
        if ms > self._shown_ms:
            self._advance(ms - self._shown_ms)
            self._shown_ms = ms


class Bench:
    """One topic of one broker, and a value to fill it with. ``stored`` counts what was acknowledged.

    Each phase ends when its time is up, or there is nothing left to do. :raises FluxError: the broker refused.
    """

    def __init__(self, client: "BlockingClient", topic: str, value: bytes, acks: Acks, clock: Clock) -> None:
        self.stored = 0
        self._client = client
        self._topic = topic
        self._value = value
        self._acks = acks
        self._clock = clock

    def one_by_one(self, seconds: float, advance: Advance) -> Outcome:
        """Each record when the one before is acknowledged: the time it takes, with nobody else there."""
        lap, latencies, clock = Lap(self._clock, seconds, advance), array("d"), self._clock
        while not lap.is_over:
            began_s = clock()
            self._client.produce(self._topic, None, self._value, acks=self._acks)
            latencies.append(clock() - began_s)
        self.stored += len(latencies)
        return self._outcome("produce, one by one", len(latencies), lap.end(), latencies)

    def pipelined(self, seconds: float, in_flight: int, advance: Advance) -> Outcome:
        """As many as go, *in_flight* at most without an acknowledgement: latencies hold the wait for a place in a batch."""
        from flux.client import ProducerOptions

        lap, latencies, clock = Lap(self._clock, seconds, advance), array("d"), self._clock
        failures: list[BaseException] = []

        def acknowledged(began_s: float, future: "Future[Any]") -> None:
            error = future.exception()
            if error is None:
                latencies.append(clock() - began_s)
            elif not failures:
                failures.append(error)

        with self._client.producer(ProducerOptions(acks=self._acks, max_buffered=in_flight)) as producer:
            while not failures and not lap.is_over:
                began_s = clock()
                producer.send(self._topic, None, self._value).add_done_callback(partial(acknowledged, began_s))
        self.stored += len(latencies)
        if failures:
            raise failures[0]
        return self._outcome(f"produce, {in_flight} in flight", len(latencies), lap.end(), latencies)

    def read_again(self, partitions: Sequence[int], seconds: float, advance: Advance) -> tuple[Outcome, bool]:
        """All partitions from their beginning, a page at a time; and whether the time sufficed. Latencies are those of pages."""
        lap, latencies, clock = Lap(self._clock, seconds, advance), array("d"), self._clock
        found = 0
        for partition in partitions:
            offset, end = 0, 1
            while offset < end:
                if lap.is_over:
                    return self._outcome("consume", found, lap.end(), latencies), False
                began_s = clock()
                page = self._client.consume(self._topic, partition, offset)
                latencies.append(clock() - began_s)
                found += sum(record.value == self._value for record in page)
                offset, end = page.next_offset, page.high_watermark
        return self._outcome("consume", found, lap.end(), latencies), True

    def _outcome(self, phase: str, records: int, seconds: float, latencies: "array[float]") -> Outcome:
        return Outcome(phase, records, records * len(self._value), seconds, latencies)
