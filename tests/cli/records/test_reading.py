"""Partitions read without a group and without a broker."""

import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.outage import Outage
from flux.cli.records.reading import Tail, backlog
from flux.client import ClientClosed, Page, Record
from flux.errors import UnknownTopic


class Log:
    """A client that knows nothing but some offsets, a few to a page. Its *seen_end* is where it ends when it is asked again."""

    def __init__(self, *partitions: list[int], end: int, seen_end: int | None = None, page: int = 2) -> None:
        self.partitions = partitions
        self.end = end
        self.seen_end = end if seen_end is None else seen_end
        self.page = page
        self.asked: list[tuple[int, int, int | None]] = []

    def offsets(self, topic: str, partition: int, at: str) -> Any:
        class Found:
            offset = self.end

        return Found

    def consume(self, topic: str, partition: int, offset: int, *, max_records: int | None, reset: str) -> Page:
        self.asked.append((partition, offset, max_records))
        most = self.page if max_records is None else min(self.page, max_records)
        found = [each for each in self.partitions[partition] if each >= offset][:most]
        records = tuple(Record(topic, partition, each, b"v", None, 0) for each in found)
        next_offset = found[-1] + 1 if found else max(offset, self.seen_end)
        return Page(records, next_offset, self.seen_end, 0)


class Endless:
    """A client of which every question has an answer, until it is closed; partition 1 is gone."""

    def __init__(self) -> None:
        self.is_closed = False

    def consume(self, topic: str, partition: int, offset: int, *, wait_ms: int, reset: str) -> Page:
        if self.is_closed:
            raise ClientClosed("closed")
        if partition == 1:
            raise UnknownTopic("topic: t was deleted")
        return Page((Record(topic, partition, offset, b"v", None, 0),), offset + 1, offset + 1, 0)

    def close(self) -> None:
        self.is_closed = True


class BacklogTests(SynchronousTestCase):
    def read(self, log: Any, positions: dict[int, int], most: int | None = None) -> list[tuple[int, int]]:
        return [record[1:3] for page in backlog(log, "t", positions, most) for record in page]

    def test_partitions_come_one_after_the_other(self) -> None:
        """Each from its position to the end there was; the positions are where to go on."""
        positions = {0: 0, 2: 1}
        read = self.read(Log([0, 1, 2], [], [0, 1, 2, 3], end=3), positions)
        self.assertEqual(read, [(0, 0), (0, 1), (0, 2), (2, 1), (2, 2)])
        self.assertEqual(positions, {0: 3, 2: 3})

    def test_gaps_are_passed(self) -> None:
        """At the end, too."""
        self.assertEqual(self.read(Log([0, 5], end=9), {0: 0}), [(0, 0), (0, 5)])

    def test_no_more_is_asked_for_than_wanted(self) -> None:
        """Over all partitions."""
        log = Log([0, 1, 2], [0, 1, 2], end=3)
        self.assertEqual(self.read(log, {0: 0, 1: 0}, 4), [(0, 0), (0, 1), (0, 2), (1, 0)])
        self.assertEqual([most for _, _, most in log.asked], [4, 2, 1])

    def test_an_end_that_recedes_is_no_endless_loop(self) -> None:
        """Another broker leads now, and has less."""
        log = Log([0, 1], end=9, seen_end=2)
        self.assertEqual(self.read(log, {0: 0}), [(0, 0), (0, 1)])
        self.assertEqual(len(log.asked), 2)


class TailTests(SynchronousTestCase):
    def tail(self, *partitions: int) -> Tail:
        client: Any = Endless()
        tail = Tail(client, "t", dict.fromkeys(partitions, 0), Outage())
        tail.start()
        self.addCleanup(tail.close)
        return tail

    def test_one_that_was_not_started_can_be_closed(self) -> None:
        """Ctrl-C may come before."""
        before = threading.active_count()
        client: Any = Endless()
        Tail(client, "t", {0: 0, 2: 0}, Outage()).close()
        self.assertTrue(client.is_closed)
        self.assertEqual(threading.active_count(), before)

    def test_all_partitions_are_read(self) -> None:
        """Each in order."""
        seen: dict[int, list[int]] = {0: [], 2: []}
        for records in self.tail(0, 2):
            for record in records:
                seen[record.partition].append(record.offset)
            if all(len(offsets) > 5 for offsets in seen.values()):
                break
        for offsets in seen.values():
            self.assertEqual(offsets, list(range(len(offsets))))

    def test_what_no_repetition_mends_is_the_end(self) -> None:
        """Of the whole iteration."""
        error = self.assertRaises(UnknownTopic, lambda: [None for _ in self.tail(0, 1)])
        self.assertIn("deleted", str(error))

    def test_a_close_leaves_no_thread(self) -> None:
        """Though all of them wait for room."""
        before = threading.active_count()
        tail = self.tail(0, *range(2, 20))
        next(iter(tail))
        tail.close()
        self.assertEqual(threading.active_count(), before)
