"""One partition: acknowledgements, roles, what consumers see."""

import errno

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from flux.batch import encode
from flux.errors import (
    BadRequest,
    NotEnoughReplicas,
    NotLeader,
    OffsetOutOfRange,
    ReplicationTimeout,
    ShuttingDown,
    StorageError,
    UnknownTopic,
)
from flux.interfaces import IPartition
from flux.model import Acks, Appended, FsyncMode, Role
from flux.replication.isr import Limits
from tests.replication.scene import MAX_BYTES, PartitionCase, records, turn


class AloneTests(PartitionCase):
    """One replica, and a log that promises what is appended."""

    def test_the_interface_is_kept(self) -> None:
        """A partition is what the other rooms are promised."""
        verifyObject(IPartition, self.partition)

    def test_the_watermark_moves_within_the_append(self) -> None:
        """Nothing waits: each kind of acks is satisfied when append returns."""
        for acks in Acks:
            appended = self.put(2, acks)
            self.assertIsNone(self.partition.when_acknowledged(appended, acks))
        self.assertEqual(self.partition.high_watermark, 6)
        self.assertEqual(self.seen(), records(6))

    def test_appended_says_where(self) -> None:
        """Offsets are dense, the epoch is the leadership's."""
        self.put(3)
        self.assertEqual(self.put(2), Appended(0, 3, 5, 0))

    def test_the_epoch_is_in_the_log(self) -> None:
        """Each leadership's first append begins its epoch there."""
        self.put(2)
        self.partition.follow(1, "has no leader")
        self.partition.lead(2, 1, (0,))
        self.put(1)
        log = self.partition.log
        self.assertEqual([log.end_offset_for_epoch(epoch) for epoch in (0, 1, 2)], [(0, 2), (0, 2), (2, 3)])

    def test_an_offset_outside_the_log_is_refused_with_both_ends(self) -> None:
        """The message is enough to go on."""
        self.put(3)
        for offset in (-1, 4):
            error = self.failureResultOf(self.partition.fetch(offset, MAX_BYTES, 5, 1), OffsetOutOfRange)
            self.assertIn("starts at 0 and ends at 3", error.getErrorMessage())

    def test_offset_for_finds_visible_records(self) -> None:
        """By time, the first record that is not older."""
        self.partition.append(encode([b"k"], [b"v"], 1000), Acks.LEADER)
        self.partition.append(encode([b"k"], [b"v"], 2000), Acks.LEADER)
        found = [self.successResultOf(self.partition.offset_for(ms)) for ms in (0, 1001, 2001)]
        self.assertEqual(found, [(0, 1000), (1, 2000), None])

    def test_whether_there_are_keys(self) -> None:
        """A key anywhere in the log counts, null keys do not."""
        self.assertFalse(self.successResultOf(self.partition.holds_keys()))
        self.partition.append(encode([None] * 3, [b"v"] * 3, 0), Acks.LEADER)
        self.assertFalse(self.successResultOf(self.partition.holds_keys()))
        self.partition.append(encode([b""], [b"v"], 0), Acks.LEADER)
        self.assertTrue(self.successResultOf(self.partition.holds_keys()))

    def test_deleting_records_moves_the_start(self) -> None:
        """What is below is gone for consumers, and only committed records can go."""
        self.put(4)
        self.assertEqual(self.successResultOf(self.partition.delete_records(2)), 2)
        self.assertEqual(self.partition.log_start, 2)
        self.failureResultOf(self.partition.fetch(1, MAX_BYTES, 0, 1), OffsetOutOfRange)
        self.failureResultOf(self.partition.delete_records(5), OffsetOutOfRange)
        self.partition.follow(1, "has no leader")
        self.failureResultOf(self.partition.delete_records(3), NotLeader)


class ParkedTests(PartitionCase):
    """Fetches that wait."""

    def test_a_fetch_without_a_wait_answers_at_once(self) -> None:
        """Nothing there: empty, with the watermark."""
        fetched = self.successResultOf(self.partition.fetch(0, MAX_BYTES, 0, 1))
        self.assertEqual((fetched.data, fetched.high_watermark, fetched.log_start), (b"", 0, 0))

    def test_an_append_wakes_it(self) -> None:
        """It answers with the record, within the append."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.assertNoResult(waiting)
        self.put()
        self.assertEqual(self.successResultOf(waiting).high_watermark, 1)

    def test_time_wakes_it(self) -> None:
        """After its wait it answers empty, and leaves nothing behind."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.clock.advance(29.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(waiting).data, b"")

    def test_a_caller_who_leaves_takes_it_along(self) -> None:
        """Cancelling ends the wait and its timer."""
        before = len(self.clock.getDelayedCalls())
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)
        self.put()

    def test_a_drain_releases_it_and_parks_no_other(self) -> None:
        """Everybody parked, and whoever would be, is told why; a fetch that need not wait is served."""
        self.put()
        waiting = self.partition.fetch(1, MAX_BYTES, 30, 1)
        self.partition.release_waits(ShuttingDown("bye"))
        self.failureResultOf(waiting, ShuttingDown)
        self.failureResultOf(self.partition.fetch(1, MAX_BYTES, 30, 1), ShuttingDown)
        self.assertEqual(self.successResultOf(self.partition.fetch(0, MAX_BYTES, 30, 1)).high_watermark, 1)

    def test_it_waits_for_min_bytes(self) -> None:
        """Fewer bytes than asked for do not end the wait; the read is repeated, but not per append."""
        self.put()
        size = len(self.successResultOf(self.partition.fetch(0, MAX_BYTES, 0, 1)).data)
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 3 * size)
        self.put()
        self.clock.advance(0.01)
        self.assertNoResult(waiting)
        self.put()
        self.clock.advance(0.01)
        self.assertEqual(len(self.successResultOf(waiting).data), 3 * size)

    def test_too_few_bytes_in_time_are_answered(self) -> None:
        """What there is, when the wait is over."""
        self.put()
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1 << 16)
        self.clock.advance(30)
        fetched = self.successResultOf(waiting)
        self.assertEqual((fetched.high_watermark, bool(fetched.data)), (1, True))

    def test_min_bytes_above_max_bytes_does_not_wait_for_ever(self) -> None:
        """No answer is longer than max_bytes allows, so no more is waited for."""
        self.put(3)
        fetched = self.successResultOf(self.partition.fetch(0, 1, 30, MAX_BYTES))
        self.assertTrue(fetched.data)

    def test_deleting_the_topic_ends_it(self) -> None:
        """A consumer of a deleted topic hears so, as does a producer."""
        waiting = self.partition.fetch(0, MAX_BYTES, 30, 1)
        self.partition.close(UnknownTopic("gone"))
        self.failureResultOf(waiting, UnknownTopic)
        self.assertRaises(UnknownTopic, self.put)


class SyncedTests(PartitionCase):
    """One replica, and a log that promises only what is synced."""

    mode = FsyncMode.ALWAYS

    def test_nobody_sees_what_is_not_synced(self) -> None:
        """Acknowledged and visible in the same moment, not before."""
        appended = self.put()
        waiting = self.partition.when_acknowledged(appended, Acks.LEADER)
        assert waiting is not None
        self.assertNoResult(waiting)
        self.assertEqual(self.seen(), [])
        seen: list[int] = []
        waiting.addCallback(lambda _: seen.append(self.partition.high_watermark))
        turn(self.clock)
        self.assertEqual(seen, [1])
        self.assertEqual(self.seen(), records(1))

    def test_acks_0_waits_for_nothing(self) -> None:
        """Not even for the disk."""
        self.assertIsNone(self.partition.when_acknowledged(self.put(), Acks.NONE))

    def test_a_failed_sync_is_told_to_whoever_waits(self) -> None:
        """The outcome is unknown; no later sync acknowledges it."""
        self.disk.fail(errno.EIO, "datasync")
        appended = self.put(1, Acks.ALL)
        waits = [self.partition.when_acknowledged(appended, acks) for acks in (Acks.LEADER, Acks.ALL)]
        turn(self.clock)
        for waiting in waits:
            assert waiting is not None
            self.failureResultOf(waiting, StorageError)
        self.assertRaises(StorageError, self.put)
        self.assertEqual(self.partition.high_watermark, 0)

    def test_a_failed_log_acknowledges_in_no_later_epoch(self) -> None:
        """Leading again does not mend the disk."""
        self.disk.fail(errno.EIO, "datasync")
        self.put()
        turn(self.clock)
        self.partition.lead(1, 1, (0,))
        waiting = self.partition.when_acknowledged(Appended(0, 0, 1, 1), Acks.LEADER)
        assert waiting is not None
        self.failureResultOf(waiting, StorageError)


class RoleTests(PartitionCase):
    """Who may append, and what a change of leadership does to those who wait."""

    mode = FsyncMode.ALWAYS

    def test_a_follower_appends_nothing(self) -> None:
        """The refusal names the leader."""
        self.partition.follow(1, "is led by broker 7")
        self.assertIs(self.partition.role, Role.FOLLOWER)
        error = self.assertRaises(NotLeader, self.put)
        self.assertIn("led by broker 7", str(error))
        self.assertEqual(self.partition.isr, ())

    def test_one_that_nobody_led_yet_appends_nothing(self) -> None:
        """Until the metadata say so, nobody leads."""
        self.partition = self.make_partition()
        self.assertRaises(NotLeader, self.put)

    def test_the_end_of_a_leadership_fails_its_waiters(self) -> None:
        """What was appended may stay or go: no acknowledgement outlives the epoch."""
        appended = self.put(1, Acks.ALL)
        waits = [self.partition.when_acknowledged(appended, acks) for acks in (Acks.LEADER, Acks.ALL)]
        self.partition.follow(1, "has no leader")
        for waiting in waits:
            assert waiting is not None
            self.failureResultOf(waiting, NotLeader)
        turn(self.clock)

    def test_an_append_of_an_ended_epoch_is_not_acknowledged(self) -> None:
        """Even where the same broker leads again, and even when the record is on disk by then."""
        appended = self.put()
        self.partition.lead(1, 1, (0,))
        turn(self.clock)
        waiting = self.partition.when_acknowledged(appended, Acks.LEADER)
        assert waiting is not None
        self.failureResultOf(waiting, NotLeader)

    def test_the_watermark_outlives_roles(self) -> None:
        """It stays while this broker follows, and goes on when it leads again."""
        self.put(2)
        turn(self.clock)
        self.partition.follow(1, "has no leader")
        self.assertEqual(self.partition.high_watermark, 2)
        self.assertEqual(self.seen(), records(2))
        self.partition.lead(2, 1, (0,))
        self.assertEqual(self.partition.high_watermark, 2)

    def test_an_epoch_never_falls(self) -> None:
        """An older image is a broken invariant."""
        self.partition.lead(3, 1, (0,))
        self.assertRaises(AssertionError, self.partition.lead, 2, 1, (0,))


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


class TruncationTests(PartitionCase):
    """A follower with another history, and a leader who tells it where to cut."""

    replicas = 2

    def setUp(self) -> None:
        """Epoch 0 holds offsets 0 to 3, epoch 2 holds 4 and 5; two records are committed."""
        super().setUp()
        for _ in range(4):
            self.put()
        self.partition.report(1, 1)
        self.partition.lead(2, 2, (0, 1))
        self.put()
        self.put()
        self.partition.follow(3, "is led by broker 1")

    def truncate(self, leader_epoch: int, end_offset: int) -> bool:
        truncated = self.partition.truncate_to_leader(leader_epoch, end_offset)
        turn(self.clock)
        return self.successResultOf(truncated)

    def test_a_shared_epoch_is_cut_at_the_lower_end(self) -> None:
        """That settles it."""
        self.assertTrue(self.truncate(2, 5))
        self.assertEqual(self.partition.log_end, 5)

    def test_an_epoch_the_leader_never_had_goes_whole(self) -> None:
        """The leader has epochs 0 and 1: ours above 1 goes, and it is asked again."""
        self.assertFalse(self.truncate(1, 9))
        self.assertEqual(self.partition.log_end, 4)
        self.assertTrue(self.truncate(0, 3))
        self.assertEqual(self.partition.log_end, 3)

    def test_nothing_to_cut_is_settled(self) -> None:
        """A leader that is ahead in the same epoch costs nothing."""
        self.assertTrue(self.truncate(2, 99))
        self.assertEqual(self.partition.log_end, 6)

    def test_committed_records_are_never_cut(self) -> None:
        """The replica stops rather than lose what somebody may have read."""
        error = self.failureResultOf(self.partition.truncate_to_leader(0, 1), StorageError)
        self.assertIn("below the high watermark 2", error.getErrorMessage())
        self.assertEqual(self.partition.log_end, 6)

    def test_a_leader_does_not_truncate(self) -> None:
        """Its history is the one that counts."""
        self.partition.lead(4, 2, (0, 1))
        self.assertRaises(AssertionError, self.partition.truncate_to_leader, 2, 5)
