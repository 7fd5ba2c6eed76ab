"""From the metadata of a whole broker to those who want to know."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.alerts.alerter import Alerter
from flux.config import AlertConfig, Config, ReplicationConfig
from flux.interfaces import AlertReceiver, IAlertHook, IBroker
from flux.model import Alert
from tests.commands.scene import Scene


@implementer(IAlertHook)
class Hook:
    """Tells the test."""

    def __init__(self, name: str, receiver: AlertReceiver | None) -> None:
        self.name = name
        self._receiver = receiver

    def bind(self, broker: IBroker) -> AlertReceiver | None:
        return self._receiver


@implementer(IAlertHook)
class BrokenHook:
    """Cannot be bound."""

    name = "broken"

    def bind(self, broker: IBroker) -> AlertReceiver | None:
        raise ZeroDivisionError


class AlerterTests(SynchronousTestCase):
    def setUp(self) -> None:
        config = Config(
            replication=ReplicationConfig(replica_lag_timeout_ms=1000), alerts=AlertConfig(alert_queue_size=3)
        )
        self.scene = Scene(config)
        self.told: list[Alert] = []

    def receive(self, alerts: Sequence[Alert], dropped: int) -> None:
        self.told += alerts

    def alert(self, *hooks: Any) -> Alerter:
        alerter = Alerter(hooks, self.scene.broker)
        alerter.startService()
        return alerter

    def kinds(self) -> list[tuple[str, int, str]]:
        return [(alert.tp.topic, alert.tp.partition, alert.kind.value) for alert in self.told]

    def pass_time(self) -> None:
        self.scene.clock.pump([0.1] * 12)
        self.scene.settle()

    def test_a_partition_that_becomes_under_replicated_is_told(self) -> None:
        """By the wall clock; and so is the end of it."""
        self.alert(Hook("test", self.receive))
        self.scene.create("t", partitions=1, replicas=2)
        self.pass_time()
        self.assertEqual(self.kinds(), [("t", 0, "under_replicated")])
        self.assertGreater(self.told[0].at_ms, 1_700_000_000_000)
        self.scene.ask(b"1 REPLICA_FETCH t 0 1 -1")
        self.assertEqual(self.kinds()[1:], [("t", 0, "under_replication_ended")])

    def test_a_change_of_leader_is_told(self) -> None:
        """To every hook."""
        others: list[Alert] = []
        self.alert(Hook("test", self.receive), Hook("other", lambda alerts, dropped: others.extend(alerts)))
        self.scene.create("t", partitions=1)
        self.scene.ask(b"1 SET_PARTITION_ROLE t 0 follower")
        self.assertEqual(self.kinds(), [("t", 0, "leadership_changed")])
        self.assertEqual(others, self.told)

    def test_what_was_amiss_before_the_start_is_told(self) -> None:
        """A restart forgets no trouble."""
        self.scene.create("t", partitions=1, replicas=2)
        self.pass_time()
        self.alert(Hook("test", self.receive))
        self.scene.settle()
        self.assertEqual(self.kinds(), [("t", 0, "under_replicated")])

    def test_one_hook_is_no_burden_to_another_or_to_a_produce(self) -> None:
        """One that cannot be bound, one that raises, one that never finishes; one that is off."""

        def raising(alerts: Sequence[Alert], dropped: int) -> None:
            raise ZeroDivisionError

        never: Deferred[None] = Deferred()
        self.alert(
            BrokenHook(),
            Hook("off", None),
            Hook("raising", raising),
            Hook("hanging", lambda alerts, dropped: never),
            Hook("test", self.receive),
        )
        self.scene.create("t", partitions=1)
        for number in range(10):
            role = (b"leader", b"follower")[number % 2 == 0]
            self.assertIn(b"role=" + role, self.scene.ask(b"1 SET_PARTITION_ROLE t 0 " + role)[0])
        self.assertEqual(self.scene.ask(b"2 PRODUCE t k:v acks=all"), [b"2 partition=0 offset=0 hw=0"])
        self.assertEqual(len(self.told), 10)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 11)

    def test_a_stopped_one_tells_nothing_more(self) -> None:
        """Whatever happens then."""
        alerter = self.alert(Hook("test", self.receive))
        self.scene.create("t", partitions=1)
        alerter.stopService()
        self.scene.ask(b"1 SET_PARTITION_ROLE t 0 follower")
        self.assertEqual(self.told, [])
