"""CONSUME: its requests, its answers, and the values they hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests_compiled.comparing import EDGES, INT64, INTEGERS, compare, same

NUMBERS = st.sampled_from(
    [
        b"0",
        b"1",
        b"+1",
        b"-1",
        b"-0",
        b"007",
        b"0" * 40 + b"2",
        b"1e3",
        b"",
        "٣".encode(),
        *(b"%d" % number for number in EDGES),
    ]
)
NAMES = st.sampled_from([b"max_records", b"MAX_BYTES", b"wait_ms", b"min_bytes", b"x"])
CHOICES = st.sampled_from(
    [
        b"enc=pct",
        b"enc=B64",
        b"enc=x",
        b"reset=earliest",
        b"reset=latest",
        b"reset=0",
        b"order=any",
        b"order=",
        b"fields=keys",
        b"fields=keys,timestamps,tombstones",
        b"fields=keys,keys",
        b"fields=",
        b"noequals",
        b"=",
        b"\xff=\xff",
        b"\t",
        b"\r",
    ]
)
OPTIONS = CHOICES | st.tuples(NAMES, NUMBERS).map(b"=".join)
REQUESTS = st.tuples(
    st.sampled_from([b"t", b"", b"..", b"t\t"]), NUMBERS, NUMBERS, st.lists(OPTIONS, max_size=4).map(b" ".join)
).map(b" ".join)
PIECES = st.sampled_from(
    [
        b"",
        b"v",
        b",",
        b" hw=",
        b" ",
        b"\n",
        b"\r",
        b"\0",
        b"\x7f",
        b"\xff",
        b"%2C",
        b"%",
        b"[",
        b"]",
        b"0:a",
        b"next=",
        b" keys=",
    ]
)
VALUES = st.none() | st.lists(PIECES, max_size=4).map(b"".join)
WANTED = "topic partition offset max_records max_bytes wait_ms min_bytes enc reset any_order fields wait_s overtakable"
SHOWN = "offsets values high_watermark next_offset log_start enc keys timestamps_ms tombstones"


def _fields(thing: Any, names: str) -> list[Any]:
    return [getattr(thing, name) for name in names.split()]


@same
@given(REQUESTS)
def test_a_consume_is_read_and_written_alike(arguments: bytes) -> None:
    """Numbers of every size, options twice, unknown and ill-formed."""
    compare("flux.wire.fetch", lambda fetch: _fields(fetch.Consume.decode(arguments), WANTED))
    compare("flux.wire.fetch", lambda fetch: fetch.Consume.decode(arguments).encode())


@same
@given(
    st.lists(st.tuples(INTEGERS, VALUES, VALUES, INTEGERS), max_size=5),
    st.tuples(INTEGERS, INTEGERS, INTEGERS),
    st.sampled_from([None, "PCT", "B64"]),
    st.booleans(),
    st.booleans(),
)
def test_an_answer_to_consume_is_written_and_read_alike(
    rows: list[tuple[int, bytes | None, bytes | None, int]],
    places: tuple[int, int, int],
    enc: str | None,
    more: bool,
    tombstones: bool,
) -> None:
    """Values that would break the frame, among them."""

    def payload(fetch: Any) -> tuple[bytes, list[Any]]:
        encoding = None if enc is None else fetch.Encoding[enc]
        offsets, values, keys, stamps = ([row[at] for row in rows] for at in range(4))
        shown = fetch.Consumed(
            offsets, values, *places, encoding, keys if more else None, stamps if more else None, tombstones
        )
        return shown.encode(), _fields(fetch.Consumed.decode(shown.encode(), encoding), SHOWN)

    compare("flux.wire.fetch", payload)


@same
@given(st.lists(PIECES, max_size=8).map(b"".join), st.booleans())
def test_what_is_no_answer_to_consume_is_refused_alike(text: bytes, whole: bool) -> None:
    """In the same words."""
    answer = b"messages=%b hw=3 next=4 log_start=0" % text if whole else text
    compare("flux.wire.fetch", lambda fetch: _fields(fetch.Consumed.decode(answer), SHOWN))
    compare("flux.wire.fields", lambda fields: fields.Payload(answer).integers("next"))
    compare("flux.wire.fields", lambda fields: fields.Payload(answer).percent("hw"))


@same
@given(
    NUMBERS | st.binary(max_size=25),
    INT64,
    INT64,
    st.text(max_size=3) | st.booleans() | INTEGERS | st.lists(INTEGERS, max_size=3),
)
def test_words_are_read_and_written_alike(word: bytes, minimum: int, maximum: int, value: object) -> None:
    """The leaves of the grammar."""
    compare("flux.wire.values", lambda values: values.read_integer("field", word))
    compare("flux.wire.values", lambda values: values.read_integer("field", word, minimum, maximum))
    compare("flux.wire.values", lambda values: values.read_name("field", word))
    compare("flux.wire.values", lambda values: values.read_topic(word))
    compare("flux.wire.values", lambda values: values.write_word("field", value))
