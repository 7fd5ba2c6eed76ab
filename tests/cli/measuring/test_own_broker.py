"""A broker that does not start is told with the last thing it said."""

import click
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.measuring.own_broker import own_broker


class OwnBrokerTests(SynchronousTestCase):
    def test_a_broker_that_does_not_start_is_told(self) -> None:
        """Whether it says why or not."""
        for script, why in (("echo first >&2; echo the reason >&2", "the reason"), ("exit 3", "no reason given")):
            with self.assertRaises(click.ClickException) as raised, own_broker(("sh", "-c", script)):
                self.fail("it runs")
            self.assertEqual(raised.exception.message, f"the broker that was to be measured did not start: {why}")
