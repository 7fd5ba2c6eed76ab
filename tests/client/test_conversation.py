"""One connection: lines out, answers in."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.client.addresses import Address
from flux.client.calls import Call, consume, ping, produce
from flux.client.conversation import Conversation, Stage
from flux.client.errors import BadReply
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.errors import BadRequest, MessageTooLarge
from flux.wire.session import Pong, Welcome
from flux.wire.v1 import ErrReply, OkReply


def _written(conversation: Conversation, call: Call[Pong], at_s: float = 0.0) -> Exchange[Pong]:
    exchange = Exchange(call, 10.0)
    exchange.load(call.request.encode())
    conversation.write(exchange, at_s)
    return exchange


def _conversation(max_reply_bytes: int = 1000) -> Conversation:
    return Conversation(Address("a", 1), 5.0, max_reply_bytes)


class _Raw:
    COMMAND = "RAW"

    def __init__(self, text: bytes) -> None:
        self._text = text

    def encode(self) -> bytes:
        return self._text


class Requests(SynchronousTestCase):
    """What is sent."""

    def test_ids_count_up_and_lines_leave_together(self) -> None:
        """Each once."""
        conversation = _conversation()
        for _ in range(2):
            _written(conversation, ping())
        self.assertEqual(conversation.take_outgoing(), b"V1|1|PING|\nV1|2|PING|\n")
        self.assertEqual(conversation.take_outgoing(), b"")

    def test_a_line_the_broker_would_not_take_is_not_sent(self) -> None:
        """It fails here, with its length and the limit; the next one goes."""
        conversation = _conversation()
        conversation.max_line_bytes = 40
        exactly = _written(conversation, Call(_Raw(bytes(40 - len("V1|1|RAW|"))), Pong.decode))
        too_long = _written(conversation, Call(_Raw(bytes(41 - len("V1|2|RAW|"))), Pong.decode))
        self.assertFalse(exactly.is_done)
        self.assertIsInstance(too_long.error, MessageTooLarge)
        self.assertIn("41 bytes, and broker a:1 takes lines of 40", str(too_long.error))
        self.assertEqual(list(conversation.unanswered.values()), [exactly])

    def test_a_request_that_would_be_two_is_not_sent(self) -> None:
        """Whoever made it is told."""
        conversation = _conversation()
        exchange = _written(conversation, Call(_Raw(b"a\nV1|9|LEAVE|b"), Pong.decode))
        self.assertIsInstance(exchange.error, BadRequest)
        self.assertEqual(conversation.take_outgoing(), b"")

    def test_room_is_counted_in_requests_and_bytes(self) -> None:
        """A single one always has it; what is answered makes some."""
        settings = ClientSettings(max_in_flight=2, max_in_flight_bytes=1000)
        conversation = _conversation()
        large = Exchange(ping(), 10.0)
        large.load(bytes(5000))
        small = Exchange(ping(), 10.0)
        self.assertTrue(conversation.has_room(large, settings))
        conversation.write(small, 0.0)
        self.assertFalse(conversation.has_room(large, settings))
        self.assertTrue(conversation.has_room(small, settings))
        conversation.write(small, 0.0)
        self.assertFalse(conversation.has_room(small, settings))
        list(conversation.read(b"V1|1|OK|pong=true\n", 0.0))
        self.assertTrue(conversation.has_room(small, settings))
        self.assertFalse(conversation.has_room(large, settings))
        list(conversation.read(b"V1|2|OK|pong=true\n", 0.0))
        self.assertTrue(conversation.has_room(large, settings))


class Answers(SynchronousTestCase):
    """What comes back."""

    def test_answers_are_matched_by_id_in_any_order_and_any_pieces(self) -> None:
        """Whole, byte by byte, with CR before LF, and with the next one begun."""
        text = b"V1|2|OK|b\r\nV1|1|OK|a|a\nV1|3|ERR|BAD_REQUEST|why|not\n"
        for size in (len(text), 1, 7):
            conversation = _conversation()
            exchanges = [_written(conversation, ping()) for _ in range(3)]
            found: list[tuple[Exchange[Any], OkReply | ErrReply]] = []
            for start in range(0, len(text), size):
                found += conversation.read(text[start : start + size], 0.0)
            self.assertEqual([exchange for exchange, _ in found], [exchanges[1], exchanges[0], exchanges[2]])
            self.assertEqual([reply[1:] for _, reply in found], [(b"b",), (b"a|a",), ("BAD_REQUEST", "why|not")], size)
            self.assertEqual((conversation.unanswered, conversation.unanswered_bytes), ({}, 0))

    def test_what_was_not_asked_ends_the_connection(self) -> None:
        """And what is no answer at all; what came before it counts."""
        for garbage in (b"V1|7|OK|pong=true", b"HTTP/1.1 400 Bad Request", b"", b"V1|0|ERR|", b"\x00" * 50):
            conversation = _conversation()
            exchange = _written(conversation, ping())
            answers = conversation.read(b"V1|1|OK|pong=true\n" + garbage + b"\n", 0.0)
            self.assertEqual(next(answers), (exchange, OkReply(b"1", b"pong=true")))
            with self.assertRaises(BadReply):
                next(answers)

    def test_an_endless_answer_ends_the_connection(self) -> None:
        """Before it fills memory."""
        conversation = _conversation(max_reply_bytes=1000)
        _written(conversation, ping())
        for _ in range(10):
            self.assertEqual(list(conversation.read(bytes(100), 0.0)), [])
        with self.assertRaises(BadReply) as raised:
            list(conversation.read(b"x", 0.0))
        self.assertIn("max_reply_bytes", str(raised.exception))

    def test_a_line_the_broker_could_not_read_was_the_oldest_unanswered(self) -> None:
        """Of those it answers in order: a long poll may be parked before it."""
        conversation = _conversation()
        poll = Exchange(consume("t", 0, 0, wait_ms=1000), 10.0)
        conversation.write(poll, 0.0)
        produced = Exchange(produce("t", "k", "v"), 10.0)
        conversation.write(produced, 0.0)
        ((exchange, reply),) = conversation.read(b"V1|0|ERR|MESSAGE_TOO_LARGE|too long\n", 0.0)
        self.assertIs(exchange, produced)
        self.assertEqual(reply[1:], ("MESSAGE_TOO_LARGE", "too long"))
        ((exchange, _),) = conversation.read(b"V1|0|ERR|MESSAGE_TOO_LARGE|too long\n", 0.0)
        self.assertIs(exchange, poll)


class Greetings(SynchronousTestCase):
    """HELLO comes first."""

    def test_the_welcome_opens_and_says_how_long_a_line_may_be(self) -> None:
        """It is nobody's answer."""
        conversation = _conversation()
        conversation.greet(0.0)
        self.assertTrue(conversation.take_outgoing().startswith(b"V1|1|HELLO|client=flux-python/"))
        self.assertIs(conversation.stage, Stage.GREETING)
        welcome = Welcome("flux/1", "V1", 0, 12345, ())
        self.assertEqual(list(conversation.read(b"V1|1|OK|" + welcome.encode() + b"\n", 3.0)), [])
        self.assertIs(conversation.stage, Stage.OPEN)
        self.assertEqual((conversation.max_line_bytes, conversation.heard_at_s), (12345, 3.0))

    def test_whoever_does_not_welcome_is_no_broker_for_us(self) -> None:
        """Refused, or answered something else, or in another language."""
        for line, reason in [
            (b"V1|0|ERR|THROTTLED|there are 10000 connections", "THROTTLED: there are 10000 connections"),
            (b"V1|1|ERR|UNKNOWN_COMMAND|HELLO", "UNKNOWN_COMMAND: HELLO"),
            (b"V1|1|OK|pong=true", "server: it is missing"),
            (b"SSH-2.0-OpenSSH_9.2", "is a:1 a broker that speaks V1?"),
        ]:
            conversation = _conversation()
            conversation.greet(0.0)
            with self.assertRaises(BadReply) as raised:
                list(conversation.read(line + b"\n", 0.0))
            self.assertIn(reason, str(raised.exception))
