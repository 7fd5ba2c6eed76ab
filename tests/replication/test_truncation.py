"""A follower parts with what its leader never had."""

from flux.errors import (
    StorageError,
)
from tests.replication.scene import PartitionCase, turn


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
