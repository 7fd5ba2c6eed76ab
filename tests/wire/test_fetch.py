"""CONSUME: both ways, and what deployed clients make of the answers."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.encoding import Encoding
from flux.wire.fetch import ALL_FIELDS, Consume, Consumed, Field
from flux.wire.v1 import Reply, Request

PROMISES: tuple[type[Request], type[Reply]] = (Consume, Consumed)
EVERY_BYTE = bytes(range(256))
CONTROLS = bytes(range(32)) + b"\x7f"

numbers = st.integers(0, (1 << 63) - 1)
from_one = st.integers(1, (1 << 63) - 1)
topics = st.sampled_from(["t", "orders", "a.b-c_d"])
requests = st.builds(
    Consume,
    topics,
    numbers,
    numbers,
    from_one,
    from_one,
    numbers,
    numbers,
    st.sampled_from([None, *Encoding]),
    st.sampled_from([None, "earliest", "latest"]),
    st.booleans(),
    st.sets(st.sampled_from(Field)).map(lambda chosen: tuple(field for field in Field if field in chosen)),
)
values = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.text(alphabet="a,: hw=%20\n\r\té", max_size=12).map(str.encode),
    st.sampled_from([b"", b"v", b" hw=", b"x hw=1 hw=2", b" hw", b"hw=", b"%2C", b"a,b", b"%20hw=", b"\n", b"\n\n"]),
)
plain_values = values.filter(lambda value: value is not None and b"%" not in value)


def consumed(some_values: list[bytes | None], enc: Encoding | None = None) -> Consumed:
    """The answer that shows *some_values* from offset 7 on."""
    end = 7 + len(some_values)
    return Consumed(list(range(7, end)), some_values, end + 1, end, 3, enc)


def as_deployed_clients_read(payload: bytes) -> list[tuple[bytes, bytes]]:
    """The text between ``messages=`` and `` hw=``, split at commas, each item at its first colon."""
    text = payload.split(b"messages=", 1)[1].split(b" hw=", 1)[0]
    return [(offset, value) for offset, _, value in (item.partition(b":") for item in text.split(b",") if item)]


def escaped(value: bytes | None) -> bytes:
    """A plain value as the protocol's page words it, byte by byte."""
    value = value or b""
    text = b"".join([b"%%%02X" % byte if byte in CONTROLS + b"," else bytes([byte]) for byte in value])
    return text.replace(b" hw=", b"%20hw=")


class Consuming(SynchronousTestCase):
    """The request."""

    def test_requests_are_read(self) -> None:
        """Options in any order and any case; everything has a default."""
        for text, request in [
            (b"orders 2 0", Consume("orders", 2, 0)),
            (b"  orders    2\t0  ", Consume("orders", 2, 0)),
            (b"orders +2 00", Consume("orders", 2, 0)),
            (b"t 2 0 max_records=2", Consume("t", 2, 0, max_records=2)),
            (b"t 2 0 max_bytes=1 MIN_BYTES=0", Consume("t", 2, 0, max_bytes=1, min_bytes=0)),
            (b"t 2 3 wait_ms=50 order=ANY", Consume("t", 2, 3, wait_ms=50, any_order=True)),
            (b"t 2 0 enc=b64", Consume("t", 2, 0, enc=Encoding.B64)),
            (b"t 2 0 fields=Timestamps,KEYS,keys", Consume("t", 2, 0, fields=(Field.KEYS, Field.TIMESTAMPS))),
            (b"t 2 0 ENC=PCT reset=Latest", Consume("t", 2, 0, enc=Encoding.PCT, reset="latest")),
        ]:
            self.assertEqual(Consume.decode(text), request)

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        for text, named in [
            (b"", "topic: "),
            (b"orders", "partition: it is missing; usage: CONSUME <topic>"),
            (b"orders 0", "offset: it is missing"),
            (b"../x 0 0", "topic: "),
            (b"orders -1 0", "partition: '-1'"),
            (b"orders x 0", "partition: 'x'"),
            (b"orders 1_0 0", "partition: '1_0'"),
            (b"orders 0 x", "offset: 'x'"),
            (b"orders 0 -1", "offset: '-1'"),
            (b"orders 2 9223372036854775808", "offset: "),
            (b"orders 0 0 5", "arguments: '5' is one too many"),
            (b"orders 0 0 limit=5", "option: 'limit'"),
            (b"orders 0 0 acks=1", "option: 'acks'"),
            (b"orders 0 0 enc=x", "enc: 'x'"),
            (b"orders 0 0 reset=now", "reset: 'now'"),
            (b"orders 0 0 order=none", "order: 'none'"),
            (b"orders 0 0 fields=values", "fields: 'values'"),
            (b"orders 0 0 fields=keys,", "fields: ''"),
            (b"orders 0 0 max_records=0", "max_records: '0'"),
            (b"orders 0 0 max_bytes=0", "max_bytes: '0'"),
            (b"orders 0 0 wait_ms=-1", "wait_ms: '-1'"),
            (b"orders 0 0 min_bytes=-1", "min_bytes: '-1'"),
            (b"orders 0 0 wait_ms=1 wait_ms=1", "wait_ms: it is there twice"),
        ]:
            message = str(self.assertRaises(BadRequest, Consume.decode, text))
            self.assertTrue(message.startswith(named), f"{text!r}: {message}")

    def test_options_are_read_again_as_they_were(self) -> None:
        """Also those too long to be remembered, and those that are refused."""
        for _ in range(3):
            self.assertEqual(
                Consume.decode(b"t 2 0 wait_ms=7\tenc=b64"), Consume("t", 2, 0, wait_ms=7, enc=Encoding.B64)
            )
            self.assertEqual(Consume.decode(b"u 1 4 wait_ms=7"), Consume("u", 1, 4, wait_ms=7))
            self.assertEqual(Consume.decode(b"u 1 4 wait_ms=%b7" % (b"0" * 1000)), Consume("u", 1, 4, wait_ms=7))
            message = str(self.assertRaises(BadRequest, Consume.decode, b"u 1 4 wait_ms=x"))
            self.assertTrue(message.startswith("wait_ms: 'x'"), message)

    def test_only_order_any_may_be_overtaken(self) -> None:
        """And how long it may park is told in seconds."""
        self.assertFalse(Consume.decode(b"t 0 0 wait_ms=1500").overtakable)
        self.assertTrue(Consume.decode(b"t 0 0 wait_ms=1500 order=any").overtakable)
        self.assertEqual(Consume.decode(b"t 0 0 wait_ms=1500").wait_s, 1.5)
        self.assertEqual(Consume.decode(b"t 0 0").wait_s, 0)

    def test_defaults_are_not_sent(self) -> None:
        """Byte for byte."""
        self.assertEqual(Consume("t", 2, 3).encode(), b"t 2 3")
        self.assertEqual(
            Consume("t", 2, 3, 4, 5, 6, 7, Encoding.PCT, "earliest", True, ALL_FIELDS).encode(),
            b"t 2 3 max_records=4 max_bytes=5 wait_ms=6 min_bytes=7 enc=pct reset=earliest order=any"
            b" fields=keys,timestamps,tombstones",
        )

    @given(requests)
    def test_what_is_written_is_read(self, request: Consume) -> None:
        """Any request."""
        self.assertEqual(Consume.decode(request.encode()), request)


class PlainAnswers(SynchronousTestCase):
    """Values as they are, but for what would break the frame."""

    def test_answers_are_what_deployed_clients_read(self) -> None:
        """Byte for byte."""
        for answer, payload in [
            (Consumed([0, 1], [b"created", b"paid"], 2, 2, 0), b"messages=0:created,1:paid hw=1 next=2 log_start=0"),
            (Consumed([], [], 0, 0, 0), b"messages= hw=-1 next=0 log_start=0"),
            (Consumed([5, 9], [b"a:b:c", b"a|b|c"], 10, 10, 5), b"messages=5:a:b:c,9:a|b|c hw=9 next=10 log_start=5"),
            (Consumed([0, 1], [b"", None], 2, 2, 0), b"messages=0:,1: hw=1 next=2 log_start=0"),
            (
                Consumed([0, 1, 2], [b"a,9:b", b"x hw=99", b"100%"], 3, 3, 0),
                b"messages=0:a%2C9:b,1:x%20hw=99,2:100% hw=2 next=3 log_start=0",
            ),
            (Consumed([3], [b"a\nV1|9|OK"], 4, 4, 0), b"messages=3:a%0AV1|9|OK hw=3 next=4 log_start=0"),
            (
                Consumed([0, 1], [b"\t\r\x00\x7f", " hw= é hw".encode()], 2, 2, 0),
                "messages=0:%09%0D%00%7F,1:%20hw= é hw hw=1 next=2 log_start=0".encode(),
            ),
        ]:
            self.assertEqual(answer.encode(), payload)

    def test_only_what_must_be_is_escaped(self) -> None:
        """Of all bytes: the comma and the control bytes."""
        for byte in EVERY_BYTE:
            value = b"a%bb" % bytes([byte])
            text = as_deployed_clients_read(consumed([value]).encode())[0][1]
            self.assertEqual(text, value if byte not in CONTROLS + b"," else b"a%%%02Xb" % byte)

    @given(st.lists(values, max_size=6))
    @example([b"x ", b"hw=1"])
    @example([b"a\nb", b"c,d hw="])
    def test_whole_answers_are_mended_as_single_values_are(self, some_values: list[bytes | None]) -> None:
        """Each byte as the page says, and deployed clients find every value where it is."""
        payload = consumed(some_values).encode()
        expected = [(b"%d" % offset, escaped(value)) for offset, value in enumerate(some_values, 7)]
        self.assertEqual(as_deployed_clients_read(payload), expected)
        messages = b",".join([b"%b:%b" % item for item in expected])
        end = 7 + len(some_values)
        self.assertEqual(payload, b"messages=%b hw=%d next=%d log_start=3" % (messages, end, end))

    @given(st.lists(plain_values, max_size=6))
    def test_values_without_a_percent_sign_come_back(self, some_values: list[bytes | None]) -> None:
        """Whatever else they hold."""
        answer = consumed(some_values)
        self.assertEqual(Consumed.decode(answer.encode()), answer)

    def test_a_percent_sign_is_ambiguous(self) -> None:
        """What looks like an escape of ours is taken for one; other percent signs stay."""
        for value, read in [
            (b"100%", b"100%"),
            (b"%41%zz%2c", b"%41%zz%2c"),
            (b"a%20b", b"a%20b"),
            (b"a%2Cb", b"a,b"),
            (b"%0A", b"\n"),
            (b"%20hw=", b" hw="),
            (b"%%2C", b"%,"),
        ]:
            self.assertEqual(Consumed.decode(consumed([value]).encode()).values, [read])

    def test_columns_of_different_lengths_are_a_fault(self) -> None:
        """No answer is better than a value under the wrong offset."""
        self.assertRaises(ValueError, Consumed([1], [b"a", b"b"], 3, 3, 0).encode)


class EncodedAnswers(SynchronousTestCase):
    """Values that decode exactly."""

    def test_every_item_is_fully_encoded(self) -> None:
        """Byte for byte."""
        some_values = [b"hi, there\n", b"a b=%", b"", None]
        self.assertEqual(
            consumed(some_values, Encoding.B64).encode(),
            b"messages=7:aGksIHRoZXJlCg==,8:YSBiPSU=,9:,10: hw=11 next=11 log_start=3",
        )
        self.assertEqual(
            consumed(some_values, Encoding.PCT).encode(),
            b"messages=7:hi%2C%20there%0A,8:a%20b%3D%25,9:,10: hw=11 next=11 log_start=3",
        )

    @given(st.lists(values, max_size=6), st.sampled_from(Encoding))
    @example([EVERY_BYTE], Encoding.PCT)
    @example([EVERY_BYTE], Encoding.B64)
    def test_any_values_come_back(self, some_values: list[bytes | None], enc: Encoding) -> None:
        """A null one as an empty one: the text has no word for it."""
        answer = consumed(some_values, enc)
        self.assertEqual(Consumed.decode(answer.encode(), enc), consumed([value or b"" for value in some_values], enc))


class FullAnswers(SynchronousTestCase):
    """Keys, timestamps and tombstones, for who asks."""

    def test_what_was_asked_for_stands_at_the_end(self) -> None:
        """Byte for byte; where deployed clients do not look."""
        offsets, some_values, keys = [7, 8, 10], [b"a", None, b""], [b"k,1", b"", None]
        for answer, tail in [
            (Consumed(offsets, some_values, 12, 11, 3, keys=keys), b" keys=7:k%2C1,8:"),
            (Consumed(offsets, some_values, 12, 11, 3, timestamps_ms=[5, -6, 7]), b" timestamps=5,-6,7"),
            (Consumed(offsets, some_values, 12, 11, 3, tombstones=True), b" tombstones=[8]"),
            (
                Consumed(offsets, some_values, 12, 11, 3, None, keys, [5, 6, 7], True),
                b" keys=7:k%2C1,8: timestamps=5,6,7 tombstones=[8]",
            ),
            (Consumed([], [], 12, 11, 3, None, [], [], True), b" keys= timestamps= tombstones=[]"),
        ]:
            payload = answer.encode()
            shown, _, _ = payload.partition(b" hw=")
            self.assertEqual(payload, shown + b" hw=11 next=11 log_start=3" + tail)
            self.assertEqual(Consumed.decode(payload).keys, answer.keys)
            self.assertEqual(Consumed.decode(payload).timestamps_ms, answer.timestamps_ms)
        encoded = Consumed(offsets, some_values, 12, 11, 3, Encoding.B64, keys)
        self.assertTrue(encoded.encode().endswith(b" keys=7:aywx,8:"))

    @given(
        st.lists(
            st.tuples(values, st.none() | st.binary(max_size=9), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=6
        ),
        st.sampled_from(Encoding),
        st.sets(st.sampled_from(Field)),
    )
    def test_any_records_come_back(
        self, rows: list[tuple[bytes | None, bytes | None, int]], enc: Encoding, fields: set[Field]
    ) -> None:
        """Exactly, null values too if they were asked for."""
        answer = replace(
            consumed([value for value, _, _ in rows], enc),
            keys=[key for _, key, _ in rows] if Field.KEYS in fields else None,
            timestamps_ms=[stamp for _, _, stamp in rows] if Field.TIMESTAMPS in fields else None,
            tombstones=Field.TOMBSTONES in fields,
        )
        expected = answer if answer.tombstones else replace(answer, values=[value or b"" for value in answer.values])
        self.assertEqual(Consumed.decode(answer.encode(), enc), expected)

    def test_fields_that_do_not_fit_are_refused(self) -> None:
        """The message names the field."""
        for tail, named in [
            (b" keys=0", "keys: '0' has no colon"),
            (b" keys=0:%zz", "keys: "),
            (b" timestamps=", "timestamps: 0 of them came with 1 messages"),
            (b" timestamps=x", "timestamps: 'x'"),
            (b" tombstones=0", "tombstones: "),
        ]:
            payload = b"messages=0:a hw=1 next=1 log_start=0" + tail
            message = str(self.assertRaises(BadRequest, Consumed.decode, payload))
            self.assertTrue(message.startswith(named), f"{payload!r}: {message}")


class ReadingAnswers(SynchronousTestCase):
    """What clients accept."""

    def test_fields_appended_later_are_passed_over(self) -> None:
        """They stand at the end."""
        self.assertEqual(
            Consumed.decode(b"messages=0:a hw=0 next=1 log_start=0 more=[x y]"), Consumed([0], [b"a"], 1, 1, 0)
        )

    def test_what_is_no_answer_is_refused(self) -> None:
        """The message names the field."""
        for payload, named in [
            (b"", "messages: "),
            (b"pong=true", "messages: "),
            (b"messages=0:a", "messages: "),
            (b"message=0:a hw=1 next=1 log_start=0", "messages: "),
            (b"messages=0 hw=1 next=1 log_start=0", "messages: '0' has no colon"),
            (b"messages=0:a,,1:b hw=1 next=1 log_start=0", "messages: '' has no colon"),
            (b"messages=x:a hw=1 next=1 log_start=0", "messages: 'x'"),
            (b"messages=0:a hw= next=1 log_start=0", "hw: "),
            (b"messages=0:a hw=1 log_start=0", "next: "),
            (b"messages=0:a hw=1 next=1", "log_start: "),
        ]:
            message = str(self.assertRaises(BadRequest, Consumed.decode, payload))
            self.assertTrue(message.startswith(named), f"{payload!r}: {message}")
        self.assertRaises(BadRequest, Consumed.decode, b"messages=0:% hw=1 next=1 log_start=0", Encoding.PCT)

    @given(
        st.one_of(
            st.binary(max_size=40),
            st.text(alphabet="0:a,%2C hw=1next", max_size=20).map(
                lambda text: b"messages=%b hw=1 next=1" % text.encode()
            ),
        ),
        st.sampled_from([None, *Encoding]),
    )
    def test_garbage_is_read_or_refused(self, text: bytes, enc: Encoding | None) -> None:
        """Nothing else ever comes of it."""
        for payload in (text, text + b" log_start=0"):
            try:
                answer = Consumed.decode(payload, enc)
            except FluxError as error:
                self.assertIn(": ", str(error))
            else:
                self.assertEqual(len(answer.offsets), len(answer.values))
        for kind in PROMISES:
            try:
                self.assertIsInstance(kind.decode(text), kind)
            except FluxError as error:
                self.assertIn(": ", str(error))
