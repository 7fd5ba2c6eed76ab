"""Brokers register, are heard, fall silent: with the rooms around the controller."""

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, NotLeader, UnknownTopic
from flux.model import Role, TopicPartition
from tests.cluster.images import TP
from tests.replication.scene import Broker


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
