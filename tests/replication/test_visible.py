"""Fetches that wait."""

from twisted.internet.defer import CancelledError

from flux.errors import (
    ShuttingDown,
    UnknownTopic,
)
from tests.replication.scene import MAX_BYTES, PartitionCase


class ParkedTests(PartitionCase):
    """Fetches that wait."""

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
