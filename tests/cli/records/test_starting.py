"""Where reading begins, as it is written."""

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.starting import Start

NOW_MS = 1_764_237_600_000  # 2025-11-27T10:00:00Z


class StartTests(SynchronousTestCase):
    def test_every_way_to_write_it(self) -> None:
        """kcat's words, rpk's, and ours."""
        for text, start in (
            ("beginning", Start(end="earliest")),
            ("start", Start(end="earliest")),
            ("END", Start(end="latest")),
            ("0", Start(offset=0)),
            ("17", Start(offset=17)),
            ("-5", Start(back=5)),
            ("@1764237600000", Start(since=NOW_MS)),
            ("s@1764237600000", Start(since=NOW_MS)),
            ("@-90m", Start(since=NOW_MS - 90 * 60_000)),
            ("@-1d", Start(since=NOW_MS - 86_400_000)),
            ("2025-11-27T10:00:00Z", Start(since=NOW_MS)),
            ("2025-11-27T10:00", Start(since=NOW_MS)),
            ("@2025-11-27T11:00:00.250+01:00", Start(since=NOW_MS + 250)),
        ):
            self.assertEqual(Start.parse(text, NOW_MS), start, text)

    def test_anything_else_is_refused(self) -> None:
        """With everything that would do."""
        for text in ("", "first", "-", "@", "@-1y", "1.5", "2025-13-01", "9" * 40):
            error = self.assertRaises(ValueError, Start.parse, text, NOW_MS)
            self.assertIn("write beginning, end, an offset", str(error))
