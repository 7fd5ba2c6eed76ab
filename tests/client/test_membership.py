"""Join, stay, join again, leave."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from flux.client.errors import NoBroker, OutcomeUnknown
from flux.client.membership import Membership
from flux.client.options import ConsumerOptions
from flux.errors import FluxError, GenerationMismatch
from flux.wire.group import Alive, Left
from tests.client.agents import AgentScene, joined


class Memberships(SynchronousTestCase):
    """One member of one group on one topic."""

    def setUp(self) -> None:
        self.assigned: list[tuple[int | None, tuple[int, ...]]] = []
        self.failed: list[FluxError] = []
        options = ConsumerOptions(assignor="range", session_ms=6000, heartbeat_ms=2000, max_backoff_ms=1000)
        self.membership = Membership("g", "t", "m", options, self.was_assigned, self.failed.append)
        self.scene = AgentScene(self.membership)

    def was_assigned(self, membership: Membership, partitions: Sequence[int]) -> None:
        self.assigned.append((membership.generation, tuple(partitions)))

    def test_it_joins_and_gives_signs_of_life(self) -> None:
        """Every two seconds, one at a time."""
        self.assertEqual(self.scene.calls(), ["JOIN g t m assignor=range session_ms=6000"])
        self.assertIsNone(self.membership.wake_at_s)
        self.scene.answer("JOIN", joined(2, 0, 1))
        self.assertEqual(self.assigned, [(2, (0, 1))])
        for _ in range(3):
            self.assertEqual(self.scene.calls(), [])
            self.assertEqual(self.scene.advance_to_wake(), 2.0)
            self.assertEqual(self.scene.calls(), ["HEARTBEAT g t m 2"])
            self.scene.answer("HEARTBEAT", Alive())
        self.assertEqual(self.failed, [])

    def test_a_generation_that_is_over_means_to_join_again_at_once(self) -> None:
        """That is no failure."""
        self.scene.answer("JOIN", joined(2, 0, 1))
        self.scene.advance_to_wake()
        self.scene.answer("HEARTBEAT", GenerationMismatch("2 is over"))
        self.assertIsNone(self.membership.generation)
        self.scene.answer("JOIN", joined(3, 0))
        self.assertEqual((self.assigned[-1], self.failed), ((3, (0,)), []))

    def test_what_fails_is_tried_again_later_and_later(self) -> None:
        """Up to a limit; a failed sign of life is no end of the generation, and neither is an unknown outcome."""
        pauses = []
        for _ in range(4):
            self.scene.answer("JOIN", NoBroker("gone"))
            pauses.append(round(self.scene.advance_to_wake(), 3))
        self.assertEqual(pauses, [0.25, 0.5, 1.0, 1.0])
        self.scene.answer("JOIN", joined(2, 0))
        self.scene.advance_to_wake()
        self.scene.answer("HEARTBEAT", OutcomeUnknown("lost"))
        self.assertEqual(self.scene.advance_to_wake(), 0.25)
        self.assertEqual(self.scene.calls(), ["HEARTBEAT g t m 2"])
        self.assertEqual(len(self.failed), 5)

    def test_somebody_elses_word_counts_for_his_generation_only(self) -> None:
        """A commit that was refused may be an old one's."""
        self.scene.answer("JOIN", joined(3, 0))
        self.membership.rejoin(2)
        self.assertEqual(self.scene.calls(), [])
        self.membership.rejoin(3)
        self.assertEqual(len(self.scene.calls()), 1)

    def test_a_sign_of_life_under_way_does_not_delay_joining_again(self) -> None:
        """Whatever its outcome."""
        for outcome in (Alive(), OutcomeUnknown("lost")):
            self.setUp()
            self.scene.answer("JOIN", joined(2, 0))
            self.scene.advance_to_wake()
            self.scene.calls()
            self.membership.rejoin(2)
            self.assertEqual(self.scene.calls(), ["HEARTBEAT g t m 2"])
            self.scene.answer("HEARTBEAT", outcome)
            self.assertEqual(self.scene.calls(), ["JOIN g t m assignor=range session_ms=6000"])

    def test_it_leaves_once(self) -> None:
        """Whether the broker hears it or not."""
        for outcome in (Left(), NoBroker("gone"), GenerationMismatch("gone")):
            self.setUp()
            self.scene.answer("JOIN", joined(2, 0))
            self.membership.leave()
            self.assertEqual(self.scene.calls(), ["LEAVE g t m 2"])
            self.assertFalse(self.membership.has_left)
            self.scene.answer("LEAVE", outcome)
            self.assertTrue(self.membership.has_left)
            self.assertEqual((self.scene.calls(), self.membership.wake_at_s), ([], None))

    def test_leaving_takes_back_a_join_that_is_under_way(self) -> None:
        """If it succeeds; what never was a member just goes."""
        self.scene.calls()
        self.membership.leave()
        self.assertEqual(len(self.scene.calls()), 1)
        self.scene.answer("JOIN", joined(2, 0))
        self.scene.answer("LEAVE", Left())
        self.assertTrue(self.membership.has_left)
        self.setUp()
        self.scene.answer("JOIN", NoBroker("gone"))
        self.membership.leave()
        self.assertEqual(self.scene.calls(), [])
        self.assertTrue(self.membership.has_left)
