"""One partition: acknowledgements, roles, what consumers see."""

import errno

from zope.interface.verify import verifyObject

from flux.batch import encode
from flux.errors import (
    NotLeader,
    OffsetOutOfRange,
    ReplicationTimeout,
    StorageError,
)
from flux.interfaces import IPartition
from flux.model import Acks, Appended, FsyncMode, Role
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

    def test_a_failed_disk_is_why(self) -> None:
        """Also while nothing is held back, and of one that follows."""
        failed = "orders-0: the disk failed ([Errno 5] Input/output error"
        self.put()
        turn(self.clock)
        self.assertEqual(self.partition.explain().why, "every record is committed")
        self.disk.fail(errno.EIO, "append")
        self.assertRaises(StorageError, self.put)
        self.assertIn(f"every record is committed; {failed}", self.partition.explain().why)
        self.partition.follow(6, "is led by broker 7")
        self.assertIn("is led by broker 7, epoch 6; this broker only follows; " + failed, self.partition.explain().why)

    def test_what_a_failed_disk_holds_back_is_counted(self) -> None:
        """It was appended, and the sync that would have shown it failed."""
        self.disk.fail(errno.EIO, "datasync")
        self.put(3)
        turn(self.clock)
        self.assertIn("3 records are not committed; orders-0: the disk failed (", self.partition.explain().why)

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
            self.failureResultOf(waiting, ReplicationTimeout)
        turn(self.clock)

    def test_an_append_of_an_ended_epoch_is_not_acknowledged(self) -> None:
        """Even where the same broker leads again, and even when the record is on disk by then."""
        appended = self.put()
        self.partition.lead(1, 1, (0,))
        turn(self.clock)
        waiting = self.partition.when_acknowledged(appended, Acks.LEADER)
        assert waiting is not None
        self.failureResultOf(waiting, ReplicationTimeout)

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
