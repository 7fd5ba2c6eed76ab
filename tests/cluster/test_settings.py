"""A topic's settings."""

from twisted.trial.unittest import SynchronousTestCase

from flux.cluster.settings import TOPIC_SETTINGS, check_settings
from flux.errors import BadRequest


class SettingTests(SynchronousTestCase):
    """Kafka's names, read into one spelling."""

    def test_values_are_stored_in_one_spelling(self) -> None:
        """The same value is the same text, so that a second creation can be compared with the first."""
        for name, value, stored in (
            ("retention.ms", "+0060000", "60000"),
            ("retention.ms", "-1", "-1"),
            ("retention.bytes", "0", "0"),
            ("segment.bytes", "1024", "1024"),
            ("min.insync.replicas", "2", "2"),
            ("max.message.bytes", "1", "1"),
            ("unclean.leader.election.enable", "TRUE", "true"),
        ):
            self.assertEqual(check_settings({name: value}), {name: stored})

    def test_what_will_not_do_is_named(self) -> None:
        """The setting, the value, and what would do."""
        for name, value, hint in (
            ("retention.ms", "-2", "at least 0, or -1 for no limit"),
            ("retention.ms", "week", "an integer"),
            ("retention.ms", "1_0", "an integer"),
            ("retention.ms", str(1 << 63), "at least 0"),
            ("segment.bytes", "1023", "at least 1024"),
            ("segment.bytes", "-1", "at least 1024"),
            ("min.insync.replicas", "0", "at least 1"),
            ("max.message.bytes", "", "an integer"),
            ("unclean.leader.election.enable", "1", "true or false"),
        ):
            message = str(self.assertRaises(BadRequest, check_settings, {name: value}))
            for part in (name, repr(value), hint):
                self.assertIn(part, message)

    def test_an_unknown_setting_is_answered_with_those_there_are(self) -> None:
        """A typing error is not a setting."""
        message = str(self.assertRaises(BadRequest, check_settings, {"retention": "1"}))
        for name in TOPIC_SETTINGS:
            self.assertIn(name, message)
