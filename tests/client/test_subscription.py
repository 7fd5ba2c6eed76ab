"""A consumer: memberships, partitions, and the next record."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.client.calls import Record
from flux.client.errors import NoBroker
from flux.client.options import ConsumerOptions
from flux.client.subscription import Assigned, Event, Revoked, Subscription, Survived
from flux.errors import BadRequest, GenerationMismatch, OffsetOutOfRange, UnknownTopic
from flux.model import TopicPartition
from flux.wire.group import Alive, Left
from tests.client.agents import COMMITTED, AgentScene, joined, located, page, record


def tp(partition: int, topic: str = "t") -> TopicPartition:
    return TopicPartition(topic, partition)


class Subscriptions(SynchronousTestCase):
    """Of the member m in the group g."""

    def subscribe(self, *topics: str, **options: Any) -> Subscription:
        self.subscription = Subscription("g", topics or ("t",), "m", ConsumerOptions(**options))
        self.scene = AgentScene(self.subscription)
        return self.subscription

    def own(self, *partitions: int, **options: Any) -> Subscription:
        """A subscription to t with these partitions, each located at 0."""
        subscription = self.subscribe(**options)
        self.scene.answer("JOIN", joined(2, *partitions))
        self.assertEqual(subscription.next(self.scene.now_s), Assigned(tuple(map(tp, partitions))))
        for partition in partitions:
            self.scene.answer(f"OFFSET g t {partition}", located(0))
        return subscription

    def rejoin(self, generation: int, *partitions: int) -> list[Event | Record | None]:
        """Through a refused sign of life; what there is to be told."""
        while not any(call.startswith("HEARTBEAT") for call in self.scene.calls()):
            self.scene.advance_to_wake()
        self.scene.answer("HEARTBEAT", GenerationMismatch("over"))
        self.scene.answer("JOIN", joined(generation, *partitions))
        told: list[Event | Record | None] = []
        while (item := self.subscription.next(self.scene.now_s)) is not None:
            told.append(item)
        return told


class Records(Subscriptions):
    """Which comes next."""

    def test_partitions_take_turns(self) -> None:
        """Each in its own order; the one before is handled by then, or is not."""
        subscription = self.own(0, 1, prefetch=1)
        self.assertIsNone(subscription.next(self.scene.now_s))
        self.scene.answer("CONSUME t 0", page("t", 0, 0, 1, 2))
        self.scene.answer("CONSUME t 1", page("t", 1, 0))
        taken = []
        while isinstance(record := subscription.next(self.scene.now_s), Record):
            taken.append((record.partition, record.offset))
            subscription.handled()
        self.assertEqual(taken, [(0, 0), (1, 0), (0, 1), (0, 2)])
        commits = [call for call in self.scene.calls() if call.startswith("COMMIT")]
        self.assertEqual(commits, ["COMMIT g t m 2 0 3", "COMMIT g t m 2 1 1"])

    def test_several_topics_are_several_memberships(self) -> None:
        """Each topic once."""
        subscription = self.subscribe("a", "b", "a")
        self.assertEqual([call.split()[2] for call in self.scene.calls()], ["a", "b"])
        self.scene.answer("JOIN g b", joined(2, 0))
        self.scene.answer("JOIN g a", joined(5, 1))
        self.assertEqual(subscription.assignment, (tp(1, "a"), tp(0, "b")))
        with self.assertRaises(BadRequest):
            Subscription("g", [], "m", ConsumerOptions())

    def test_positions_are_known_and_moved(self) -> None:
        """Of what is ours only."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0, 1))
        self.assertEqual(subscription.position("t", 0), 0)
        subscription.pause("t", 0)
        self.assertIsNone(subscription.next(self.scene.now_s))
        subscription.resume("t", 0)
        self.assertIsInstance(subscription.next(self.scene.now_s), Record)
        subscription.seek("t", 0, 7)
        self.assertEqual(subscription.position("t", 0), 7)
        for refused in (subscription.position, subscription.pause, subscription.resume):
            with self.assertRaises(BadRequest) as raised:
                refused("t", 1)
            self.assertIn("those are: t-0", str(raised.exception))

    def test_what_was_handed_out_before_a_seek_is_not_committed_after_it(self) -> None:
        """It says nothing about where the consumer is now."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0, 1))
        record = subscription.next(self.scene.now_s)
        assert isinstance(record, Record)
        subscription.seek("t", 0, 100)
        subscription.handled()
        self.assertFalse([call for call in self.scene.calls() if call.startswith("COMMIT")])


class Rebalances(Subscriptions):
    """Partitions come and go."""

    def test_what_is_lost_and_what_is_new_is_told(self) -> None:
        """In this order, before any record; what stays is not told again."""
        subscription = self.own(0, 1)
        self.assertEqual(self.rejoin(3, 1, 2), [Revoked((tp(0),)), Assigned((tp(2),))])
        self.assertEqual(subscription.assignment, (tp(1), tp(2)))
        self.assertEqual(self.rejoin(4, 1, 2), [])

    def test_a_record_whose_partition_is_gone_is_not_committed(self) -> None:
        """Not even if the partition has come back since: it was somebody else's in between."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0, 1))
        record = subscription.next(self.scene.now_s)
        assert isinstance(record, Record)
        self.rejoin(3)
        self.rejoin(4, 0)
        subscription.handled()
        self.scene.answer("OFFSET", located(0))
        self.assertFalse([call for call in self.scene.calls() if call.startswith("COMMIT")])

    def test_what_stays_is_looked_at_before_it_goes_on(self) -> None:
        """Somebody else may have had it for a while."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0, 1))
        self.assertEqual(self.rejoin(5, 0), [])
        self.assertIsNone(subscription.next(self.scene.now_s))
        self.scene.answer("OFFSET", located(0))
        self.assertEqual(subscription.next(self.scene.now_s), record("t", 0, 0))

    def test_nothing_is_handed_out_once_the_session_may_be_over(self) -> None:
        """Somebody who slept does not go on as if nothing had happened: the partition may be another's by now."""
        subscription = self.own(0, prefetch=1, session_ms=6000)
        self.scene.answer("CONSUME", page("t", 0, 0, 1, 2))
        self.scene.now_s += 5.9
        self.assertIsInstance(subscription.next(self.scene.now_s), Record)
        self.scene.now_s += 0.1
        self.assertIsNone(subscription.next(self.scene.now_s))
        self.assertFalse(subscription.has_news(self.scene.now_s))
        self.scene.answer("HEARTBEAT", Alive())
        self.assertTrue(subscription.has_news(self.scene.now_s))
        self.assertIsInstance(subscription.next(self.scene.now_s), Record)

    def test_signs_of_life_do_not_wait_for_a_handler(self) -> None:
        """They are the runner's, whatever is out."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0))
        subscription.next(self.scene.now_s)
        for _ in range(10):
            while not any(call.startswith("HEARTBEAT") for call in self.scene.calls()):
                self.scene.advance_to_wake()
            self.scene.answer("HEARTBEAT", Alive())
        self.assertGreaterEqual(self.scene.now_s, 120.0)


class Failures(Subscriptions):
    """What goes wrong."""

    def test_what_can_be_tried_again_is_told_and_tried_again(self) -> None:
        """As an event."""
        subscription = self.subscribe()
        error = NoBroker("gone")
        self.scene.answer("JOIN", error)
        self.assertEqual(subscription.next(self.scene.now_s), Survived(error))
        self.assertIsNone(subscription.failure)
        self.scene.advance_to_wake()
        self.assertEqual(len(self.scene.calls()), 1)

    def test_what_no_repetition_mends_is_the_end(self) -> None:
        """The first of them is the reason."""
        subscription = self.subscribe("a", "b")
        error = UnknownTopic("topic: a does not exist")
        self.scene.answer("JOIN g a", error)
        self.scene.answer("JOIN g b", BadRequest("no"))
        self.assertIs(subscription.failure, error)
        self.assertEqual(self.scene.calls(), [])
        self.assertIsNone(subscription.wake_at_s)

    def test_an_offset_that_is_not_there_is_the_end_if_the_options_say_so(self) -> None:
        """Else it is told."""
        subscription = self.own(0, auto_offset_reset="error")
        error = OffsetOutOfRange("5 to 9")
        self.scene.answer("CONSUME", error)
        self.assertIs(subscription.failure, error)
        subscription = self.own(0)
        self.scene.answer("CONSUME", error)
        self.assertEqual((subscription.failure, subscription.next(self.scene.now_s)), (None, Survived(error)))


class Closing(Subscriptions):
    """A clean leave."""

    def test_what_is_handled_is_committed_and_then_it_leaves(self) -> None:
        """Then nothing is wanted any more."""
        subscription = self.own(0, prefetch=1)
        self.scene.answer("CONSUME", page("t", 0, 0, 1))
        record = subscription.next(self.scene.now_s)
        assert isinstance(record, Record)
        subscription.handled()
        subscription.close(self.scene.now_s + 10)
        self.assertIsNone(subscription.next(self.scene.now_s))
        self.assertEqual(self.scene.calls(), ["COMMIT g t m 2 0 1"])
        self.scene.answer("COMMIT", COMMITTED)
        self.assertEqual(self.scene.calls(), ["LEAVE g t m 2"])
        self.assertFalse(subscription.is_over(self.scene.now_s))
        self.scene.answer("LEAVE", Left())
        self.assertTrue(subscription.is_over(self.scene.now_s))

    def test_it_takes_no_longer_than_it_may(self) -> None:
        """The session's end does the rest."""
        subscription = self.own(0)
        subscription.close(self.scene.now_s + 10)
        self.scene.calls()
        self.assertEqual(self.scene.advance_to_wake(), 10)
        self.assertTrue(subscription.is_over(self.scene.now_s))

    def test_one_that_never_joined_is_over_at_once(self) -> None:
        """And one that failed leaves all the same."""
        subscription = self.subscribe()
        subscription.close(self.scene.now_s + 10)
        self.assertEqual(self.scene.calls(), [])
        self.assertTrue(subscription.is_over(self.scene.now_s))
        subscription = self.own(0)
        self.scene.answer("CONSUME", BadRequest("no"))
        self.assertEqual(self.scene.calls(), [])
        subscription.close(self.scene.now_s + 10)
        self.assertEqual(self.scene.calls(), ["LEAVE g t m 2"])
