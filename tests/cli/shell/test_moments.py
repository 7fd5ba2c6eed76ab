"""Timestamps as people read and write them."""

import click
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.shell.moments import moment, moment_option

CTX = click.Context(click.Command("any"))
OPTION = click.Option(["--to"])


class MomentTests(SynchronousTestCase):
    def test_they_are_shown_in_utc(self) -> None:
        """To the millisecond; those that no calendar has, as numbers."""
        for timestamp_ms, shown in (
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            ((1 << 63) - 1, "9223372036854775807"),
            (-(1 << 63), "-9223372036854775808"),
        ):
            self.assertEqual(moment(timestamp_ms), shown)

    def test_they_are_read_as_they_are_shown(self) -> None:
        """With an offset, without one, or as a number."""
        for text, timestamp_ms in (
            ("1700000000123", 1_700_000_000_123),
            ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
            ("2023-11-14T23:13:20.123+01:00", 1_700_000_000_123),
            ("2023-11-14 22:13:20.123", 1_700_000_000_123),
            ("2023-11-14", 1_699_920_000_000),
            (None, None),
        ):
            self.assertEqual(moment_option(CTX, OPTION, text), timestamp_ms)

    def test_what_is_no_time_is_refused(self) -> None:
        """With an example of one."""
        for text in ("yesterday", "", "-5", "2023-13-01"):
            error = self.assertRaises(click.BadParameter, moment_option, CTX, OPTION, text)
            self.assertIn("write 2026-11-27T08:05:15Z", error.message)
