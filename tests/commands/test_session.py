"""PING, HELLO, HELP."""

from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase

from flux import __version__
from flux.config import ClusterConfig, Config, ServerConfig
from tests.commands.scene import Scene


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(Config(server=ServerConfig(max_line_bytes=4096), cluster=ClusterConfig(broker_id=7)))

    def help(self, *words: bytes) -> str:
        (line,) = self.scene.ask(b"1 HELP " + b" ".join(words))
        return unquote(line.removeprefix(b"1 help=").decode())

    def test_ping_is_answered(self) -> None:
        """pong=true; the command's name ignores case."""
        self.assertEqual(self.scene.ask(b"1 PING", b"2 ping"), [b"1 pong=true", b"2 pong=true"])

    def test_hello_says_who_the_broker_is(self) -> None:
        """Version, protocol, id, line limit and all commands, in order of name."""
        (line,) = self.scene.ask(b"1 HELLO client=tests/1")
        expected = f"1 server=flux/{__version__} protocol=V1 broker_id=7 max_line=4096 commands=["
        names = line.removeprefix(expected.encode()).removesuffix(b"]").decode().split()
        self.assertEqual(names, sorted(self.scene.broker.commands))
        self.assertEqual(self.scene.client.protocol.session.client_id, "tests/1")

    def test_hello_without_a_name_keeps_the_one_given_before(self) -> None:
        """Asking again takes nothing back."""
        self.scene.ask(b"1 HELLO client=tests/1", b"2 HELLO")
        self.assertEqual(self.scene.client.protocol.session.client_id, "tests/1")

    def test_help_lists_every_command_with_its_arguments(self) -> None:
        """One line each."""
        lines = self.help().splitlines()
        self.assertEqual([line.split()[0] for line in lines], sorted(self.scene.broker.commands))
        self.assertIn("PRODUCE <topic> <key>:<value> ", self.help())

    def test_help_explains_one_command(self) -> None:
        """Its arguments, then its paragraph; its name ignores case."""
        usage, blank, paragraph = self.help(b"produce").split("\n")
        self.assertTrue(usage.startswith("PRODUCE <topic> "), usage)
        self.assertEqual(blank, "")
        self.assertIn("Appends one record", paragraph)

    def test_help_on_an_unknown_command_says_so(self) -> None:
        """By the code that the command itself would get."""
        self.assertEqual(self.scene.ask(b"1 HELP NOPE"), [b"1 UNKNOWN_COMMAND"])
