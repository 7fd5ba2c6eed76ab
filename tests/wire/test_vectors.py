"""Frames, encodings, partitions and codes as every client has them: see :mod:`tests.vectors`."""

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BY_CODE, BadRequest
from flux.partitioner import fnv1a
from flux.wire.encoding import Encoding
from flux.wire.v1 import ErrReply, OkReply, parse_reply, request_line
from tests.vectors import as_bytes, load

ENCODINGS = {"pct": Encoding.PCT, "b64": Encoding.B64}


class Frames(SynchronousTestCase):
    """Lines out, lines in."""

    def test_requests_are_written(self) -> None:
        """Byte for byte; what would be read as something else is refused."""
        frames = load("frames.json")
        for each in frames["requests"]:
            line = request_line(as_bytes(each["id"]), each["command"], as_bytes(each["args"]))
            self.assertEqual(line, as_bytes(each["line"]))
        for each in frames["unsendable"]:
            arguments = (as_bytes(each["id"]), each["command"], as_bytes(each["args"]))
            self.assertRaises(BadRequest, request_line, *arguments)

    def test_replies_are_read(self) -> None:
        """And nothing else is."""
        frames = load("frames.json")
        for each in frames["replies"]:
            reply = parse_reply(as_bytes(each["line"]))
            if "payload" in each:
                self.assertEqual(reply, OkReply(as_bytes(each["id"]), as_bytes(each["payload"])))
            else:
                self.assertEqual(reply, ErrReply(as_bytes(each["id"]), each["code"], each["message"]))
        for line in frames["no_replies"]:
            self.assertRaises(BadRequest, parse_reply, as_bytes(line))


class Encodings(SynchronousTestCase):
    """What ``enc=`` names."""

    def test_both_directions(self) -> None:
        """One spelling for what is written, with the length that was foretold."""
        for each in load("encodings.json")["same"]:
            data = as_bytes(each["data"])
            for name, encoding in ENCODINGS.items():
                text = as_bytes(each[name])
                self.assertEqual(encoding.encode(data), text)
                self.assertEqual(encoding.decode("value", text), data)
                self.assertEqual(encoding.length(data), len(text))

    def test_other_spellings(self) -> None:
        """Some are read; the others are refused."""
        vectors = load("encodings.json")
        for name, texts in vectors["also_read"].items():
            for each in texts:
                self.assertEqual(ENCODINGS[name].decode("value", as_bytes(each["text"])), as_bytes(each["data"]))
        for name, texts in vectors["refused"].items():
            for text in texts:
                self.assertRaises(BadRequest, ENCODINGS[name].decode, "value", as_bytes(text))


class Partitions(SynchronousTestCase):
    """Where a key goes."""

    def test_keys(self) -> None:
        """By their hash."""
        for each in load("partitions.json"):
            number = fnv1a(as_bytes(each["key"]))
            self.assertEqual(number, each["hash"])
            for count, partition in each["partitions"].items():
                self.assertEqual(number % int(count), partition)


class Codes(SynchronousTestCase):
    """What can go wrong."""

    def test_codes_say_whether_to_try_again(self) -> None:
        """Every one that is answered; a code nobody knows does not."""
        vectors = {each["code"]: each["retriable"] for each in load("errors.json")}
        known = {code: kind.retriable for code, kind in BY_CODE.items()}
        self.assertEqual(vectors, {**known, "A_NEW_ONE": False})
