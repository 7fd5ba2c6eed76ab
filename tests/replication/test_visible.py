"""Fetches that wait."""

import gc
import weakref
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from flux.errors import (
    ShuttingDown,
    StorageError,
    UnknownTopic,
)
from flux.model import Fetched
from flux.replication.visible import VisibleLog
from tests.replication.scene import MAX_BYTES, TP, PartitionCase


class EmptyLog:
    """A log of damage: it has offsets, and nothing at them."""

    start_offset = end_offset = reads = 0

    def read_newest(self, offset: int, max_bytes: int, end: int) -> bytes:
        return b""

    def read(self, offset: int, max_bytes: int, end: int) -> "Deferred[bytes]":
        self.reads += 1
        return succeed(b"")


class BrokenLog(EmptyLog):
    """A log with a mistake in it that shows at offset 1."""

    def read(self, offset: int, max_bytes: int, end: int) -> "Deferred[bytes]":
        if offset == 1:
            raise RuntimeError("nobody foresaw this")
        return succeed(b"data")


class SlowLog(EmptyLog):
    """A log whose disk answers when the test says so."""

    def read(self, offset: int, max_bytes: int, end: int) -> "Deferred[bytes]":
        self.reading: Deferred[bytes] = Deferred()
        return self.reading


class SlowClock(Clock):
    """It is a second later each time somebody looks, and no call may be planned for the past: as with a real reactor."""

    def seconds(self) -> float:
        self.rightNow += 1
        return self.rightNow

    def callLater(self, delay: float, callable: Any, *args: object, **kw: object) -> IDelayedCall:
        assert delay >= 0, f"{delay} s from now is the past"
        return super().callLater(delay, callable, *args, **kw)


class ParkedTests(PartitionCase):
    """Fetches that wait."""

    def last(self) -> bytes:
        """The newest batch."""
        return self.successResultOf(self.partition.fetch(self.partition.log_end - 1, MAX_BYTES, 0, 1)).data

    def test_a_fetch_without_a_wait_answers_at_once(self) -> None:
        """Nothing there: empty, with the watermark."""
        fetched = self.successResultOf(self.partition.fetch(0, MAX_BYTES, 0, 1))
        self.assertEqual((fetched.data, fetched.high_watermark, fetched.log_start), (b"", 0, 0))

    def test_an_append_wakes_it(self) -> None:
        """It answers with the record, within the append."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.assertNoResult(waiting)
        self.put()
        self.assertEqual(self.successResultOf(waiting).high_watermark, 1)

    def test_time_wakes_it(self) -> None:
        """After its wait it answers empty, and leaves nothing behind."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.clock.advance(29.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(waiting).data, b"")

    def test_a_caller_who_leaves_takes_it_along(self) -> None:
        """Cancelling ends the wait and its timer."""
        before = len(self.clock.getDelayedCalls())
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)
        self.put()

    def test_all_who_are_parked_share_a_timer(self) -> None:
        """Each has its own time all the same, whoever came first, and whoever left meanwhile; it ends with the last, or with a drain."""
        before = len(self.clock.getDelayedCalls())
        for _ in range(50):
            waiting = self.partition.fetch(self.partition.log_end, MAX_BYTES, 30, 1)
            self.put()
            self.assertEqual(len(self.successResultOf(waiting).data), len(self.last()))
            self.clock.advance(0.125)
        end = self.partition.log_end
        fetches = {wait_s: self.partition.fetch(end, MAX_BYTES, wait_s, 1) for wait_s in (20, 7, 9, 40, 8)}
        self.assertEqual(len(self.clock.getDelayedCalls()), before + 1)
        fetches.pop(8).addErrback(lambda failure: None).cancel()
        for wait_s, step in ((7, 7), (9, 2), (20, 11), (40, 20)):
            self.clock.advance(step - 0.125)
            self.assertNoResult(fetches[wait_s])
            self.clock.advance(0.125)
            self.assertEqual(self.successResultOf(fetches[wait_s]).data, b"")
        self.assertEqual(len(self.clock.getDelayedCalls()), before)
        waiting = self.partition.fetch(end, MAX_BYTES, 30, 1)
        self.partition.release_waits(ShuttingDown("bye"))
        self.failureResultOf(waiting, ShuttingDown)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_who_comes_back_when_his_time_is_over_keeps_nobody_waiting(self) -> None:
        """A consumer asks again at once, for a longer time than others have left."""
        before = len(self.clock.getDelayedCalls())
        again: list[Deferred[Fetched]] = []
        impatient = self.partition.fetch(0, MAX_BYTES, 1, 1)
        impatient.addCallback(lambda fetched: again.append(self.partition.fetch(0, MAX_BYTES, 30, 1)))
        other = self.partition.fetch(0, MAX_BYTES, 2, 1)
        self.clock.advance(1)
        self.assertNoResult(other)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(other).data, b"")
        self.assertNoResult(again[0])
        self.clock.advance(29)
        self.assertEqual(self.successResultOf(again[0]).data, b"")
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_a_time_that_is_over_before_the_timer_begins_is_no_mistake(self) -> None:
        """Between two looks at the clock, the process may not have had its turn."""
        slow, log = SlowClock(), cast(Any, EmptyLog())
        visible = VisibleLog(TP, log, slow, 0)
        waiting = visible.fetch(0, MAX_BYTES, 0.001, 1)
        slow.advance(0)
        self.assertEqual(self.successResultOf(waiting).data, b"")

    def test_they_are_served_in_the_order_in_which_they_asked(self) -> None:
        """By one append, whoever would have waited longest."""
        order: list[int] = []

        def served(_: Fetched, number: int) -> None:
            order.append(number)

        for number in range(5):
            self.partition.fetch(0, MAX_BYTES, 30 - 10 * (number % 3), 1).addCallback(served, number)
        self.put()
        self.assertEqual(order, [0, 1, 2, 3, 4])

    def test_polling_for_ever_leaves_nothing_behind(self) -> None:
        """Neither who was served nor who waited in vain is known any more."""
        timers, fetches = len(self.clock.getDelayedCalls()), []
        for number in range(100):
            waiting = self.partition.fetch(self.partition.log_end, MAX_BYTES, 30, 1)
            if number % 2:
                self.put()
            else:
                self.clock.advance(30)
            self.successResultOf(waiting)
            fetches.append(weakref.ref(waiting))
        del waiting
        gc.collect()
        self.assertEqual([fetch() for fetch in fetches], [None] * 100)
        self.clock.advance(30)
        self.assertEqual(len(self.clock.getDelayedCalls()), timers)

    def test_a_log_that_fails_costs_the_fetch_it_fails(self) -> None:
        """Not those behind it, nor whoever raised the watermark: what he appended is there."""
        log: Any = BrokenLog()
        log.end_offset = 1
        visible = VisibleLog(TP, log, self.clock, 0)
        broken, sound = visible.fetch(1, MAX_BYTES, 30, 1), visible.fetch(0, MAX_BYTES, 30, 1)
        log.end_offset = 2
        visible.watermark.advance(2)
        self.failureResultOf(broken, RuntimeError)
        self.assertEqual(self.successResultOf(sound).data, b"data")

    def test_who_left_while_the_disk_was_read_is_not_answered(self) -> None:
        """Nor is anybody told when that read fails."""
        for outcome in (b"data", StorageError("the disk is gone")):
            log: Any = SlowLog()
            visible = VisibleLog(TP, log, self.clock, 0)
            waiting = visible.fetch(0, MAX_BYTES, 30, 1)
            log.end_offset = 1
            visible.watermark.advance(1)
            self.assertNoResult(waiting)
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
            if isinstance(outcome, bytes):
                log.reading.callback(outcome)
            else:
                log.reading.errback(outcome)
            self.assertIsNone(self.successResultOf(log.reading))

    def test_a_disk_that_fails_is_reported(self) -> None:
        """To whoever waits for what is on it."""
        log: Any = SlowLog()
        visible = VisibleLog(TP, log, self.clock, 0)
        waiting = visible.fetch(0, MAX_BYTES, 30, 1)
        log.end_offset = 1
        visible.watermark.advance(1)
        log.reading.errback(StorageError("the disk is gone"))
        self.failureResultOf(waiting, StorageError)

    def test_a_change_of_leaders_does_not_end_it(self) -> None:
        """Reading needs no leadership: it is woken by the first record of the next epoch."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.partition.follow(1, "is led by broker 1")
        self.assertNoResult(waiting)
        self.partition.lead(2, self.replicas, (0,))
        self.assertNoResult(waiting)
        self.put()
        self.assertEqual(self.successResultOf(waiting).high_watermark, 1)

    def test_it_waits_on_where_the_log_jumps(self) -> None:
        """A gap is nothing to show: it is answered when there is something behind it."""
        log: Any = EmptyLog()
        visible = VisibleLog(TP, log, self.clock, 0)
        waiting = visible.fetch(0, MAX_BYTES, 30, 1)
        for log.end_offset in (1, 2):
            visible.watermark.advance(log.end_offset)
            self.assertEqual(log.reads, log.end_offset)
            self.assertNoResult(waiting)
        self.clock.advance(30)
        self.assertEqual(self.successResultOf(waiting).high_watermark, 2)

    def test_one_may_take_another_along(self) -> None:
        """Whoever is served may cancel who comes after it, and come back himself."""
        other: list[Deferred[Fetched]] = []
        again: list[Deferred[Fetched]] = []

        def served(fetched: Fetched) -> None:
            other[0].cancel()
            again.append(self.partition.fetch(fetched.high_watermark, MAX_BYTES, 30, 1))

        self.partition.fetch(0, MAX_BYTES, 30, 1).addCallback(served)
        other.append(self.partition.fetch(0, MAX_BYTES, 30, 1))
        self.put()
        self.failureResultOf(other[0], CancelledError)
        self.assertNoResult(again[0])
        self.put()
        self.assertEqual(self.successResultOf(again[0]).offset, 1)

    def test_a_drain_releases_it_and_parks_no_other(self) -> None:
        """Everybody parked, and whoever would be, is told why; a fetch that need not wait is served."""
        self.put()
        waiting = self.partition.fetch(1, MAX_BYTES, 30, 1)
        self.partition.release_waits(ShuttingDown("bye"))
        self.failureResultOf(waiting, ShuttingDown)
        self.failureResultOf(self.partition.fetch(1, MAX_BYTES, 30, 1), ShuttingDown)
        self.assertEqual(self.successResultOf(self.partition.fetch(0, MAX_BYTES, 30, 1)).high_watermark, 1)

    def test_it_waits_for_min_bytes(self) -> None:
        """Fewer bytes than asked for do not end the wait; the read is repeated, but not per append."""
        self.put()
        size = len(self.successResultOf(self.partition.fetch(0, MAX_BYTES, 0, 1)).data)
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 3 * size)
        self.put()
        self.clock.advance(0.01)
        self.assertNoResult(waiting)
        self.put()
        self.clock.advance(0.01)
        self.assertEqual(len(self.successResultOf(waiting).data), 3 * size)

    def test_too_few_bytes_in_time_are_answered(self) -> None:
        """What there is, when the wait is over."""
        self.put()
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1 << 16)
        self.clock.advance(30)
        fetched = self.successResultOf(waiting)
        self.assertEqual((fetched.high_watermark, bool(fetched.data)), (1, True))

    def test_min_bytes_above_max_bytes_does_not_wait_for_ever(self) -> None:
        """No answer is longer than max_bytes allows, so no more is waited for."""
        self.put(3)
        fetched = self.successResultOf(self.partition.fetch(0, 1, 30, MAX_BYTES))
        self.assertTrue(fetched.data)

    def test_deleting_the_topic_ends_it(self) -> None:
        """A consumer of a deleted topic hears so, as does a producer."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.partition.close(UnknownTopic("gone"))
        self.failureResultOf(waiting, UnknownTopic)
        self.assertRaises(UnknownTopic, self.put)
