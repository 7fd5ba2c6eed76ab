"""Phases end with their time, show it as it passes, and count what they did."""

import click
from click.testing import CliRunner
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.bench import judge
from flux.cli.measuring.phases import Bench, Lap
from flux.client import BlockingClient, Page, Record
from flux.model import Acks

VALUE = b"value"


class SlowClient(BlockingClient):
    """Answers after a tenth of a second of the test's clock, from *pages* if it is asked for records."""

    def __init__(self, clock: Clock, pages: dict[int, list[Page]] | None = None) -> None:
        super().__init__("127.0.0.1:1")
        self.produced = 0
        self._clock = clock
        self._pages = pages or {}

    def produce(self, *_: object, **__: object) -> None:  # type: ignore[override]  # nobody looks at the answer
        self._clock.advance(0.1)
        self.produced += 1

    def consume(self, topic: str, partition: int, offset: int, **_: object) -> Page:
        self._clock.advance(0.1)
        return self._pages[partition].pop(0)


def page(first: int, after: int, end: int, value: bytes = VALUE) -> Page:
    records = tuple(Record("t", 0, offset, value, None, 0) for offset in range(first, after))
    return Page(records, after, end, 0)


class PhaseTests(SynchronousTestCase):
    def bench(self, client: SlowClient, clock: Clock) -> Bench:
        return Bench(client, "t", VALUE, Acks.LEADER, clock.seconds)

    def test_a_lap_shows_its_time_and_no_more(self) -> None:
        """In milliseconds, all of it at the end, however it ends."""
        clock, shown = Clock(), list[int]()
        lap = Lap(clock.seconds, 1.0, shown.append)
        for _ in range(3):
            clock.advance(0.25)
            self.assertFalse(lap.is_over)
        clock.advance(5)
        self.assertTrue(lap.is_over)
        self.assertEqual((sum(shown), lap.end()), (1000, 5.75))
        early = Lap(clock.seconds, 1.0, shown.append)
        self.assertEqual((early.end(), sum(shown)), (0.0, 2000))

    def test_one_by_one_ends_with_its_time(self) -> None:
        """Each answer has been waited for."""
        clock = Clock()
        client = SlowClient(clock)
        bench = self.bench(client, clock)
        outcome = bench.one_by_one(1.05, lambda _: None)
        self.assertEqual((outcome.records, client.produced, bench.stored), (11, 11, 11))
        self.assertEqual(len(outcome.latencies_s), 11)
        self.assertAlmostEqual(max(outcome.latencies_s), 0.1)

    def test_what_is_read_is_counted_if_it_is_what_was_written(self) -> None:
        """In all partitions, page by page, over gaps; another value is none of ours."""
        clock = Clock()
        pages = {0: [page(0, 3, 5), page(4, 5, 5)], 1: [page(0, 2, 2, b"other")], 2: [page(0, 0, 0)]}
        outcome, was_all = self.bench(SlowClient(clock, pages), clock).read_again(range(3), 9.0, lambda _: None)
        self.assertEqual((outcome.records, was_all, len(outcome.latencies_s)), (4, True, 4))

    def test_reading_ends_with_its_time(self) -> None:
        """And says that there is more."""
        clock = Clock()
        pages = {0: [page(offset, offset + 1, 100) for offset in range(100)]}
        outcome, was_all = self.bench(SlowClient(clock, pages), clock).read_again([0], 0.35, lambda _: None)
        self.assertEqual((outcome.records, was_all), (4, False))

    def test_a_lost_record_is_a_failure(self) -> None:
        """Not so one that there was no time to read."""
        judge(10, 10, was_all=True)
        judge(10, 12, was_all=True)  # one whose answer was lost
        error = self.assertRaises(click.ClickException, judge, 10, 8, was_all=True)
        self.assertEqual(error.message, "2 of 10 acknowledged records are not there.")
        with CliRunner().isolation() as (_, stderr, _):
            judge(10, 8, was_all=False)
            self.assertEqual(stderr.getvalue(), b"2 records were not read again in the time there was.\n")
