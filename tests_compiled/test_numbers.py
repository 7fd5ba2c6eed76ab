"""Numbers, encodings, keys, indexes and progress: what a C integer could get wrong."""

import struct
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests_compiled.comparing import EDGES, INT64, INTEGERS, compare, outcome, same


@same
@given(INTEGERS)
def test_varints_are_written_alike(number: int) -> None:
    """Numbers past 64 bits too: what the interpreter makes of them, a register would cut."""
    compare("flux.varint", lambda varint: varint.write(number))


@same
@given(
    st.binary(max_size=14) | st.lists(st.sampled_from(b"\x00\x01\x7f\x80\x81\xff"), max_size=14).map(bytes),
    st.integers(0, 15),
    st.sampled_from([32, 64]),
)
def test_varints_are_read_alike(data: bytes, at: int, bits: int) -> None:
    """Cut off, too long, not shortest."""
    compare("flux.varint", lambda varint: varint.read(data, at, bits))


@same
@given(st.lists(st.binary(max_size=300), max_size=20), INT64.filter(bool), st.integers(0, 5))
def test_keys_go_to_the_same_partitions(keys: list[bytes], partitions: int, spread: int) -> None:
    """Hashed, remembered and in turn."""

    def routed(partitioner: Any) -> Any:
        routes = partitioner.KeyRoutes(partitions)
        return (
            [routes[key] for key in keys],
            [routes[key] for key in keys],
            [routes.spread() for _ in range(spread)],
            len(routes),
        )

    compare("flux.partitioner", routed)
    compare("flux.partitioner", lambda partitioner: [partitioner.fnv1a(key) for key in keys])


TEXTS = st.binary(max_size=100) | st.lists(
    st.sampled_from(
        [
            b"%",
            b"%4",
            b"%41",
            b"%zz",
            b"%C3%A9",
            b"=",
            b"==",
            b"QQ",
            b"QUI=",
            b"QUJD",
            b"-_",
            b"+/",
            b" ",
            b"\t",
            b"\r",
            b"\0",
            b"\xff",
            "é".encode(),
            b"a" * 61,
        ]
    ),
    max_size=8,
).map(b"".join)


@same
@given(TEXTS)
def test_encodings_agree(text: bytes) -> None:
    """Both directions, and how a value is shown."""
    compare("flux.wire.encoding", lambda encoding: encoding.shown(text))
    compare("flux.wire.encoding", lambda encoding: [one.encode(text) for one in encoding.Encoding])
    compare("flux.wire.encoding", lambda encoding: [one.length(text) for one in encoding.Encoding])
    compare("flux.wire.encoding", lambda encoding: encoding.Encoding.PCT.decode("key", text))
    compare("flux.wire.encoding", lambda encoding: encoding.Encoding.B64.decode("value", text))


SPELLINGS = st.sampled_from(
    [b"+1", b"-0", b"007", b"0" * 40 + b"2", b"1e3", b"", b"-", "٣".encode(), *(b"%d" % number for number in EDGES)]
)
WRITABLE = st.text(max_size=3) | st.booleans() | INTEGERS | st.lists(INTEGERS, max_size=3)


@same
@given(SPELLINGS | st.binary(max_size=25), INT64, INT64, WRITABLE)
def test_words_are_read_and_written_alike(word: bytes, minimum: int, maximum: int, value: object) -> None:
    """The leaves of the grammar: numbers within and without bounds, names, topics."""
    compare("flux.wire.values", lambda values: values.read_integer("field", word))
    compare("flux.wire.values", lambda values: values.read_integer("field", word, minimum, maximum))
    compare("flux.wire.values", lambda values: values.read_name("field", word))
    compare("flux.wire.values", lambda values: values.read_topic(word))
    compare("flux.wire.values", lambda values: values.write_word("field", value))


RISING = st.sets(st.integers(0, 9) | st.sampled_from([1 << 31, (1 << 32) - 1]), max_size=6).map(sorted)
INDEXES = st.binary(max_size=60) | st.builds(
    lambda first, second, form: b"".join(struct.pack(form, *pair) for pair in zip(first, second, strict=False)),
    RISING,
    RISING,
    st.sampled_from([">II", ">qI"]),
)


@same
@given(INDEXES, st.integers(-1, 11) | INT64, st.integers(0, 11) | INTEGERS)
def test_indexes_are_read_alike(data: bytes, number: int, size: int) -> None:
    """Good ones and bad ones, and what they say of an offset or a time."""

    def offsets(index: Any) -> Any:
        parsed = index.OffsetIndex.parse(data, size)
        return (
            list(parsed),
            parsed.last(),
            [parsed.floor(asked) for asked in range(12)],
            parsed.floor(number),
            parsed.to_bytes(),
        )

    def times(index: Any) -> Any:
        parsed = index.TimeIndex.parse(data)
        found = parsed.max_timestamp_ms, parsed.first_timestamp_ms, parsed.before(number)
        parsed.add(number, 7)
        return found, list(parsed), parsed.to_bytes()

    compare("flux.storage.index", offsets)
    compare("flux.storage.index", times)
    compare("flux.storage.segment", lambda segment: segment.file_name(number))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["holds", "report", "propose", "stored", "settled"]),
        st.integers(0, 4),
        st.integers(0, 12) | INT64,
        st.floats(0, 100),
    ),
    max_size=15,
)


@same
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 9) | INT64, STEPS)
def test_the_isr_is_kept_alike(
    replicas: int, min_isr: int, max_lag: int, steps: list[tuple[str, int, int, float]]
) -> None:
    """Any sequence of reports and proposals leaves the same watermark, ISR and reasons."""

    def kept(isr: Any) -> Any:
        limits = isr.Limits(min_isr, max_lag, 10.0)
        progress = isr.ReplicaProgress(replicas, [0, 1], limits, high_watermark=3, log_end=5, now=0.0)
        told: list[Any] = []
        for kind, replica, offset, now in steps:
            if kind == "holds":
                progress.leader_holds(offset)
            elif kind == "report":
                told.append(outcome(partial(progress.report, replica, offset, 1 << 40, now)))
            elif kind == "settled":
                progress.settled()
            else:
                getattr(progress, "propose" if kind == "propose" else "stored")((0, replica))
            wanted = progress.wanted(offset, now)
            told.append(
                (
                    progress.high_watermark,
                    progress.isr,
                    wanted,
                    progress.must_propose(wanted),
                    progress.standings(offset, now),
                )
            )
        return told

    compare("flux.replication.isr", kept)
