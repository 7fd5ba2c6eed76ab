"""One partition: where to read, what is at hand, what is committed."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.client.errors import NoBroker, OutcomeUnknown
from flux.client.feed import Feed
from flux.client.membership import Membership
from flux.client.options import ConsumerOptions
from flux.errors import FluxError, GenerationMismatch, OffsetOutOfRange
from flux.model import TopicPartition
from flux.wire.offsets import OffsetFound
from tests.client.agents import COMMITTED, AgentScene, joined, located, page

READ = "max_bytes=1048576"


class Feeds(SynchronousTestCase):
    """A feed of t-0 for the group g."""

    def feed(self, **options: Any) -> Feed:
        self.failed: list[FluxError] = []
        chosen = ConsumerOptions(**options)
        self.membership = Membership("g", "t", "m", chosen, lambda *_: None, self.failed.append)
        AgentScene(self.membership).answer("JOIN", joined(2, 0))
        feed = Feed(TopicPartition("t", 0), self.membership, chosen, self.failed.append)
        self.scene = AgentScene(feed)
        return feed

    def read_feed(self, *offsets: int, **options: Any) -> Feed:
        """Located at the first of *offsets*, all of which are at hand; nothing is under way that could get in the way."""
        feed = self.feed(prefetch=1, **options)
        self.scene.answer("OFFSET", located(offsets[0]))
        self.scene.answer("CONSUME", page("t", 0, *offsets))
        return feed

    def handle(self, feed: Feed, count: int = 1) -> None:
        for _ in range(count):
            feed.handled(feed.take())


class Reading(Feeds):
    """From where the group stopped, ahead of whoever handles."""

    def test_it_goes_on_where_the_group_stopped(self) -> None:
        """By long polls, from one page's end to the next."""
        feed = self.feed(poll_ms=500)
        self.assertEqual(self.scene.calls(), ["OFFSET g t 0"])
        self.scene.answer("OFFSET", located(5))
        self.assertEqual(
            self.scene.calls(), ["CONSUME t 0 5 wait_ms=500 enc=b64 order=any fields=keys,timestamps,tombstones"]
        )
        self.assertFalse(feed.has_records(self.scene.now_s))
        self.scene.answer("CONSUME", page("t", 0, 5, 7, next_offset=9))
        self.assertEqual([feed.take().offset, feed.take().offset], [5, 7])
        self.assertTrue(self.scene.calls()[0].startswith("CONSUME t 0 9 "))
        self.assertEqual(feed.position, 9)

    def test_it_reads_ahead_so_far(self) -> None:
        """And again when fewer are at hand."""
        feed = self.feed(prefetch=2)
        self.scene.answer("OFFSET", located(0))
        self.scene.answer("CONSUME", page("t", 0, 0))
        self.scene.answer("CONSUME", page("t", 0, 1, 2))
        self.assertEqual((self.scene.calls(), feed.position), ([], 0))
        feed.take()
        self.assertEqual(self.scene.calls(), [])
        feed.take()
        self.assertEqual(len(self.scene.calls()), 1)

    def test_nothing_committed_begins_where_the_options_say(self) -> None:
        """At the log's start, at its end, or not at all."""
        self.feed(auto_offset_reset="earliest")
        self.scene.answer("OFFSET", located(3, committed=False))
        self.assertTrue(self.scene.calls()[0].startswith("CONSUME t 0 3 "))
        self.feed(auto_offset_reset="latest")
        self.scene.answer("OFFSET", located(3, committed=False))
        self.assertEqual(self.scene.calls(), ["OFFSETS t 0 at=latest"])
        self.scene.answer("OFFSETS", OffsetFound(8, -1))
        self.assertTrue(self.scene.calls()[0].startswith("CONSUME t 0 8 "))
        self.assertEqual(self.failed, [])
        self.feed(auto_offset_reset="error")
        self.scene.answer("OFFSET", located(3, committed=False))
        self.assertIsInstance(self.failed[0], OffsetOutOfRange)

    def test_what_is_not_in_the_log_any_more_begins_where_the_options_say(self) -> None:
        """And that is told."""
        for policy, offset in [("earliest", 4), ("latest", 9)]:
            self.feed(auto_offset_reset=policy)
            self.scene.answer("OFFSET", located(1))
            self.scene.answer("CONSUME", OffsetOutOfRange("4 to 9"))
            self.assertEqual(self.scene.calls(), [f"OFFSETS t 0 at={policy}"])
            self.scene.answer("OFFSETS", OffsetFound(offset, -1))
            self.assertTrue(self.scene.calls()[0].startswith(f"CONSUME t 0 {offset} "))
            self.assertEqual(len(self.failed), 1)

    def test_what_fails_is_tried_again(self) -> None:
        """Later and later; success begins anew."""
        self.feed(backoff_ms=250)
        self.scene.answer("OFFSET", NoBroker("gone"))
        self.assertEqual(self.scene.calls(), [])
        self.assertEqual(self.scene.advance_to_wake(), 0.25)
        self.scene.answer("OFFSET", located(0))
        for pause_s in (0.25, 0.5):
            self.scene.answer("CONSUME", OutcomeUnknown("lost"))
            self.assertEqual(self.scene.advance_to_wake(), pause_s)
        self.assertEqual(len(self.failed), 3)

    def test_a_paused_feed_hands_out_nothing_and_reads_nothing(self) -> None:
        """What is at hand stays, and so does what was under way."""
        feed = self.read_feed(0, 1)
        feed.take()
        feed.take()
        self.scene.calls()
        feed.pause()
        self.scene.answer("CONSUME", page("t", 0, 2))
        self.assertFalse(feed.has_records(self.scene.now_s))
        feed.resume()
        self.assertEqual(feed.take().offset, 2)
        feed.pause()
        self.assertEqual(self.scene.calls(), [])

    def test_after_a_seek_nothing_from_before_it_counts(self) -> None:
        """Neither what is at hand nor what is under way."""
        feed = self.read_feed(0, 1)
        feed.take()
        feed.take()
        (call,) = self.scene.calls()
        self.assertTrue(call.startswith("CONSUME t 0 2 "))
        feed.seek(100)
        self.assertEqual(feed.position, 100)
        self.scene.answer("CONSUME t 0 2", page("t", 0, 2, 3))
        self.assertFalse(feed.has_records(self.scene.now_s))
        self.scene.answer("CONSUME t 0 100", page("t", 0, 100))
        self.assertEqual(feed.take().offset, 100)

    def test_nothing_is_read_without_a_generation(self) -> None:
        """The partition may be somebody else's."""
        self.feed()
        self.membership.generation = None
        self.assertEqual(self.scene.calls(), [])


class Committing(Feeds):
    """What is handled, and never more."""

    def test_what_is_handled_is_committed_one_at_a_time(self) -> None:
        """At most so often; the last one always follows."""
        feed = self.read_feed(0, 1, 2, 3, commit_interval_ms=100)
        feed.take()
        self.assertEqual(self.scene.calls(), [])
        self.assertTrue(feed.is_settled)
        feed.handled(page("t", 0, 0).records[0])
        self.assertFalse(feed.is_settled)
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 1"])
        self.handle(feed, 2)
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 1"])
        self.scene.answer("COMMIT", COMMITTED)
        self.assertEqual(self.scene.calls(), [])
        self.assertEqual(self.scene.advance_to_wake(), 0.1)
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 3"])
        self.scene.answer("COMMIT", COMMITTED)
        self.assertTrue(feed.is_settled)

    def test_a_refused_commit_means_to_join_again(self) -> None:
        """It is made again in the next generation, if the partition is still ours and nobody has moved it."""
        feed = self.read_feed(0, 1)
        self.handle(feed)
        self.scene.answer("COMMIT", GenerationMismatch("2 is over"))
        self.assertIsNone(self.membership.generation)
        self.assertEqual(self.scene.calls(), [])
        self.membership.generation = 3
        feed.doubt()
        self.assertEqual(self.scene.calls(), ["OFFSET g t 0"])
        self.assertFalse(feed.has_records(self.scene.now_s))
        self.scene.answer("OFFSET", located(0))
        self.scene.advance_to_wake()
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 3 0 1"])
        self.assertEqual(feed.take().offset, 1)

    def test_a_commit_that_fails_is_made_again(self) -> None:
        """With what is handled by then."""
        feed = self.read_feed(0, 1, 2)
        self.handle(feed)
        self.scene.answer("COMMIT", OutcomeUnknown("lost"))
        self.handle(feed)
        self.assertEqual(self.scene.advance_to_wake(), 0.25)
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 2"])
        self.assertEqual(len(self.failed), 1)

    def test_a_stopped_feed_commits_and_is_settled(self) -> None:
        """At once, without waiting for its interval; and it reads no more."""
        feed = self.read_feed(0, 1, 2)
        self.handle(feed)
        self.scene.answer("COMMIT", COMMITTED)
        self.handle(feed)
        self.assertEqual(self.scene.calls(), [])
        feed.stop()
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 2"])
        self.assertFalse(feed.has_records(self.scene.now_s) or feed.is_settled)
        self.scene.answer("COMMIT", COMMITTED)
        self.assertTrue(feed.is_settled)
        self.assertIsNone(feed.wake_at_s)

    def test_what_cannot_be_committed_any_more_holds_nobody_up(self) -> None:
        """The generation is over: somebody else handles it again."""
        feed = self.read_feed(0, 1)
        self.handle(feed)
        feed.stop()
        self.scene.answer("COMMIT", GenerationMismatch("2 is over"))
        self.assertTrue(feed.is_settled)


class Doubting(Feeds):
    """After a rebalance."""

    def test_where_nobody_moved_the_group_it_goes_on(self) -> None:
        """With what is at hand: what it has committed itself, or may have."""
        for outcome, found in [(COMMITTED, 1), (OutcomeUnknown("lost"), 1), (OutcomeUnknown("lost"), 0)]:
            feed = self.read_feed(0, 1, 2)
            self.handle(feed)
            self.scene.answer("COMMIT", outcome)
            feed.doubt()
            self.assertFalse(feed.has_records(self.scene.now_s))
            self.scene.answer("OFFSET", located(found))
            self.assertEqual(feed.take().offset, 1)

    def test_where_somebody_moved_the_group_it_follows(self) -> None:
        """Forward, where another handled what is at hand; or back, where an operator sent it. Nothing old is committed."""
        for found in (2, 0):
            feed = self.read_feed(0, 1, 2)
            self.handle(feed)
            self.scene.answer("COMMIT", COMMITTED)
            self.handle(feed)
            jumps = feed.jumps
            feed.doubt()
            self.scene.answer("OFFSET", located(found))
            self.assertGreater(feed.jumps, jumps)
            self.assertFalse(feed.has_records(self.scene.now_s))
            (call,) = self.scene.calls()
            self.assertTrue(call.startswith(f"CONSUME t 0 {found} "))

    def test_where_nothing_is_committed_it_goes_on_too(self) -> None:
        """As long as nothing was committed before."""
        feed = self.feed(prefetch=1)
        self.scene.answer("OFFSET", located(0, committed=False))
        self.scene.answer("CONSUME", page("t", 0, 0))
        feed.doubt()
        self.scene.answer("OFFSET", located(0, committed=False))
        self.assertEqual(feed.take().offset, 0)

    def test_a_read_from_before_does_not_count(self) -> None:
        """It may be from where the group no longer is."""
        feed = self.read_feed(0)
        feed.take()
        self.scene.calls()
        feed.doubt()
        self.scene.answer("CONSUME", page("t", 0, 1))
        self.scene.answer("OFFSET", located(50))
        self.assertFalse(feed.has_records(self.scene.now_s))
        self.assertTrue(self.scene.calls()[0].startswith("CONSUME t 0 50 "))
