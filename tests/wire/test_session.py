"""PING, HELLO, HELP: both directions."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.session import Hello, Help, HelpText, Ping, Pong, Welcome
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (Ping, Hello, Help)
REPLIES: tuple[type[Reply], ...] = (Pong, Welcome, HelpText)
WELCOME = Welcome("flux/1.0", "V1", 0, 1048576, ("HELLO", "PING"))

# A value that begins with a bracket is a list.
names = st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters="[]"), min_size=1, max_size=20)


class Session(SynchronousTestCase):
    """Requests and replies."""

    def test_requests_are_read_and_written(self) -> None:
        """Byte for byte."""
        requests: list[tuple[Request, bytes]] = [
            (Ping(), b""),
            (Hello(), b""),
            (Hello("ts/1.2"), b"client=ts/1.2"),
            (Help(), b""),
            (Help("PING"), b"PING"),
        ]
        for request, text in requests:
            self.assertEqual(request.encode(), text)
            self.assertEqual(type(request).decode(text), request)

    def test_names_ignore_case(self) -> None:
        """Of options and of commands."""
        self.assertEqual(Hello.decode(b" CLIENT=A "), Hello("A"))
        self.assertEqual(Help.decode(b"ping"), Help("PING"))

    def test_what_does_not_belong_is_refused(self) -> None:
        """With the usage."""
        for decode, text in [
            (Ping.decode, b"x"),
            (Hello.decode, b"ts/1.2"),
            (Hello.decode, b"name=x"),
            (Hello.decode, b"client=a client=b"),
            (Hello.decode, b"client="),
            (Help.decode, b"PING PONG"),
        ]:
            self.assertIn(": ", str(self.assertRaises(BadRequest, decode, text)))
        self.assertEqual(
            str(self.assertRaises(BadRequest, Ping.decode, b"x")), "arguments: 'x' is one too many; usage: PING"
        )

    def test_replies_are_read_and_written(self) -> None:
        """Byte for byte; fields appended later are passed over."""
        replies: list[tuple[Reply, bytes]] = [
            (Pong(), b"pong=true"),
            (WELCOME, b"server=flux/1.0 protocol=V1 broker_id=0 max_line=1048576 commands=[HELLO PING]"),
            (HelpText("a b\nc: é"), b"help=a%20b%0Ac%3A%20%C3%A9"),
            (HelpText(""), b"help="),
        ]
        for reply, payload in replies:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(type(reply).decode(payload), reply)
            self.assertEqual(type(reply).decode(payload + b" more=[1 2]"), reply)

    def test_a_reply_without_its_fields_is_refused(self) -> None:
        """A pong that says no is none either."""
        for kind in REPLIES:
            self.assertRaises(BadRequest, kind.decode, b"else=1")
        self.assertRaises(BadRequest, Pong.decode, b"pong=false")

    def test_commands_document_themselves(self) -> None:
        """For HELP."""
        self.assertEqual([request.COMMAND for request in REQUESTS], ["PING", "HELLO", "HELP"])
        self.assertTrue(all(request.HELP.endswith(".") for request in REQUESTS))

    @given(names, st.text(max_size=40), st.lists(names, max_size=3))
    def test_what_is_written_is_read(self, name: str, text: str, commands: list[str]) -> None:
        """Any client, any text, any commands."""
        self.assertEqual(Hello.decode(Hello(name).encode()), Hello(name))
        self.assertEqual(Help.decode(Help(name.upper()).encode()), Help(name.upper()))
        readable = text.encode("utf-8", "backslashreplace").decode()
        self.assertEqual(HelpText.decode(HelpText(text).encode()), HelpText(readable))
        welcome = Welcome(name, "V1", 7, 100, tuple(commands))
        self.assertEqual(Welcome.decode(welcome.encode()), welcome)

    @given(st.binary(max_size=40))
    def test_garbage_is_read_or_refused(self, text: bytes) -> None:
        """Nothing else ever comes of it."""
        for kind in (*REQUESTS, *REPLIES):
            try:
                self.assertIsInstance(kind.decode(text), kind)
            except FluxError as error:
                self.assertIn(": ", str(error))
