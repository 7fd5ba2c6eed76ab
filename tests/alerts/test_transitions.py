"""Two images, and what an operator may want to know of the step between them."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from flux.alerts.transitions import transitions
from flux.cluster import changes
from flux.cluster.image import Fence, Image
from flux.model import Alert, AlertKind, TopicPartition
from tests.cluster.images import TP, brokers, with_topic

NOW_MS = 5000


def told(before: Image, after: Image) -> list[Alert]:
    return list(transitions(before.topics, after.topics, NOW_MS))


def with_isr(image: Image, *isr: int) -> Image:
    return changes.alter_isr(image, TP, image.partition(*TP).leader_epoch, isr)


class ReplicationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.whole = with_topic(brokers(0), factor=3)

    def test_each_replica_that_leaves_is_told(self) -> None:
        """With who is in sync now; the second is worse than the first."""
        two, one = with_isr(self.whole, 0, 2), with_isr(self.whole, 0)
        for before, after, cause in (
            (self.whole, two, "out of sync: 1"),
            (two, one, "out of sync: 1 2"),
            (self.whole, one, "out of sync: 1 2"),
            (with_isr(self.whole, 0, 1), two, "out of sync: 1"),
        ):
            isr = after.partition(*TP).isr
            self.assertEqual(
                told(before, after), [Alert(AlertKind.UNDER_REPLICATED, TP, NOW_MS, cause, 0, 0, (0, 1, 2), isr)]
            )

    def test_the_end_is_told_when_all_are_back(self) -> None:
        """Not when the first one is."""
        one, two = with_isr(self.whole, 0), with_isr(self.whole, 0, 1)
        self.assertEqual(told(one, two), [])
        (ended,) = told(two, self.whole)
        self.assertEqual((ended.kind, ended.isr), (AlertKind.UNDER_REPLICATION_ENDED, (0, 1, 2)))

    def test_a_deleted_topic_ends_its_trouble(self) -> None:
        """So does one of the same name made anew; where there was none, nothing is told."""
        bad = with_isr(self.whole, 0)
        gone = changes.delete_topic(bad, "orders")
        (ended,) = told(bad, gone)
        self.assertEqual((ended.kind, ended.cause), (AlertKind.UNDER_REPLICATION_ENDED, "the topic was deleted"))
        anew = replace(bad, topics={"orders": replace(self.whole.topics["orders"], topic_id="another")})
        self.assertEqual([alert.kind for alert in told(bad, anew)], [AlertKind.UNDER_REPLICATION_ENDED])
        self.assertEqual(told(self.whole, changes.delete_topic(self.whole, "orders")), [])

    def test_after_a_start_all_that_is_amiss_is_told(self) -> None:
        """And nothing else: who leads is no news then."""
        bad = with_isr(self.whole, 0, 1)
        self.assertEqual([alert.kind for alert in told(Image(), bad)], [AlertKind.UNDER_REPLICATED])
        self.assertEqual(told(Image(), self.whole), [])


class LeadershipTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.image = with_topic(brokers(0, 1), partitions=2, factor=2)

    def test_a_change_of_leader_is_told_with_its_cause(self) -> None:
        """Of the partition that changed, at the time of the change."""
        moved = changes.set_leader(self.image, TP, 1, (1, 0), 4321)
        self.assertEqual(
            told(self.image, moved),
            [Alert(AlertKind.LEADERSHIP_CHANGED, TP, 4321, "set by an operator", 1, 1, (0, 1), (1, 0))],
        )

    def test_nobody_is_told_too(self) -> None:
        """The leader is None then."""
        held = changes.take_leader(self.image, TP, 4321)
        (alert,) = told(self.image, held)
        self.assertEqual((alert.leader, alert.leader_epoch), (None, 1))
        self.assertIn("follower", alert.cause)

    def test_a_fenced_broker_is_news_of_all_it_led(self) -> None:
        """Who leads now, and who is missing: two alerts a partition."""
        fenced = changes.fence_brokers(self.image, [0], Fence.SILENCE, 4321)
        alerts = told(self.image, fenced)
        self.assertEqual(
            [(alert.tp.partition, alert.kind.value, alert.leader) for alert in alerts],
            [
                (0, "leadership_changed", 1),
                (0, "under_replicated", 1),
                (1, "leadership_changed", 1),
                (1, "under_replicated", 1),
            ],
        )

    def test_a_new_epoch_of_the_same_leader_is_no_news(self) -> None:
        """Nor are settings, new topics, new partitions, or brokers."""
        same = changes.set_leader(self.image, TP, 0, (1, 0), 4321)
        self.assertNotEqual(same, self.image)
        self.assertEqual(told(self.image, same), [])
        self.assertEqual(told(self.image, changes.alter_config(self.image, "orders", {"retention.ms": "1"})), [])
        self.assertEqual(told(self.image, changes.grow_topic(self.image, "orders", 3, 0, 0)), [])
        self.assertEqual(told(self.image, with_topic(self.image, "other")), [])
        self.assertEqual(told(self.image, changes.register_broker(self.image, 2, "h", 1, None)), [])

    def test_partitions_are_told_apart(self) -> None:
        """The second one's trouble is not the first one's."""
        moved = changes.set_leader(self.image, TopicPartition("orders", 1), 1, (1, 0), 0)
        self.assertEqual([alert.tp.partition for alert in told(self.image, moved)], [1])
