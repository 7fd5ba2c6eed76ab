"""Who led, when, and why it changed."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.cluster import changes
from flux.cluster.history import LeadershipChange, LeadershipHistory
from flux.cluster.image import Fence
from flux.interfaces import IMetadataObserver
from flux.model import TopicPartition
from tests.cluster.images import TP, brokers, with_topic


class HistoryTests(SynchronousTestCase):
    """The last leadership changes of a partition."""

    def setUp(self) -> None:
        self.history = LeadershipHistory()
        self.image = with_topic(brokers(0, 1), factor=2)
        self.history.metadata_changed(self.image)

    def test_it_observes(self) -> None:
        """It is told like everybody else."""
        verifyObject(IMetadataObserver, self.history)

    def test_what_the_image_remembers_comes_first(self) -> None:
        """After a restart that is all there is."""
        self.assertEqual(self.history.of(TP), [LeadershipChange(0, 0, "created", 1000)])

    def test_each_epoch_is_noted_with_its_cause(self) -> None:
        """Oldest first; changes that leave the leadership alone are not in it."""
        image = changes.alter_isr(self.image, TP, 0, (0, 1))
        image = changes.alter_isr(image, TP, 0, (1, 0))
        self.history.metadata_changed(image)
        image = changes.fence_brokers(image, [0], Fence.OPERATOR, 2000)
        self.history.metadata_changed(image)
        self.history.metadata_changed(changes.alter_config(image, "orders", {"retention.ms": "1"}))
        self.assertEqual(
            self.history.of(TP),
            [
                LeadershipChange(0, 0, "created", 1000),
                LeadershipChange(1, 1, "broker 0 was fenced by an operator", 2000),
            ],
        )

    def test_only_the_last_few_are_kept(self) -> None:
        """A partition that flaps costs no memory."""
        image = self.image
        for epoch in range(20):
            image = changes.set_leader(image, TP, 1 - epoch % 2, (0, 1), epoch)
            self.history.metadata_changed(image)
        self.assertEqual([change.leader_epoch for change in self.history.of(TP)], list(range(13, 21)))

    def test_a_recreated_topic_has_a_history_of_its_own(self) -> None:
        """A deleted one has none."""
        self.history.metadata_changed(changes.set_leader(self.image, TP, 1, (0, 1), 5))
        self.history.metadata_changed(brokers(0, 1))
        self.assertEqual(self.history.of(TP), [])
        self.history.metadata_changed(self.image)
        self.assertEqual(len(self.history.of(TP)), 1)

    def test_there_is_none_of_what_is_not_there(self) -> None:
        """An unknown topic, a partition too many."""
        for tp in (TopicPartition("x", 0), TopicPartition("orders", 1), TopicPartition("orders", -1)):
            self.assertEqual(self.history.of(tp), [])
