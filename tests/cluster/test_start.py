"""The image a controller begins with."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from flux.cluster import changes
from flux.cluster.image import Fence, Image
from flux.cluster.start import adopt_topics, begin_term, lead_anew
from flux.model import TopicPartition
from tests.cluster.images import TP, brokers, led, state, with_topic


class StartTests(SynchronousTestCase):
    """A new term, on what was stored and what lies on disk."""

    def test_term_and_index_rise(self) -> None:
        """This broker is registered and alive, in a new incarnation each time."""
        first = begin_term(Image(), 3, "h", 1)
        self.assertEqual((first.term, first.index, first.broker(3).electable), (1, 1, True))
        second = begin_term(first, 3, "h2", 1)
        self.assertEqual((second.term, second.index), (2, 2))
        self.assertGreater(second.broker(3).epoch, first.broker(3).epoch)

    def test_an_operators_fence_outlives_the_restart(self) -> None:
        """Silence does not: the broker speaks."""
        for fence, fenced in ((Fence.OPERATOR, True), (Fence.SILENCE, False)):
            image = begin_term(changes.fence_brokers(brokers(0), [0], fence, 0), 0, "h", 1)
            self.assertEqual(image.broker(0).fenced, fenced)

    def test_what_lies_on_disk_is_adopted(self) -> None:
        """Unknown topics only, and none that was deleted: its files are waiting to be removed."""
        image = changes.delete_topic(with_topic(with_topic(brokers(0)), "gone"), "gone")
        ids = count()
        adopted = adopt_topics(image, {"orders": 9, "gone": 2, "found": 4}, 2, 0, lambda: f"new-{next(ids)}", 7)
        self.assertEqual(sorted(adopted.topics), ["found", "orders"])
        self.assertEqual(len(adopted.topic("orders").partitions), 1)
        found = lead_anew(adopted, 0, {}, False, 7)
        self.assertEqual(len(found.topic("found").partitions), 4)
        self.assertEqual((led(found, TopicPartition("found", 3)), found.topic("found").topic_id), ((0, 0), "new-0"))

    def test_after_an_unclean_stop_epochs_rise(self) -> None:
        """After a clean one they do not."""
        image = with_topic(brokers(0))
        self.assertIs(lead_anew(image, 0, {TP: 0}, False, 0), image)
        self.assertEqual(led(lead_anew(image, 0, {TP: 0}, True, 0)), (0, 1))

    def test_an_epoch_is_above_all_the_log_has_seen(self) -> None:
        """Metadata that are older than the log must not lead in an epoch again."""
        for unclean in (False, True):
            image = lead_anew(with_topic(brokers(0)), 0, {TP: 6}, unclean, 0)
            self.assertEqual(led(image), (0, 7))
            self.assertIn("later epoch", state(image).cause)

    def test_a_leader_taken_away_stays_away(self) -> None:
        """A role outlives the restart."""
        image = changes.take_leader(with_topic(brokers(0)), TP, 0)
        self.assertEqual(led(lead_anew(image, 0, {TP: 0}, True, 0)), (None, 1))
        self.assertTrue(state(lead_anew(image, 0, {TP: 9}, True, 0)).held)
