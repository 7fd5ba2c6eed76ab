"""OFFSETS: both ways."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.offsets import OffsetFound, Offsets
from flux.wire.v1 import Reply, Request

PROMISES: tuple[type[Request], type[Reply]] = (Offsets, OffsetFound)

topics = st.sampled_from(["t", "orders", "a.b-c_d"])
numbers = st.integers(0, (1 << 63) - 1)


class FindingOffsets(SynchronousTestCase):
    """OFFSETS and its answer."""

    def test_requests_are_read_and_written(self) -> None:
        """An end, or a time."""
        for text, request in [
            (b"t 2 at=earliest", Offsets("t", 2, "earliest")),
            (b"t 2 at=latest", Offsets("t", 2, "latest")),
            (b"t 2 at=0", Offsets("t", 2, 0)),
            (b"t 2 at=1700000000000", Offsets("t", 2, 1700000000000)),
        ]:
            self.assertEqual(Offsets.decode(text), request)
            self.assertEqual(request.encode(), text)
        self.assertEqual(Offsets.decode(b"t 2 AT=Latest"), Offsets("t", 2, "latest"))

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field and what it may be."""
        for text, named in [
            (b"t 2", "at: it is missing; usage: OFFSETS"),
            (b"t 2 at=", "at: ''"),
            (b"t 2 at=now", "at: 'now' is not known here; use earliest, latest or milliseconds"),
            (b"t 2 at=-1", "at: '-1'"),
            (b"t 2 at=99999999999999999999", "at: "),
            (b"t 2 earliest", "arguments: 'earliest'"),
            (b"t -2 at=0", "partition: '-2'"),
        ]:
            message = str(self.assertRaises(BadRequest, Offsets.decode, text))
            self.assertTrue(message.startswith(named), f"{text!r}: {message}")

    def test_the_reply_is_read_and_written(self) -> None:
        """Byte for byte."""
        for reply, payload in [
            (OffsetFound(3, 1700000000000), b"offset=3 timestamp=1700000000000"),
            (OffsetFound(-1, -1), b"offset=-1 timestamp=-1"),
        ]:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(OffsetFound.decode(payload + b" more=1"), reply)
        self.assertRaises(BadRequest, OffsetFound.decode, b"offset=1")

    @given(topics, numbers, st.one_of(st.sampled_from(["earliest", "latest"]), numbers), numbers, numbers)
    def test_what_is_written_is_read(self, topic: str, partition: int, at: int, offset: int, timestamp_ms: int) -> None:
        """Any request, any reply."""
        self.assertEqual(Offsets.decode(Offsets(topic, partition, at).encode()), Offsets(topic, partition, at))
        found = OffsetFound(offset, timestamp_ms)
        self.assertEqual(OffsetFound.decode(found.encode()), found)

    @given(st.one_of(st.binary(max_size=30), st.text(alphabet="t 0at=-offsetimp", max_size=30).map(str.encode)))
    def test_garbage_is_read_or_refused(self, text: bytes) -> None:
        """Nothing else ever comes of it."""
        for kind in PROMISES:
            try:
                self.assertIsInstance(kind.decode(text), kind)
            except FluxError as error:
                self.assertIn(": ", str(error))
