"""Who leads when brokers come and go."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from flux.cluster import changes, election
from flux.cluster.image import Fence, Image
from tests.cluster.images import TP, brokers, led, state, with_topic


def fence(image: Image, *ids: int) -> Image:
    return changes.fence_brokers(image, list(ids), Fence.SILENCE, 0)


class ElectionTests(SynchronousTestCase):
    """Leaders come from the ISR, the preferred one first."""

    def setUp(self) -> None:
        self.image = with_topic(brokers(0, 1, 2), factor=3)

    def test_a_fenced_leader_is_replaced_from_the_isr(self) -> None:
        """By the first of the replica list that is in sync and alive; it leaves the ISR itself."""
        image = fence(changes.alter_isr(self.image, TP, 0, (0, 2)), 0)
        self.assertEqual((led(image), state(image).isr), ((2, 1), (2,)))
        self.assertIn("broker 0 was fenced", state(image).cause)

    def test_a_fenced_follower_moves_nobody(self) -> None:
        """The leader goes on, and sees to the ISR itself."""
        image = fence(self.image, 1)
        self.assertEqual((led(image), state(image).isr), ((0, 0), (0, 1, 2)))

    def test_nobody_in_sync_nobody_leads(self) -> None:
        """The ISR is kept: whoever of it returns may lead, nobody else."""
        image = fence(changes.alter_isr(self.image, TP, 0, (0,)), 0)
        self.assertEqual((led(image), state(image).isr), ((None, 1), (0,)))
        self.assertEqual(led(fence(image, 1)), (None, 1))
        self.assertEqual(led(changes.hear_broker(image, 0, 0)), (0, 2))

    def test_an_unclean_election_only_where_the_topic_says_so(self) -> None:
        """Then a replica outside the ISR leads, alone in it, and the cause says what that may have cost."""
        image = changes.alter_config(self.image, "orders", {"unclean.leader.election.enable": "true"})
        image = fence(changes.alter_isr(image, TP, 0, (0,)), 0)
        self.assertEqual((led(image), state(image).isr), ((1, 1), (1,)))
        self.assertIn("committed records may be lost", state(image).cause)

    def test_an_unclean_election_is_the_last_resort(self) -> None:
        """As long as one in sync is left, it leads."""
        image = changes.alter_config(self.image, "orders", {"unclean.leader.election.enable": "true"})
        image = fence(changes.alter_isr(image, TP, 0, (0, 2)), 0)
        self.assertEqual(led(image), (2, 1))

    def test_all_topics_are_looked_at(self) -> None:
        """One fence moves the leaders of them all, in one change."""
        image = fence(with_topic(self.image, "other", partitions=3, factor=2), 0)
        leaders = {partition.leader for topic in image.topics.values() for partition in topic.partitions}
        self.assertEqual(leaders, {1})

    def test_a_preferred_election_brings_the_preferred_back(self) -> None:
        """If it is in sync and alive; once is enough."""
        image = changes.hear_broker(fence(self.image, 0), 0, 0)
        self.assertEqual(led(image), (1, 1))
        self.assertIs(election.elect_preferred(image, "orders", 0), image)
        image = changes.alter_isr(image, TP, 1, (1, 0))
        image = election.elect_preferred(image, "orders", 0)
        self.assertEqual(led(image), (0, 2))
        self.assertIs(election.elect_preferred(image, "orders", 0), image)

    def test_a_preferred_election_gives_the_leaderless_a_leader(self) -> None:
        """Whoever can; not those whose leader an operator took away."""
        image = fence(self.image, 0, 1, 2)
        self.assertEqual(led(image), (None, 1))
        alive = replace(image.broker(1), fenced_by=None)
        image = replace(image, brokers={**image.brokers, 1: alive})
        self.assertEqual(led(election.elect_preferred(image, "orders", 0)), (1, 2))
        held = changes.take_leader(image, TP, 0)
        self.assertIs(election.elect_preferred(held, "orders", 0), held)

    def test_raised_epochs_are_those_of_one_broker(self) -> None:
        """The others have lost nothing."""
        image = changes.set_leader(with_topic(self.image, "other"), TP, 1, (1, 0), 0)
        raised = election.raise_epochs(image, 0, "restart", 0)
        self.assertEqual(led(raised), (1, 1))
        self.assertEqual(raised.topic("other").partitions[0].leader_epoch, 1)
