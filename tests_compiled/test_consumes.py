"""CONSUME, its options and its answer."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests_compiled.comparing import EDGES, FIELDS, INTEGERS, compare, same

NUMBERS = [b"%b=%d" % (name, edge) for name in (b"max_records", b"wait_ms", b"MIN_BYTES") for edge in EDGES]
CHOICES = b"enc=pct ENC=B64 enc=x reset=latest reset=Now order=any order= fields=keys fields=TOMBSTONES,keys,keys fields=, x=y =".split()
OTHERS = [
    b"5",
    b"\xff=1",
    b"\x85=",
    b"max_bytes=" + b"0" * 200 + b"7",
    b"max_bytes=+9",
    b"max_bytes=1_0",
    b"o" * 250 + b"=1",
]
WORDS = st.sampled_from(NUMBERS) | st.sampled_from(CHOICES) | st.sampled_from(OTHERS) | st.binary(max_size=3)
PLACES = st.sampled_from([b"t 0 0", b" t\t1  2", b"t 0", b"__t 0 0", b"t -1 0", b"t 0 9223372036854775808", b""])
VALUES = FIELDS | st.sampled_from([b" hw=", b"a,b", b"%2C", b"\n", b"\r\0"])
PIECES = st.sampled_from(
    [
        b"0:a",
        b",",
        b"1:",
        b" ",
        b" hw=",
        b"hw=",
        b"next=",
        b"[1 2]",
        b"%2C",
        b"%",
        b"-7",
        b"\xff",
        b" keys=0:k",
        b" tombstones=[0]",
    ]
)
ROWS = st.lists(st.tuples(INTEGERS, VALUES, VALUES, INTEGERS), max_size=6)


@same
@given(PLACES, st.lists(WORDS, max_size=6))
def test_a_consume_is_read_alike(place: bytes, words: list[bytes]) -> None:
    """Any options in any order, and what is none; the second time from memory."""
    text = b" ".join([place, *words])
    for _ in range(2):
        compare("flux.wire.fetch", lambda fetch: _shown(fetch.Consume.decode(text)))
        compare("flux.wire.fetch", lambda fetch: fetch.Consume.decode(text).encode())


@same
@given(ROWS, st.sampled_from(["PCT", "B64", None]), st.booleans(), st.booleans(), st.booleans())
def test_an_answer_is_written_and_read_alike(
    rows: list[tuple[int, bytes | None, bytes | None, int]], enc: str | None, keys: bool, stamps: bool, nulls: bool
) -> None:
    """Any values, whatever else is shown of them."""
    offsets, values, some_keys, some_stamps = ([row[at] for row in rows] for at in range(4))

    def written(fetch: Any) -> bytes:
        encoding = fetch.Encoding[enc] if enc else None
        shown_keys, shown_stamps = some_keys if keys else None, some_stamps if stamps else None
        answer = fetch.Consumed(offsets, values, 7, 9, 3, encoding, shown_keys, shown_stamps, nulls)
        return bytes(answer.encode())

    def read(fetch: Any) -> list[Any]:
        answer = fetch.Consumed.decode(written(fetch), fetch.Encoding[enc] if enc else None)
        names = "offsets values high_watermark next_offset log_start keys timestamps_ms tombstones"
        return [getattr(answer, name) for name in names.split()]

    compare("flux.wire.fetch", written)
    compare("flux.wire.fetch", read)


@same
@given(st.lists(PIECES, max_size=8).map(b"".join), st.booleans())
def test_what_is_no_answer_is_refused_alike(text: bytes, whole: bool) -> None:
    """In the same words, whichever field is wrong."""
    answer = b"messages=%b hw=3 next=4 log_start=0" % text if whole else text
    compare("flux.wire.fetch", lambda fetch: fetch.Consumed.decode(answer).encode())
    compare("flux.wire.fields", lambda fields: fields.Payload(answer).integers("next"))
    compare("flux.wire.fields", lambda fields: fields.Payload(answer).percent("hw"))


def _shown(request: Any) -> str:
    names = (
        "topic partition offset max_records max_bytes wait_ms min_bytes enc reset any_order fields wait_s overtakable"
    )
    return repr([getattr(request, name) for name in names.split()])
