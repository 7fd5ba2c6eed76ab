"""The changes that make the next image."""

from twisted.trial.unittest import SynchronousTestCase

from flux.cluster import changes
from flux.cluster.image import Fence, Image
from flux.errors import BadRequest, NotLeader, Throttled, TopicExists, UnknownTopic
from flux.model import TopicPartition
from tests.cluster.images import TP, brokers, led, state, with_topic


class TopicTests(SynchronousTestCase):
    """Topics come, change and go."""

    def test_a_topic_is_led_from_its_creation(self) -> None:
        """By the broker that creates it, in epoch 0, with every replica in sync; it remembers the change that made it."""
        image = with_topic(Image(7, 12, {}, brokers(0).brokers), partitions=3, factor=2)
        topic = image.topic("orders")
        self.assertEqual((topic.term, topic.index, len(topic.partitions)), (7, 12, 3))
        for partition in topic.partitions:
            self.assertEqual(
                (partition.leader, partition.leader_epoch, partition.replicas, partition.isr), (0, 0, (0, 1), (0, 1))
            )

    def test_the_same_shape_again_changes_nothing(self) -> None:
        """Settings that were asked for must be those it has; those not asked for may be anything."""
        image = with_topic(brokers(0), retention_ms="5")
        self.assertIs(with_topic(image), image)
        self.assertIs(with_topic(image, retention_ms="5"), image)

    def test_another_shape_is_refused(self) -> None:
        """The message says what differs."""
        image = with_topic(brokers(0))
        for asked, told in (
            ({"partitions": 2}, "partitions 1 instead of 2"),
            ({"factor": 3}, "replication factor 1 instead of 3"),
            ({"retention_ms": "5"}, "retention.ms its default instead of 5"),
        ):
            self.assertIn(told, str(self.assertRaises(TopicExists, with_topic, image, **asked)))

    def test_a_topic_grows_and_never_shrinks(self) -> None:
        """Old partitions stay as they are, new ones are led at once."""
        image = with_topic(brokers(0), partitions=2)
        grown = changes.grow_topic(image, "orders", 4, 0, 0)
        self.assertEqual(grown.topic("orders").partitions[:2], image.topic("orders").partitions)
        self.assertEqual(led(grown, TopicPartition("orders", 3)), (0, 0))
        self.assertIs(changes.grow_topic(grown, "orders", 4, 0, 0), grown)
        self.assertRaises(BadRequest, changes.grow_topic, grown, "orders", 3, 0, 0)
        self.assertRaises(UnknownTopic, changes.grow_topic, grown, "other", 3, 0, 0)

    def test_settings_go_over_those_it_has(self) -> None:
        """The same again is no change."""
        image = with_topic(brokers(0), retention_ms="5")
        altered = changes.alter_config(image, "orders", {"segment.bytes": "2048"})
        self.assertEqual(altered.topic("orders").config, {"retention.ms": "5", "segment.bytes": "2048"})
        self.assertIs(changes.alter_config(altered, "orders", {"retention.ms": "5"}), altered)

    def test_what_a_change_leaves_alone_is_shared(self) -> None:
        """Observers skip a topic that is the same object."""
        image = with_topic(with_topic(brokers(0)), "other")
        altered = changes.alter_config(image, "other", {"segment.bytes": "2048"})
        self.assertIs(altered.topic("orders"), image.topic("orders"))

    def test_a_deleted_topic_leaves_a_tombstone(self) -> None:
        """Its name is taken until the tombstone goes."""
        image = changes.delete_topic(with_topic(brokers(0), partitions=3), "orders")
        self.assertRaises(UnknownTopic, image.topic, "orders")
        tombstone = image.tombstones["id-orders"]
        self.assertEqual((tombstone.topic, tombstone.partitions), ("orders", 3))
        self.assertRaises(Throttled, with_topic, image)
        cleared = changes.remove_tombstone(image, "id-orders")
        self.assertEqual(led(with_topic(cleared)), (0, 0))
        self.assertIs(changes.remove_tombstone(cleared, "id-orders"), cleared)


class BrokerTests(SynchronousTestCase):
    """Brokers register, are heard, are fenced."""

    def test_a_registered_broker_is_not_alive_yet(self) -> None:
        """Its first heartbeat makes it so; the next changes nothing."""
        image = changes.register_broker(brokers(0), 1, "h", 1, None)
        self.assertFalse(image.broker(1).electable)
        heard = changes.hear_broker(image, 1, 0)
        self.assertTrue(heard.broker(1).electable)
        self.assertIs(changes.hear_broker(heard, 1, 0), heard)

    def test_nobody_hears_a_stranger(self) -> None:
        """A broker has to register first."""
        for change in (changes.hear_broker, changes.unfence_broker):
            self.assertRaises(BadRequest, change, brokers(0), 9, 0)
        self.assertRaises(BadRequest, changes.fence_brokers, brokers(0), [9], Fence.OPERATOR, 0)

    def test_registering_again(self) -> None:
        """The same again changes nothing, another address without an epoch is another incarnation."""
        image = changes.register_broker(brokers(0, 1), 1, "host", 9092, None)
        self.assertEqual(image, brokers(0, 1))
        moved = changes.register_broker(image, 1, "elsewhere", 9092, None)
        self.assertEqual((moved.broker(1).epoch, moved.broker(1).alive), (2, False))

    def test_a_stale_incarnation_is_refused(self) -> None:
        """A later one has registered."""
        image = changes.register_broker(brokers(0), 1, "h", 1, 5)
        self.assertRaises(BadRequest, changes.register_broker, image, 1, "h", 1, 4)
        self.assertIs(changes.register_broker(image, 1, "h", 1, 5), image)

    def test_registering_never_moves_a_leader(self) -> None:
        """Not even a new incarnation of the leader itself."""
        image = with_topic(brokers(0, 1), factor=2)
        image = changes.set_leader(image, TP, 1, (1, 0), 0)
        self.assertEqual(led(changes.register_broker(image, 1, "h", 1, 9)), (1, 1))

    def test_an_operators_fence_outlives_heartbeats_and_registrations(self) -> None:
        """Only an operator lifts it; silence is lifted by a heartbeat."""
        fenced = changes.fence_brokers(brokers(0, 1), [1], Fence.OPERATOR, 0)
        fenced = changes.register_broker(changes.hear_broker(fenced, 1, 0), 1, "h", 1, 9)
        self.assertTrue(fenced.broker(1).fenced)
        self.assertFalse(changes.unfence_broker(fenced, 1, 0).broker(1).fenced)
        silent = changes.fence_brokers(brokers(0, 1), [1], Fence.SILENCE, 0)
        self.assertFalse(changes.hear_broker(silent, 1, 0).broker(1).fenced)

    def test_fencing_twice_changes_nothing(self) -> None:
        """Nor does lifting what is not there."""
        fenced = changes.fence_brokers(brokers(0, 1), [1], Fence.OPERATOR, 0)
        for fence in Fence:
            self.assertIs(changes.fence_brokers(fenced, [1], fence, 0), fenced)
        image = brokers(0, 1)
        self.assertIs(changes.unfence_broker(image, 1, 0), image)


class PartitionTests(SynchronousTestCase):
    """Leaders and ISRs by word of an operator and of the leader."""

    def setUp(self) -> None:
        self.image = with_topic(brokers(0, 1), factor=2)

    def test_an_operator_sets_leader_and_isr(self) -> None:
        """In a new epoch; the same again is no change."""
        image = changes.set_leader(self.image, TP, 1, (1, 0), 5)
        self.assertEqual((led(image), state(image).isr, state(image).since_ms), ((1, 1), (1, 0), 5))
        self.assertIs(changes.set_leader(image, TP, 1, (1, 0), 6), image)

    def test_a_registered_broker_becomes_a_replica_by_being_named(self) -> None:
        """That is how a topic of one replica is handed over."""
        image = changes.set_leader(with_topic(brokers(0, 1), "solo"), TopicPartition("solo", 0), 1, (1, 0), 0)
        self.assertEqual(state(image, TopicPartition("solo", 0)).replicas, (0, 1))

    def test_a_leader_that_cannot_be_is_refused(self) -> None:
        """Not in the ISR, unknown, fenced, not alive; an ISR of strangers, or with one twice."""
        image = changes.register_broker(self.image, 2, "h", 1, None)
        image = changes.fence_brokers(image, [1], Fence.OPERATOR, 0)
        for leader, isr in ((0, (1,)), (9, (9, 0)), (1, (1, 0)), (2, (2, 0)), (0, (0, 9)), (0, (0, 0))):
            self.assertRaises(BadRequest, changes.set_leader, image, TP, leader, isr, 0)

    def test_a_partition_that_is_not_there_is_named(self) -> None:
        """An unknown topic, an unknown number."""
        self.assertRaises(UnknownTopic, changes.set_leader, self.image, TopicPartition("x", 0), 0, (0,), 0)
        self.assertRaises(BadRequest, changes.set_leader, self.image, TopicPartition("orders", 1), 0, (0,), 0)

    def test_a_leader_taken_away_is_not_elected_again(self) -> None:
        """Whatever brokers come and go, until an operator sets one."""
        image = changes.take_leader(self.image, TP, 0)
        self.assertEqual(led(image), (None, 1))
        self.assertIs(changes.take_leader(image, TP, 0), image)
        image = changes.fence_brokers(image, [1], Fence.SILENCE, 0)
        image = changes.hear_broker(image, 1, 0)
        self.assertEqual(led(image), (None, 1))
        self.assertEqual(led(changes.set_leader(image, TP, 0, (0, 1), 0)), (0, 2))

    def test_the_leader_alters_the_isr_in_its_own_epoch_only(self) -> None:
        """Epoch and leader stay; a word from another epoch is refused."""
        image = changes.alter_isr(self.image, TP, 0, (0,))
        self.assertEqual((led(image), state(image).isr), ((0, 0), (0,)))
        self.assertIs(changes.alter_isr(image, TP, 0, (0,)), image)
        for epoch in (-1, 1):
            self.assertRaises(NotLeader, changes.alter_isr, image, TP, epoch, (0,))
        for isr in ((1,), (0, 5)):
            self.assertRaises(BadRequest, changes.alter_isr, image, TP, 0, isr)
