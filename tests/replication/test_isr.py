"""Replica progress, in-sync replicas and the high watermark, by pure calls."""

from twisted.trial.unittest import SynchronousTestCase

from flux.replication.isr import Limits, ReplicaProgress


def account(
    replicas: int = 3,
    isr: tuple[int, ...] = (0, 1, 2),
    min_isr: int = 1,
    high_watermark: int = 0,
    log_end: int = 0,
) -> ReplicaProgress:
    return ReplicaProgress(
        replicas,
        isr,
        Limits(min_isr, max_lag=5, lag_timeout_s=10.0),
        high_watermark=high_watermark,
        log_end=log_end,
        now=0.0,
    )


class WatermarkTests(SynchronousTestCase):
    """The watermark is the lowest end in the ISR, and never falls."""

    def test_alone_the_leader_decides(self) -> None:
        """With one replica the watermark is what the leader promises."""
        progress = account(replicas=1, isr=(0,))
        self.assertEqual([progress.leader_holds(3), progress.leader_holds(7)], [3, 7])

    def test_it_waits_for_the_slowest_in_sync_replica(self) -> None:
        """Records count as committed when every member of the ISR holds them."""
        progress = account()
        self.assertEqual(progress.leader_holds(4), 0)
        self.assertEqual(progress.report(1, 4, 4, 1.0), 0)
        self.assertEqual(progress.report(2, 3, 4, 1.0), 3)

    def test_a_report_above_the_log_end_counts_as_the_end(self) -> None:
        """Nobody holds what was never written."""
        progress = account(replicas=2, isr=(0, 1))
        progress.leader_holds(4)
        self.assertEqual(progress.report(1, 99, 4, 1.0), 4)
        self.assertEqual(progress.leader_holds(6), 4)

    def test_a_lower_report_changes_nothing(self) -> None:
        """Reports overtake one another; what a replica held it holds."""
        progress = account(replicas=2, isr=(0, 1))
        progress.leader_holds(4)
        progress.report(1, 4, 4, 1.0)
        self.assertEqual(progress.report(1, 1, 4, 2.0), 4)
        self.assertEqual(progress.standings(4, 2.0)[1].end_offset, 4)

    def test_a_follower_ahead_of_the_leaders_own_sync_does_not_commit(self) -> None:
        """The leader's own promise counts like anybody's."""
        progress = account(replicas=2, isr=(0, 1))
        progress.leader_holds(2)
        self.assertEqual(progress.report(1, 4, 4, 1.0), 2)
        self.assertEqual(progress.leader_holds(4), 4)

    def test_it_stands_still_below_min_isr(self) -> None:
        """With fewer in sync than asked for nothing is committed, however far they are."""
        progress = account(replicas=3, isr=(0,), min_isr=2)
        self.assertEqual(progress.leader_holds(4), 0)
        progress.report(1, 4, 4, 1.0)
        progress.propose((0, 1))
        self.assertEqual(progress.high_watermark, 0)
        progress.stored((0, 1))
        self.assertEqual(progress.settled(), 4)

    def test_min_isr_is_never_more_than_there_are_replicas(self) -> None:
        """One replica alone commits even where two are asked for: else nothing ever would."""
        self.assertEqual(account(replicas=1, isr=(0,), min_isr=2).leader_holds(3), 3)

    def test_a_member_of_the_isr_not_heard_yet_holds_what_is_committed(self) -> None:
        """A new leadership neither falls back nor runs ahead of the replicas it has not heard."""
        progress = account(high_watermark=4, log_end=6)
        self.assertEqual(progress.leader_holds(6), 4)
        self.assertEqual([standing.end_offset for standing in progress.standings(6, 0.0)], [6, 4, 4])


class MembershipTests(SynchronousTestCase):
    """Who should be in the ISR, and whose progress counts meanwhile."""

    def test_the_silent_leave_on_time(self) -> None:
        """A replica is in sync until it has been silent for the whole timeout, and not an instant longer."""
        progress = account()
        progress.report(1, 0, 0, 3.0)
        self.assertEqual(progress.wanted(0, 9.999), (0, 1, 2))
        self.assertEqual(progress.wanted(0, 10.0), (0, 1))
        self.assertEqual(progress.wanted(0, 13.0), (0,))

    def test_the_laggard_leaves(self) -> None:
        """At most max_lag records behind is in sync; one more is not."""
        progress = account(replicas=2, isr=(0, 1))
        self.assertEqual(progress.wanted(5, 1.0), (0, 1))
        self.assertEqual(progress.wanted(6, 1.0), (0,))

    def test_one_outside_joins_only_when_it_holds_what_is_committed(self) -> None:
        """Close to the end is not enough: the watermark must not stand above what a member holds."""
        progress = account(replicas=2, isr=(0,))
        progress.leader_holds(4)
        progress.report(1, 3, 4, 1.0)
        self.assertEqual(progress.wanted(4, 1.0), (0,))
        progress.report(1, 4, 4, 1.0)
        self.assertEqual(progress.wanted(4, 1.0), (0, 1))

    def test_one_outside_joins_only_when_it_reaches_this_epoch(self) -> None:
        """Below the offset at which the leadership began it may hold another history."""
        progress = account(replicas=3, isr=(0, 2), high_watermark=2, log_end=5)
        progress.report(1, 4, 5, 1.0)
        self.assertEqual(progress.wanted(5, 1.0), (0, 2))
        progress.report(1, 5, 5, 1.0)
        self.assertEqual(progress.wanted(5, 1.0), (0, 1, 2))

    def test_one_outside_never_heard_does_not_join(self) -> None:
        """An empty log is no reason to take a replica in that never spoke."""
        self.assertEqual(account(replicas=2, isr=(0,)).wanted(0, 0.0), (0,))

    def test_who_is_to_leave_counts_until_that_is_stored(self) -> None:
        """Shrinking first and asking later would acknowledge what the next leader may not have."""
        progress = account(replicas=2, isr=(0, 1))
        progress.leader_holds(4)
        progress.propose((0,))
        self.assertEqual(progress.high_watermark, 0)
        self.assertEqual(progress.leader_holds(5), 0)
        self.assertEqual(progress.stored((0,)), 5)

    def test_who_is_to_join_counts_at_once(self) -> None:
        """The controller may elect it before we hear that it has joined."""
        progress = account(replicas=2, isr=(0,))
        progress.leader_holds(4)
        progress.report(1, 4, 4, 1.0)
        progress.propose((0, 1))
        self.assertEqual(progress.leader_holds(6), 4)

    def test_a_proposal_of_unknown_fate_is_made_again(self) -> None:
        """Until it is settled whoever it named goes on counting, even when it should not be a member any more."""
        progress = account(replicas=2, isr=(0,))
        progress.report(1, 0, 0, 0.0)
        progress.propose((0, 1))
        self.assertEqual(progress.leader_holds(3), 0)
        wanted = progress.wanted(3, 20.0)
        self.assertEqual(wanted, (0,))
        self.assertTrue(progress.must_propose(wanted))
        self.assertEqual(progress.settled(), 3)
        self.assertFalse(progress.must_propose(wanted))

    def test_a_standing_says_why(self) -> None:
        """Each reason not to be in sync is told with its figures."""
        progress = account(replicas=4, isr=(0, 1, 2))
        progress.leader_holds(9)
        progress.report(1, 9, 9, 14.0)
        progress.report(2, 1, 9, 14.0)
        leader, fine, behind, unheard = progress.standings(9, 15.0)
        self.assertEqual((leader.replica, leader.lag, leader.in_sync), (0, 0, True))
        self.assertEqual((fine.lag, fine.silent_s, fine.in_sync), (0, 1.0, True))
        self.assertIn("8 records behind; 5 are allowed", behind.why)
        self.assertIn("not heard", unheard.why)
        self.assertIsNone(unheard.silent_s)
        self.assertIn("silent for 86.000 s", progress.standings(9, 100.0)[1].why)
