"""What came of a phase, in numbers."""

from array import array

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.measuring.outcome import COLUMNS, Outcome, percentile


class OutcomeTests(SynchronousTestCase):
    def test_a_percentile_is_one_of_the_numbers(self) -> None:
        """The least that enough of them do not exceed."""
        thousand = [float(number) for number in range(1, 1001)]
        for share, due in ((0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0), (0.0, 1.0)):
            self.assertEqual(percentile(thousand, share), due)
        self.assertEqual(percentile([7.0], 0.999), 7.0)
        self.assertIsNone(percentile([], 0.5))

    def test_a_row_has_rates_and_milliseconds(self) -> None:
        """Of however few answers."""
        row = Outcome("some", 4000, 4 << 20, 2.0, array("d", [0.004, 0.001, 0.002, 0.003])).row()
        self.assertEqual(dict(zip(COLUMNS, row, strict=True)), {
            "phase": "some",
            "records": 4000,
            "records_per_s": 2000,
            "mib_per_s": 2.0,
            "p50_ms": 2.0,
            "p99_ms": 4.0,
            "p999_ms": 4.0,
        })  # fmt: skip
        self.assertEqual(Outcome("none", 0, 0, 0.0, array("d")).row(), ("none", 0, 0, 0.0, None, None, None))
