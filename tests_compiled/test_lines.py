"""Lines, runs and answers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flux.errors import BadRequest
from flux.model import Acks
from tests_compiled.comparing import EDGES, FIELDS, INTEGERS, compare, same

OPTIONS = b"acks=1 acks=0 ACKS=All acks=2 acks= Enc=pct enc=B64 enc=x key=null KEY=x null=1 null=0 ts= ts=-1 ts=+7 ts=0x1 x=y =".split()
TIMES = [b"ts=%d" % number for number in EDGES] + [b"ts=" + b"0" * 30 + b"5"]
OTHERS = [
    b"t",
    b"",
    b" ",
    b"\t",
    b":",
    b"k:v",
    b"a:b:c",
    b"%41",
    b"\r",
    b"\0",
    b"\xff\xfe",
    "é".encode(),
    b"..",
    b"__x",
    b"t" * 250,
    b"v" * 9000,
]
WORDS = st.sampled_from(OPTIONS) | st.sampled_from(TIMES) | st.sampled_from(OTHERS)
USUAL = st.tuples(
    st.sampled_from([b"t ", b"u ", b" t  ", b"t\t"]),
    st.binary(max_size=5) | st.just(b"%41"),
    st.sampled_from([b":", b": ", b""]),
    st.binary(max_size=8) | st.sampled_from([b"%41", b"QQ=="]),
    st.lists(st.tuples(st.sampled_from([b" ", b"\t", b"  "]), WORDS).map(b"".join), max_size=3).map(b"".join),
).map(b"".join)
ARGUMENTS = USUAL | st.lists(WORDS, max_size=7).map(b" ".join)
ONE_LINE = ARGUMENTS.map(lambda text: text.replace(b"\n", b""))


@same
@given(ONE_LINE)
def test_a_produce_line_is_read_alike(line: bytes) -> None:
    """Any spelling of any option, and what is none."""
    compare("flux.wire.produce_line", lambda lines: lines.read_line(line))
    compare("flux.wire.produce_line", lambda lines: lines.ends_in_option(line))
    compare("flux.wire.produce_line", lambda lines: lines.travels_plain(line[:3], line[3:]))
    compare(
        "flux.wire.produce", lambda produce: _columns(produce.Produce.decode(line), "topic key value acks timestamp_ms")
    )


@same
@given(
    st.lists(ONE_LINE, max_size=4).flatmap(
        lambda few: st.lists(st.sampled_from(few), max_size=30) if few else st.just(few)
    )
)
def test_a_run_of_produces_is_decoded_alike(lines: list[bytes]) -> None:
    """A few lines, repeated, so that some are alike and some are frequent."""
    compare(
        "flux.wire.produce",
        lambda produce: _columns(
            produce.ProduceRun.decode_run(lines), "topics keys values acks timestamps errors one_topic one_acks"
        ),
    )


@same
@given(st.text(max_size=4) | st.just("t"), FIELDS, FIELDS, st.sampled_from(Acks), st.none() | INTEGERS)
def test_a_produce_is_written_alike(
    topic: str, key: bytes | None, value: bytes | None, acks: Acks, ts: int | None
) -> None:
    """As a client sends it."""
    compare("flux.wire.produce", lambda produce: produce.Produce(topic, key, value, acks, ts).encode())


@same
@given(st.lists(st.tuples(st.tuples(INTEGERS, INTEGERS), INTEGERS, st.booleans(), st.binary(max_size=3)), max_size=9))
def test_answers_to_a_run_are_written_alike(rows: list[tuple[tuple[int, int], int, bool, bytes]]) -> None:
    """Partition, watermark and offset of any size, refusals between them."""

    def lines(produce: Any) -> bytes:
        errors = {at: BadRequest(f"field: {at}\r\n" * 100) for at, row in enumerate(rows) if row[2]}
        run = produce.ProducedRun([row[0] for row in rows], [row[1] for row in rows], errors)
        return bytes(run.lines([row[3] for row in rows]))

    compare("flux.wire.produce", lines)


def _columns(thing: Any, names: str) -> list[Any]:
    return [getattr(thing, name) for name in names.split()]


FRAMES = st.lists(
    st.sampled_from(
        [
            b"V1",
            b"v1",
            b"|",
            b"|",
            b"|",
            b"1",
            b"PING",
            b"ping",
            b"PRODUCE",
            b"OK",
            b"ERR",
            b"\xff",
            "ß".encode(),
            b" ",
            b"\t",
            b"\r",
            b"\x0b",
            b"\0",
            b"C" * 65,
        ]
    )
    | st.binary(max_size=2),
    max_size=9,
).map(b"".join) | st.builds(
    lambda id, command, text: b"V1|%b|%b|%b" % (id, command, text),
    st.binary(max_size=2),
    st.sampled_from([b"PING", b"produce", b"PRODUCE", b" PRODUCE", b""]),
    st.binary(max_size=5),
)


@same
@given(st.lists(FRAMES, max_size=12))
def test_chunks_are_cut_alike(lines: list[bytes]) -> None:
    """Frames and what is none, in runs."""
    compare("flux.wire.v1", lambda v1: v1.cut(lines))
    line = b"|".join(lines)
    compare("flux.wire.v1", lambda v1: v1.parse_reply(line))
    compare("flux.wire.v1", lambda v1: v1.request_line(line[:4], "PING", line[4:]))


@same
@given(
    st.binary(max_size=4),
    st.text(max_size=5),
    st.text(max_size=20) | st.sampled_from(["é" * 999, "é" * 1000, "é" * 1001, "\udcff\r\n"]),
)
def test_answer_lines_are_written_alike(correlation_id: bytes, code: str, message: str) -> None:
    """Long, broken and not encodable messages."""
    compare("flux.wire.v1", lambda v1: v1.error_line(correlation_id, code, message))
    compare("flux.wire.v1", lambda v1: v1.ok_line(correlation_id, message.encode("utf-8", "replace")))
