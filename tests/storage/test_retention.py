"""Which closed segments may go."""

from twisted.trial.unittest import SynchronousTestCase

from flux.storage.closed import ClosedSegment
from flux.storage.retention import new_start

NOW, FAR = 1_000_000, 1 << 40
SEGMENTS = [ClosedSegment(0, 10, 100, 1000), ClosedSegment(10, 20, 100, 3000), ClosedSegment(20, 30, 100, 2000)]


class Rules(SynchronousTestCase):
    def start(
        self, age: int | None, size: int | None, limit: int = FAR, closed: list[ClosedSegment] = SEGMENTS
    ) -> int | None:
        return new_start(closed, 50, NOW, age, size, limit)

    def test_without_limits_all_stay(self) -> None:
        """None means no limit, not zero."""
        self.assertIsNone(self.start(None, None))

    def test_by_age(self) -> None:
        """A segment goes when its newest record is too old, and none goes before an older segment."""
        self.assertEqual([self.start(NOW - at, None) for at in (1000, 1001, 3000, 3001)], [None, 10, 10, 30])

    def test_by_size(self) -> None:
        """As many as leave at least so much, the active one counted."""
        self.assertEqual(
            [self.start(None, size) for size in (400, 350, 251, 250, 150, 50, 0)], [None, None, None, 10, 20, 30, 30]
        )

    def test_never_past_the_high_watermark(self) -> None:
        """What is not committed stays."""
        self.assertEqual([self.start(0, 0, limit) for limit in (0, 9, 10, 29, 30)], [None, None, 10, 20, 30])

    def test_an_unknown_age_is_the_next_ones(self) -> None:
        """A segment of which no record could be read goes with what follows it; alone it stays."""
        unknown = ClosedSegment(0, 10, 100, -1)
        self.assertEqual(self.start(NOW - 1500, None, closed=[unknown, *SEGMENTS[1:]]), None)
        self.assertEqual(self.start(NOW - 3001, None, closed=[unknown, *SEGMENTS[1:]]), 30)
        self.assertIsNone(self.start(1, None, closed=[unknown]))
        self.assertEqual(self.start(None, 0, closed=[unknown]), 10)
