"""What is survived, said once."""

from collections.abc import Callable

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.outage import Outage
from flux.client import NoBroker, OutcomeUnknown
from flux.errors import NotLeader


def said(happens: Callable[[Outage], object]) -> list[str]:
    @click.command
    def command() -> None:
        happens(Outage())

    return CliRunner().invoke(command, catch_exceptions=False).stderr.splitlines()


class OutageTests(SynchronousTestCase):
    def test_it_is_said_once(self) -> None:
        """However many attempts fail, and however differently."""

        def happens(outage: Outage) -> None:
            for error in (OutcomeUnknown("may be"), NoBroker("nobody"), NoBroker("nobody")):
                outage.told(error)

        self.assertEqual(said(happens), ["The broker is gone; reading goes on when it is back."])

    def test_the_next_one_is_news(self) -> None:
        """After an answer."""

        def happens(outage: Outage) -> None:
            outage.told(NotLeader("orders-2: broker 1 leads"))
            outage.over()
            outage.told(NoBroker("nobody"))

        self.assertEqual(
            said(happens),
            ["orders-2: broker 1 leads; trying again.", "The broker is gone; reading goes on when it is back."],
        )
