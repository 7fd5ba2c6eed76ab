"""Three replicas: acknowledgements, and who is in sync."""

from flux.batch import encode
from flux.errors import (
    BadRequest,
    NotEnoughReplicas,
    ReplicationTimeout,
    StorageError,
)
from flux.model import Acks
from flux.replication.isr import Limits
from tests.replication.scene import MAX_BYTES, PartitionCase, records


class ReplicatedTests(PartitionCase):
    """Three replicas, two of which must be in sync."""

    replicas = 3
    min_isr = 2

    def test_all_in_sync_at_first(self) -> None:
        """A new leadership trusts the ISR it was given, for one timeout."""
        self.assertEqual(self.partition.isr, (0, 1, 2))
        self.assertFalse(self.partition.under_replicated)

    def test_acks_all_times_out_without_reports(self) -> None:
        """Appended, not confirmed: partition and offset are named, and nobody sees the record yet."""
        self.put(3)
        waiting = self.partition.when_acknowledged(self.put(1, Acks.ALL), Acks.ALL)
        assert waiting is not None
        self.clock.advance(1.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        message = self.failureResultOf(waiting, ReplicationTimeout).getErrorMessage()
        for part in ("orders-0", "offset 3", "appended, not yet confirmed"):
            self.assertIn(part, message)
        self.assertEqual(self.seen(), [])
        self.assertIn("have not confirmed", self.partition.explain().why)

    def test_acks_all_is_satisfied_by_reports(self) -> None:
        """When the last member of the ISR holds the record."""
        waiting = self.partition.when_acknowledged(self.put(2, Acks.ALL), Acks.ALL)
        assert waiting is not None
        self.partition.report(1, 1)
        self.assertNoResult(waiting)
        self.partition.report(2, 1)
        self.assertEqual(self.successResultOf(waiting), 2)
        self.assertEqual(self.seen(), records(2))

    def test_acks_1_does_not_wait_for_followers(self) -> None:
        """The leader's promise is enough."""
        self.assertIsNone(self.partition.when_acknowledged(self.put(), Acks.LEADER))

    def test_offset_for_shows_no_record_above_the_watermark(self) -> None:
        """A record that is not committed has no time to be found by."""
        self.partition.append(encode([b"k"], [b"v"], 1000), Acks.LEADER)
        self.assertIsNone(self.successResultOf(self.partition.offset_for(0)))
        self.partition.report(1, 0)
        self.partition.report(2, 0)
        self.assertEqual(self.successResultOf(self.partition.offset_for(0)), (0, 1000))

    def test_between_the_watermark_and_the_end_a_fetch_is_empty(self) -> None:
        """It is no error, and a wait is answered when the record becomes visible."""
        self.put(4)
        self.assertEqual(self.successResultOf(self.partition.fetch(4, MAX_BYTES, 0, 1)).data, b"")
        waiting = self.partition.fetch(3, MAX_BYTES, 30, 1)
        self.partition.report(1, 2)
        self.partition.report(2, 2)
        self.assertNoResult(waiting)
        self.partition.report(1, 3)
        self.partition.report(2, 3)
        self.assertEqual(self.successResultOf(waiting).high_watermark, 4)

    def test_a_silent_replica_leaves_when_that_is_stored(self) -> None:
        """Until then it is waited for; then the others suffice."""
        self.put(2)
        self.clock.advance(9)
        self.partition.report(1, 1)
        self.clock.advance(1)
        waiting = self.partition.judge()
        assert waiting is not None
        self.assertEqual((self.partition.isr, self.partition.high_watermark), ((0, 1, 2), 0))
        self.assertEqual(self.accept(), (0, 1))
        self.successResultOf(waiting)
        self.assertEqual((self.partition.isr, self.partition.high_watermark), ((0, 1), 2))
        self.assertTrue(self.partition.under_replicated)

    def test_it_comes_back_when_it_has_caught_up(self) -> None:
        """The report that brings it back is answered when its membership is stored."""
        self.test_a_silent_replica_leaves_when_that_is_stored()
        self.assertIsNone(self.partition.report(2, 0))
        waiting = self.partition.report(2, 1)
        assert waiting is not None
        self.assertNoResult(waiting)
        self.accept()
        self.successResultOf(waiting)
        self.assertEqual(self.partition.isr, (0, 1, 2))
        self.assertFalse(self.partition.under_replicated)

    def test_one_proposal_at_a_time(self) -> None:
        """Two on their way could be stored in either order; whoever comes meanwhile waits for the first."""
        self.clock.advance(10)
        first = self.partition.report(1, -1)
        second = self.partition.report(2, -1)
        assert first is not None and second is not None
        self.clock.advance(10)
        self.partition.judge()
        self.assertEqual([isr for _, isr, _ in self.proposals], [(0, 1)])
        self.accept()
        self.successResultOf(first)
        self.successResultOf(second)
        self.partition.judge()
        self.assertEqual(self.accept(), (0,))

    def test_a_refused_joiner_counts_until_its_fate_is_known(self) -> None:
        """It may have been stored after all: only the next answer lets the watermark go on without it."""
        self.test_a_silent_replica_leaves_when_that_is_stored()
        self.partition.report(2, 1)
        self.refuse(StorageError("the disk is full"))
        self.put(2)
        self.clock.advance(9)
        self.partition.report(1, 3)
        self.refuse(StorageError("the disk is full"))
        self.clock.advance(1)
        self.partition.judge()
        self.assertEqual(self.partition.high_watermark, 2)
        self.assertEqual(self.accept(), (0, 1))
        self.assertEqual(self.partition.high_watermark, 4)

    def test_a_refused_proposal_is_made_again(self) -> None:
        """Whoever waited is answered with the ISR as it is; the next look tries again."""
        self.clock.advance(10)
        waiting = self.partition.judge()
        assert waiting is not None
        self.refuse(StorageError("the disk is full"))
        self.successResultOf(waiting)
        self.assertEqual(self.partition.isr, (0, 1, 2))
        self.partition.judge()
        self.assertEqual(self.accept(), (0,))

    def test_below_min_isr_acks_all_is_refused_before_the_append(self) -> None:
        """Nothing is kept of it; acks=1 is still served, and invisible."""
        self.clock.advance(10)
        self.partition.judge()
        self.accept()
        self.assertRaises(NotEnoughReplicas, self.put, 1, Acks.ALL)
        self.assertEqual(self.partition.log_end, 0)
        self.put(3)
        self.assertEqual(self.seen(), [])
        explanation = self.partition.explain()
        self.assertEqual((explanation.isr, explanation.min_isr, explanation.high_watermark), ((0,), 2, 0))
        self.assertIn("1 replicas are in sync and the watermark moves from 2 on", explanation.why)
        self.assertIn("not heard of", explanation.replicas[1].why)

    def test_other_limits_hold_at_once(self) -> None:
        """A topic that asks for less in sync commits what was waiting."""
        self.clock.advance(10)
        self.partition.judge()
        self.accept()
        self.put(3)
        self.partition.limit(Limits(1, max_lag=5, lag_timeout_s=10.0))
        self.assertEqual(self.partition.high_watermark, 3)

    def test_reports_that_make_no_sense_are_refused(self) -> None:
        """Ids of nobody, offsets below nothing, and reports to a follower."""
        for replica in (-1, 0, 3):
            self.assertIn("1 to 2", str(self.assertRaises(BadRequest, self.partition.report, replica, 0)))
        self.assertRaises(BadRequest, self.partition.report, 1, -2)
        self.partition.follow(1, "has no leader")
        self.assertRaises(BadRequest, self.partition.report, 1, 0)

    def test_a_proposal_answered_after_the_leadership_harms_nobody(self) -> None:
        """Its account is closed: the next leadership keeps its own."""
        self.clock.advance(10)
        self.partition.judge()
        self.partition.lead(1, 3, (0, 1, 2))
        self.put(2)
        self.proposals[0][2].callback(None)
        self.assertEqual(self.partition.isr, (0, 1, 2))
        self.assertEqual(self.partition.high_watermark, 0)
