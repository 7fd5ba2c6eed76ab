"""The controller, with the rooms around it, on the model disk."""

import errno

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.config import ClusterConfig
from flux.errors import BadRequest, NotLeader, ShuttingDown, StorageError, Throttled, TopicExists, UnknownTopic
from flux.interfaces import IController
from flux.model import Role, TopicPartition
from flux.testing import QueuedThread, run_now
from tests.cluster.images import TP
from tests.replication.scene import Broker, turn


class CreationTests(SynchronousTestCase):
    """Topics, made by command and on first use."""

    def setUp(self) -> None:
        self.thread = QueuedThread()
        self.broker = Broker(
            cluster=ClusterConfig(max_topics=3, max_partitions_per_topic=9), metadata_thread=self.thread
        )
        self.controller = self.broker.start().controller

    def test_the_interface_is_kept(self) -> None:
        """A controller is what the other rooms are promised."""
        verifyObject(IController, self.controller)

    def test_a_topic_is_answered_when_it_is_stored_and_led(self) -> None:
        """Not before; the answer bears the term and index of its change."""
        created = self.controller.create_topic("orders", 2, 1, {})
        self.assertNoResult(created)
        self.assertNotIn("orders", self.controller.image.topics)
        self.thread.perform_all()
        topic = self.successResultOf(created)
        self.assertEqual((topic.term, topic.index), (1, self.controller.image.index))
        self.assertIs(self.broker.partition(number=1).role, Role.LEADER)

    def test_the_same_again_is_the_same_answer(self) -> None:
        """At the same time, later, and after other changes."""
        first, second = (self.controller.create_topic("orders", 2, 1, {}) for _ in range(2))
        self.controller.create_topic("other", 1, 1, {})
        self.thread.perform_all()
        third = self.controller.create_topic("orders", 2, 1, {})
        self.assertEqual(self.successResultOf(first), self.successResultOf(second))
        self.assertEqual(self.successResultOf(third).index, 2)
        self.failureResultOf(self.controller.create_topic("orders", 3, 1, {}), TopicExists)

    def test_what_will_not_do_is_refused(self) -> None:
        """Names, counts and settings; reserved names are for those inside."""
        for name, partitions, factor, config in (
            ("a/b", 1, 1, {}),
            ("..", 1, 1, {}),
            ("", 1, 1, {}),
            ("x\n", 1, 1, {}),
            ("x" * 250, 1, 1, {}),
            ("x", 0, 1, {}),
            ("x", 10, 1, {}),
            ("x", 1, 0, {}),
            ("x", 1, 1 << 40, {}),
            ("x", 1, 1, {"retention.ms": "week"}),
        ):
            self.failureResultOf(self.controller.create_topic(name, partitions, factor, config), BadRequest)
        inside = self.controller.create_topic("__offsets", 1, 1, {})
        self.thread.perform_all()
        self.successResultOf(inside)

    def test_there_are_only_so_many(self) -> None:
        """One more is refused; those there are may be asked for again."""
        for name in "abc":
            self.controller.create_topic(name, 1, 1, {})
        refused = self.controller.create_topic("d", 1, 1, {})
        again = self.controller.create_topic("a", 1, 1, {})
        self.thread.perform_all()
        self.failureResultOf(refused, Throttled)
        self.successResultOf(again)

    def test_first_uses_share_one_creation(self) -> None:
        """A thousand producers of a new topic cost one change."""
        uses = [self.controller.create_on_first_use("orders") for _ in range(1000)]
        self.assertEqual(len(self.thread), 1)
        self.thread.perform_all()
        topics = {self.successResultOf(use).topic_id for use in uses}
        self.assertEqual(topics, {"topic-1"})
        self.assertEqual(self.controller.image.index, 2)
        self.assertEqual(len(self.successResultOf(self.controller.create_on_first_use("orders")).partitions), 3)

    def test_one_who_leaves_does_not_take_the_creation_along(self) -> None:
        """The others still get their topic."""
        first, second = (self.controller.create_on_first_use("orders") for _ in range(2))
        first.addErrback(lambda _: None)
        first.cancel()
        self.thread.perform_all()
        self.successResultOf(second)

    def test_a_failing_store_refuses_them_all(self) -> None:
        """Nothing is seen; the next use tries again."""
        self.broker.disk.fail(errno.ENOSPC, "append")
        uses = [self.controller.create_on_first_use("orders") for _ in range(3)]
        self.thread.perform_all()
        for use in uses:
            self.failureResultOf(use, StorageError)
        self.assertRaises(UnknownTopic, self.broker.replicas.routes, "orders")
        again = self.controller.create_on_first_use("orders")
        self.thread.perform_all()
        self.successResultOf(again)

    def test_first_use_is_for_ordinary_names(self) -> None:
        """And for brokers that allow it."""
        self.failureResultOf(self.controller.create_on_first_use("__offsets"), BadRequest)
        strict = Broker(cluster=ClusterConfig(auto_create_topics=False)).start().controller
        self.failureResultOf(strict.create_on_first_use("orders"), UnknownTopic)

    def test_a_topic_grows_and_is_altered_in_one_change(self) -> None:
        """Both or neither."""
        self.controller.create_topic("orders", 2, 1, {})
        self.thread.perform_all()
        altered = self.controller.alter_topic("orders", {"retention.ms": "5"}, 4)
        self.thread.perform_all()
        image = self.successResultOf(altered)
        self.assertEqual(
            (len(image.topic("orders").partitions), image.topic("orders").config), (4, {"retention.ms": "5"})
        )
        self.failureResultOf(self.controller.alter_topic("orders", {"retention.ms": "9"}, 3), BadRequest)
        self.failureResultOf(self.controller.alter_topic("orders", {}, 10), BadRequest)
        self.failureResultOf(self.controller.alter_topic("orders", {"x": "9"}, None), BadRequest)
        self.failureResultOf(self.controller.alter_topic("other", {}, None), UnknownTopic)
        self.assertEqual(self.controller.image.topic("orders").config, {"retention.ms": "5"})


class DeletionTests(SynchronousTestCase):
    """A topic goes, and its name returns only when its files are gone."""

    def setUp(self) -> None:
        self.thread = QueuedThread()
        self.broker = Broker(metadata_thread=self.thread).start()
        self.controller = self.broker.controller
        self.controller.create_topic("orders", 2, 1, {})
        self.thread.perform_all()

    def test_it_is_gone_when_that_is_stored(self) -> None:
        """Before, it is served."""
        deleted = self.controller.delete_topic("orders")
        self.broker.put()
        self.thread.perform()
        self.assertRaises(UnknownTopic, self.broker.put)
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(deleted).index, 3)
        self.assertEqual(self.broker.logs.existing(), [])
        self.assertEqual(dict(self.controller.image.tombstones), {})

    def test_it_is_answered_when_its_files_are_gone(self) -> None:
        """With the image of the deletion itself."""
        files = QueuedThread()
        broker = Broker(thread=files, metadata_thread=run_now).start()
        self.successResultOf(broker.controller.create_topic("orders", 2, 1, {}))
        deleted = broker.controller.delete_topic("orders")
        self.assertRaises(UnknownTopic, broker.put)
        self.assertNoResult(deleted)
        files.perform_all()
        self.assertEqual(self.successResultOf(deleted).index, 3)

    def test_a_tombstone_that_stays_does_not_block_the_name(self) -> None:
        """The files are gone but that could not be stored: the next creation sees to it."""
        self.controller.delete_topic("orders")
        self.thread.perform()
        self.broker.disk.fail(errno.ENOSPC, "append")
        self.thread.perform_all()
        self.assertEqual(len(self.controller.image.tombstones), 1)
        used = self.controller.create_on_first_use("orders")
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(used).topic_id, "topic-2")
        self.assertEqual(dict(self.controller.image.tombstones), {})

    def test_first_use_meanwhile_waits_for_the_files(self) -> None:
        """Then the topic is a new one."""
        self.controller.delete_topic("orders")
        self.thread.perform()
        used = self.controller.create_on_first_use("orders")
        self.assertNoResult(used)
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(used).topic_id, "topic-2")
        self.assertEqual(self.broker.partition().log_end, 0)

    def test_deleting_twice_is_an_unknown_topic(self) -> None:
        """As is deleting what never was."""
        self.controller.delete_topic("orders")
        second = self.controller.delete_topic("orders")
        self.thread.perform_all()
        self.failureResultOf(second, UnknownTopic)
        self.failureResultOf(self.controller.delete_topic("other"), UnknownTopic)

    def test_a_crash_in_the_middle_is_finished_by_the_next_start(self) -> None:
        """Once the tombstone is stored the topic never returns, and no file stays."""
        self.broker.put()
        self.controller.delete_topic("orders")
        self.thread.perform()
        self.broker.metadata_thread = QueuedThread()
        controller = self.broker.kill().controller
        self.assertNotIn("orders", controller.image.topics)
        self.broker.metadata_thread.perform_all()
        self.assertEqual((dict(controller.image.tombstones), self.broker.logs.existing()), ({}, []))


class BrokerTests(SynchronousTestCase):
    """Registration, heartbeats and silence on the clock."""

    def setUp(self) -> None:
        self.broker = Broker().start()
        self.controller = self.broker.controller
        self.successResultOf(self.controller.create_topic("orders", 1, 1, {}))
        self.successResultOf(self.controller.register_broker(1, "h", 1, None))

    def leader(self) -> int | None:
        return self.controller.image.partition(*TP).leader

    def heartbeat(self) -> int:
        return self.successResultOf(self.controller.broker_heartbeat(1)).index

    def test_a_heartbeat_that_changes_nothing_does_not_raise_the_index(self) -> None:
        """The first one does: from then on the broker is alive."""
        before = self.controller.image.index
        self.assertEqual([self.heartbeat() for _ in range(3)], [before + 1] * 3)

    def test_a_stranger_has_no_heartbeat(self) -> None:
        """It is told to register, and leaves nothing behind."""
        self.failureResultOf(self.controller.broker_heartbeat(99), BadRequest)
        self.failureResultOf(self.controller.fence(99), BadRequest)
        self.failureResultOf(self.controller.unfence(99), BadRequest)

    def test_a_broker_that_is_not_alive_leads_nothing(self) -> None:
        """After its first heartbeat it may."""
        self.failureResultOf(self.controller.set_leader(TP, 1, (1, 0)), BadRequest)
        self.heartbeat()
        self.successResultOf(self.controller.set_leader(TP, 1, (1, 0)))
        self.assertEqual(self.leader(), 1)
        self.assertRaises(NotLeader, self.broker.put)

    def test_a_silent_leader_is_fenced_on_time_and_replaced(self) -> None:
        """By one in sync, in the next epoch; when it speaks again it may lead again, but does not."""
        self.heartbeat()
        self.successResultOf(self.controller.set_leader(TP, 1, (1, 0)))
        self.broker.clock.pump([0.5] * 17)
        self.assertEqual(self.leader(), 1)
        self.broker.clock.pump([0.5] * 2)
        self.assertEqual(self.leader(), 0)
        self.assertTrue(self.controller.image.broker(1).fenced)
        self.broker.put()
        self.heartbeat()
        self.assertFalse(self.controller.image.broker(1).fenced)
        self.assertEqual(self.leader(), 0)

    def test_heartbeats_keep_a_leader(self) -> None:
        """As long as they come."""
        self.heartbeat()
        self.successResultOf(self.controller.set_leader(TP, 1, (1, 0)))
        for _ in range(10):
            self.broker.clock.pump([0.5] * 16)
            self.heartbeat()
        self.assertEqual(self.leader(), 1)

    def test_this_broker_is_never_silent(self) -> None:
        """Whoever asks is alive."""
        self.broker.clock.pump([1.0] * 60)
        self.assertEqual(self.leader(), 0)
        self.assertEqual(self.successResultOf(self.controller.reconcile_brokers(0.001)), 0)
        self.successResultOf(self.controller.register_broker(0, "elsewhere", 9, 99))
        self.assertTrue(self.controller.image.broker(0).electable)

    def test_fencing_by_an_operator(self) -> None:
        """Heartbeats do not lift it, unfencing does, and gives the broker time to speak."""
        self.heartbeat()
        self.successResultOf(self.controller.set_leader(TP, 1, (1, 0)))
        self.assertTrue(self.successResultOf(self.controller.fence(1)).broker(1).fenced)
        self.assertEqual(self.leader(), 0)
        self.heartbeat()
        self.assertTrue(self.controller.image.broker(1).fenced)
        self.broker.clock.pump([1.0] * 20)
        self.successResultOf(self.controller.unfence(1))
        self.broker.clock.pump([1.0] * 8)
        self.assertFalse(self.controller.image.broker(1).fenced)

    def test_reconciling_counts_what_it_changes(self) -> None:
        """By the timeout it is given, both ways."""
        self.heartbeat()
        self.broker.clock.pump([0.5] * 4)
        self.assertEqual(self.successResultOf(self.controller.reconcile_brokers(5)), 0)
        self.assertEqual(self.successResultOf(self.controller.reconcile_brokers(2)), 1)
        self.assertEqual(self.successResultOf(self.controller.reconcile_brokers(2)), 0)
        self.assertEqual(self.successResultOf(self.controller.reconcile_brokers(5)), 1)

    def test_electing_brings_the_preferred_leader_back(self) -> None:
        """And counts the changes."""
        self.heartbeat()
        self.successResultOf(self.controller.set_leader(TP, 1, (1, 0)))
        self.assertEqual(self.successResultOf(self.controller.elect_leaders("orders")), 1)
        self.assertEqual(self.leader(), 0)
        self.assertEqual(self.successResultOf(self.controller.elect_leaders("orders")), 0)
        self.failureResultOf(self.controller.elect_leaders("other"), UnknownTopic)

    def test_the_history_names_causes(self) -> None:
        """What EXPLAIN_PARTITION tells."""
        self.successResultOf(self.controller.set_role(TP, Role.FOLLOWER))
        self.successResultOf(self.controller.set_role(TP, Role.FOLLOWER))
        self.successResultOf(self.controller.set_role(TP, Role.LEADER))
        self.assertEqual(
            [(change.leader_epoch, change.leader, change.cause) for change in self.controller.history(TP)],
            [(0, 0, "created"), (1, None, "role set to follower by an operator"), (2, 0, "set by an operator")],
        )
        self.failureResultOf(self.controller.set_role(TopicPartition("orders", 9), Role.LEADER), BadRequest)


class TermTests(SynchronousTestCase):
    """Starts and stops."""

    def test_each_start_is_a_term(self) -> None:
        """Term and index rise, whether anything else has changed or not."""
        broker = Broker().start()
        seen = []
        for _ in range(3):
            seen.append((broker.controller.image.term, broker.controller.image.index))
            broker.stop()
            broker.start()
        self.assertEqual(seen, [(1, 1), (2, 2), (3, 3)])

    def test_a_stopped_controller_changes_nothing(self) -> None:
        """What comes late is told so."""
        broker = Broker().start()
        broker.stop()
        self.failureResultOf(broker.controller.create_topic("orders", 1, 1, {}), ShuttingDown)

    def test_a_start_that_cannot_be_stored_fails(self) -> None:
        """Nothing is seen of a term that is not on disk."""
        broker = Broker().start()
        broker.stop()
        broker.disk.fail(errno.ENOSPC, "append", where=lambda path: "metadata.json" in path)
        self.assertRaises(StorageError, broker.start)

    def test_a_directory_that_can_be_no_topic_is_left_alone(self) -> None:
        """It is not ours."""
        broker = Broker().start()
        broker.stop()
        for name in ("what ever-0", "x-1"):
            broker.disk.root.child(name).make()
        broker.start()
        self.assertEqual(sorted(broker.controller.image.topics), ["x"])
        self.assertIn("what ever-0", [entry.name for entry in broker.disk.root.list()])

    def test_partitions_beyond_the_topic_are_left_alone(self) -> None:
        """Absence from the metadata is no reason to delete, nor to grow a topic."""
        broker = Broker().start()
        self.successResultOf(broker.controller.create_topic("orders", 1, 1, {}))
        broker.stop()
        broker.disk.root.child("orders-5").make()
        broker.start()
        turn(broker.clock)
        self.assertEqual(len(broker.controller.image.topics["orders"].partitions), 1)
        self.assertIn("orders-5", [entry.name for entry in broker.disk.root.list()])
