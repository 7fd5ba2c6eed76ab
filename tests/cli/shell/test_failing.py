"""Exceptions as sentences and exit codes."""

from collections.abc import Callable

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.shell.failing import Interrupted, one_sentence, sentence
from flux.client import NoBroker
from flux.errors import BY_CODE, BadRequest, UnknownTopic


def ended_by(action: Callable[[], object]) -> Result:
    """What a command prints, and how it exits, when *action* is what it does."""

    @click.command
    def command() -> None:
        with one_sentence():
            action()

    return CliRunner().invoke(command)


def raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


class FailingTests(SynchronousTestCase):
    def test_a_broker_s_refusal_is_a_sentence_and_exit_1(self) -> None:
        """On stderr alone, with the way out that the message lacks."""
        result = ended_by(raising(UnknownTopic("topic: ordres does not exist")))
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            "Error: topic: ordres does not exist; flux topic list shows those that do, flux topic create makes one.\n",
        )

    def test_a_message_that_knows_the_way_out_is_left_alone(self) -> None:
        """A question is one; so is whatever a code without a sentence of ours says."""
        self.assertEqual(sentence(UnknownTopic("no ordres; did you mean orders?")), "no ordres; did you mean orders?")
        self.assertEqual(sentence(BadRequest("acks: use 0, 1 or all")), "acks: use 0, 1 or all")

    def test_every_error_says_something(self) -> None:
        """Even one without a message."""
        for kind in (*BY_CODE.values(), NoBroker):
            self.assertTrue(sentence(kind()), kind)

    def test_nobody_there_says_how_to_be_there(self) -> None:
        """Whatever the client says, then what to do."""
        result = ended_by(raising(NoBroker("no broker could be reached; 127.0.0.1:1: Connection refused")))
        self.assertRegex(result.stderr, r"refused; start one with flux serve, or .*--brokers or FLUX_BROKERS\.\n\Z")

    def test_a_message_cannot_steer_a_terminal(self) -> None:
        """It may quote what a client sent."""
        result = ended_by(raising(BadRequest("topic: \x1b[2J\nis no name")))
        self.assertEqual(result.stderr, "Error: topic:  [2J is no name.\n")

    def test_ctrl_c_is_a_sentence_and_exit_130(self) -> None:
        """As shells have it."""
        result = ended_by(raising(KeyboardInterrupt()))
        self.assertEqual(result.exit_code, 130)
        self.assertRegex(result.stderr, r"\AInterrupted: [^\n]+\.?\n\Z")

    def test_a_command_may_say_how_far_it_got(self) -> None:
        """Its words are taken."""
        result = ended_by(raising(Interrupted("3 records are stored.")))
        self.assertEqual((result.exit_code, result.stderr), (130, "Interrupted: 3 records are stored.\n"))

    def test_a_file_that_cannot_be_used_is_named(self) -> None:
        """With what the system says about it."""
        result = ended_by(raising(FileNotFoundError(2, "No such file or directory", "events.txt")))
        self.assertEqual((result.exit_code, result.stderr), (1, "Error: events.txt: No such file or directory.\n"))

    def test_a_bug_keeps_its_traceback(self) -> None:
        """Nobody could mend it from a sentence."""
        result = ended_by(raising(ZeroDivisionError("a bug")))
        self.assertIsInstance(result.exception, ZeroDivisionError)
