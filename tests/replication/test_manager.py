"""The table of partitions, under a real controller on the model disk."""

import errno

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.config import ClusterConfig, ReplicationConfig
from flux.errors import BadRequest, NotLeader, ShuttingDown, StorageError, UnknownTopic
from flux.interfaces import IMetadataObserver, IPartitions
from flux.model import Acks, Role, TopicPartition
from flux.storage.log import Log
from tests.replication.scene import MAX_BYTES, TP, Broker, records, turn, visible_values

THREE = ReplicationConfig(min_isr=2)


class TableTests(SynchronousTestCase):
    """Topics come and go, and the table follows."""

    def setUp(self) -> None:
        self.broker = Broker().start()

    def create(self, name: str = "orders", partitions: int = 3, factor: int = 1, **config: str) -> None:
        """A topic; keywords are its settings, with _ for the dot."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self.successResultOf(self.broker.controller.create_topic(name, partitions, factor, settings))

    def test_the_interfaces_are_kept(self) -> None:
        """It is what the other rooms are promised."""
        verifyObject(IPartitions, self.broker.replicas)
        verifyObject(IMetadataObserver, self.broker.replicas)

    def test_a_created_topic_is_led_at_once(self) -> None:
        """Its creation is answered when its partitions take appends."""
        self.create()
        for number in range(3):
            self.assertIs(self.broker.partition(number=number).role, Role.LEADER)
        self.broker.put(number=2)
        self.assertEqual(visible_values(self.broker.partition(number=2)), records(1))

    def test_what_is_not_there_is_named(self) -> None:
        """An unknown topic, and a partition that a topic does not have."""
        self.create()
        self.assertRaises(UnknownTopic, self.broker.replicas.get, TopicPartition("other", 0))
        self.assertRaises(UnknownTopic, self.broker.replicas.routes, "other")
        for number in (-1, 3):
            error = self.assertRaises(BadRequest, self.broker.replicas.get, TopicPartition("orders", number))
            self.assertIn("0 to 2", str(error))

    def test_routes_are_remembered_until_the_topic_grows(self) -> None:
        """Looking a key up is a dictionary's work; more partitions make a new dictionary."""
        self.create()
        routes = self.broker.replicas.routes("orders")
        self.assertEqual((routes[b"user1"], routes[b"user2"]), (2, 2))
        self.create("other")
        self.assertIs(self.broker.replicas.routes("orders"), routes)
        self.successResultOf(self.broker.controller.alter_topic("orders", {}, 5))
        self.assertEqual(self.broker.replicas.routes("orders")[b"user1"], 3)
        self.assertIs(self.broker.partition(number=4).role, Role.LEADER)

    def test_a_deleted_topic_is_gone_for_everybody(self) -> None:
        """Parked fetches and lookups say so, and no file stays."""
        self.create()
        partition = self.broker.partition()
        self.broker.put()
        waiting = partition.fetch(1, MAX_BYTES, 30, 1)
        deleted = self.broker.controller.delete_topic("orders")
        turn(self.broker.clock)
        self.successResultOf(deleted)
        self.failureResultOf(waiting, UnknownTopic)
        self.assertRaises(UnknownTopic, self.broker.replicas.get, TP)
        self.assertRaises(UnknownTopic, self.broker.replicas.routes, "orders")
        self.assertEqual([entry.name for entry in self.broker.disk.root.list() if entry.is_directory], [])

    def test_a_recreated_topic_starts_anew(self) -> None:
        """Offset 0, another id, none of the old records; also after the next restart."""
        self.create()
        self.broker.put(count=5)
        before = self.broker.controller.image.topics["orders"].topic_id
        self.broker.controller.delete_topic("orders")
        turn(self.broker.clock)
        self.create()
        self.assertNotEqual(self.broker.controller.image.topics["orders"].topic_id, before)
        self.assertEqual(self.broker.partition().log_end, 0)
        self.broker.put(count=2)
        self.broker.kill()
        self.assertEqual(visible_values(self.broker.partition()), records(2))

    def test_settings_reach_the_log_and_the_limits(self) -> None:
        """A topic's own settings count from their storing on, and after a restart."""
        self.create(factor=3, min_insync_replicas="3", segment_bytes="2048")
        self.assertEqual(self.broker.partition().explain().min_isr, 3)
        self.assertIsNone(self.broker.partition().max_message_bytes)
        altered = {"min.insync.replicas": "2", "segment.bytes": "4096", "max.message.bytes": "100"}
        self.successResultOf(self.broker.controller.alter_topic("orders", altered, None))
        for broker in (self.broker, self.broker.kill()):
            self.assertEqual(broker.partition().explain().min_isr, 2)
            self.assertEqual(broker.partition().max_message_bytes, 100)
            log = broker.partition().log
            assert isinstance(log, Log)
            self.assertEqual(log.settings.segment_bytes, 4096)

    def test_a_log_that_does_not_open_costs_its_partition_only(self) -> None:
        """It answers with the reason; the other partitions are served."""
        self.broker.disk.fail(errno.EIO, "create", times=None, where=lambda path: "/orders-1/" in path)
        self.create()
        error = self.assertRaises(StorageError, self.broker.replicas.get, TopicPartition("orders", 1))
        self.assertIn("orders-1", str(error))
        self.broker.put(number=2)

    def test_a_partition_of_other_brokers_is_not_held(self) -> None:
        """The refusal names its leader."""
        broker = self.broker
        self.create()
        self.successResultOf(broker.controller.register_broker(1, "h", 1, None))
        self.successResultOf(broker.controller.broker_heartbeat(1))
        self.successResultOf(broker.controller.set_leader(TP, 1, (1, 0)))
        self.assertIs(broker.partition().role, Role.FOLLOWER)
        self.assertIn("is led by broker 1, leader=h:1,", str(self.assertRaises(NotLeader, broker.put)))

    def test_a_leader_that_moved_is_named_where_it_is(self) -> None:
        """The refusal follows the registration, in the form clients read."""
        broker = self.broker
        self.create()
        self.successResultOf(broker.controller.register_broker(1, "h", 1, None))
        self.successResultOf(broker.controller.broker_heartbeat(1))
        self.successResultOf(broker.controller.set_leader(TP, 1, (1, 0)))
        self.successResultOf(broker.controller.register_broker(1, "::1", 9093, None))
        message = str(self.assertRaises(NotLeader, broker.put))
        self.assertIn(" leader=[::1]:9093,", message)

    def test_a_drain_ends_every_wait(self) -> None:
        """Parked fetches of all partitions are told why."""
        self.create()
        waits = [self.broker.partition(number=number).fetch(0, MAX_BYTES, 30, 1) for number in range(3)]
        self.broker.replicas.release_waits(ShuttingDown("bye"))
        for waiting in waits:
            self.failureResultOf(waiting, ShuttingDown)

    def test_a_deletion_that_fails_is_finished_by_the_next_start(self) -> None:
        """Until then the name cannot be used, and nothing of the topic is served."""
        self.create()
        self.broker.put()
        self.broker.disk.fail(errno.EIO, "rename", times=None, where=lambda path: "-delete" in path)
        deleted = self.broker.controller.delete_topic("orders")
        turn(self.broker.clock)
        self.failureResultOf(deleted, StorageError)
        self.failureResultOf(self.broker.controller.create_topic("orders", 3, 1, {}), StorageError)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.broker.disk.heal()
        self.broker.kill()
        turn(self.broker.clock)
        self.assertEqual(dict(self.broker.controller.image.tombstones), {})
        self.create()
        self.assertEqual(self.broker.partition().log_end, 0)


class InSyncTests(SynchronousTestCase):
    """ISR changes all the way through the metadata."""

    def setUp(self) -> None:
        self.broker = Broker(replication=THREE).start()
        self.successResultOf(self.broker.controller.create_topic("orders", 1, 3, {}))
        turn(self.broker.clock)

    def stored_isr(self) -> tuple[int, ...]:
        return self.broker.controller.image.topics["orders"].partitions[0].isr

    def report(self, replica: int, offset: int) -> None:
        done = self.broker.partition().report(replica, offset)
        turn(self.broker.clock)
        if done is not None:
            self.successResultOf(done)

    def test_a_silent_replica_leaves_on_time_and_comes_back(self) -> None:
        """The metadata know it both times; the leadership is the same all along."""
        broker = self.broker
        broker.put(count=2)
        broker.clock.pump([0.5] * 18)
        self.report(1, 1)
        self.assertEqual(self.stored_isr(), (0, 1, 2))
        broker.clock.pump([0.5] * 2)
        self.assertEqual(self.stored_isr(), (0, 1))
        self.assertEqual(broker.partition().high_watermark, 2)
        self.report(2, 1)
        self.assertEqual(self.stored_isr(), (0, 1, 2))
        self.assertEqual(broker.partition().leader_epoch, 0)

    def test_an_isr_that_cannot_be_stored_stays(self) -> None:
        """A full disk keeps a late replica in: it is waited for, until storing works again."""
        broker = self.broker
        broker.put(count=2)
        broker.disk.fail(errno.ENOSPC, "append", times=None, where=lambda path: "metadata.json" in path)
        broker.clock.pump([0.5] * 24)
        self.assertEqual((self.stored_isr(), broker.partition().high_watermark), ((0, 1, 2), 0))
        broker.disk.heal()
        broker.clock.pump([0.5])
        self.assertEqual(self.stored_isr(), (0,))

    def test_replica_ids_count_from_this_broker(self) -> None:
        """Where this broker has another number its followers still report as 1 and 2; the metadata have broker ids."""
        broker = Broker(replication=THREE, cluster=ClusterConfig(broker_id=7)).start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 3, {}))
        self.assertEqual(broker.controller.image.topics["orders"].partitions[0].isr, (7, 0, 1))
        broker.clock.pump([0.5] * 18)
        self.assertEqual(broker.partition().isr, (0, 1, 2))
        done = broker.partition().report(2, -1)
        self.assertIsNone(done)
        broker.clock.pump([0.5] * 2)
        self.assertEqual(broker.controller.image.topics["orders"].partitions[0].isr, (7, 1))
        self.assertEqual(broker.partition().isr, (0, 2))

    def test_acks_all_goes_on_with_those_that_are_left(self) -> None:
        """Once the silent one is out, two of three commit."""
        broker = self.broker
        broker.clock.pump([0.5] * 18)
        self.report(1, -1)
        broker.clock.pump([0.5] * 2)
        appended = broker.put(acks=Acks.ALL)
        waiting = broker.partition().when_acknowledged(appended, Acks.ALL)
        assert waiting is not None
        self.report(1, 0)
        self.successResultOf(waiting)
