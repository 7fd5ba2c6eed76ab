"""Record batches, whole and damaged."""

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flux.crc32c import crc32c
from flux.model import Header
from tests_compiled.comparing import BOTH, FIELDS, HEADERS, INT32, INT64, INTEGERS, compare, same

POSITIONS = st.integers(0, 300)  # in a payload; no caller has negative ones


@st.composite
def columns(
    draw: st.DrawFn,
) -> tuple[Sequence[bytes | None], Sequence[bytes | None], int, Sequence[int | None] | None, Any]:
    """What a batch is made of, stamps of 64 bits, a hundred records now and then."""
    count = draw(st.integers(0, 5) | st.sampled_from([63, 64, 65, 130]))
    few = draw(st.lists(st.tuples(FIELDS, FIELDS, st.none() | INT64, HEADERS), min_size=1, max_size=5))
    rows = [few[at % len(few)] for at in range(count)]
    stamps = [row[2] for row in rows] if draw(st.booleans()) else None
    headers = [row[3] for row in rows] if draw(st.booleans()) else None
    return [row[0] for row in rows], [row[1] for row in rows], draw(INT64), stamps, headers


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Batches one after the other, perhaps damaged; some with a CRC that is right in spite of it, so that the damage is read."""
    batch, _ = BOTH["flux.batch"]
    data = bytearray()
    for offset in draw(st.lists(st.integers(0, 200) | INT64, max_size=3)):
        encoded = batch.encode(*draw(columns().filter(lambda made: len(made[0]))))
        one = bytearray(encoded.prefix(offset, draw(st.integers(-1, 5))) + encoded.body)
        for at, byte in draw(
            st.lists(
                st.tuples(st.integers(21, len(one) - 1) | st.integers(21, min(len(one), 90) - 1), st.integers(0, 255)),
                max_size=3,
            )
        ):
            one[at] = byte
        if draw(st.booleans()):
            one[17:21] = struct.pack(">I", crc32c(bytes(one[21:])))
        data += one
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@same
@given(columns())
def test_batches_are_encoded_alike(made: Any) -> None:
    """Byte for byte."""
    compare("flux.batch", lambda batch: batch.encode(*made))
    compare("flux.records", lambda records: records.join(made[0], made[1]))


@same
@given(INT32, INT64, FIELDS, FIELDS, HEADERS)
def test_a_record_is_written_alike(
    delta: int, stamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
) -> None:
    """Deltas of every size."""
    compare("flux.records", lambda records: records.write(delta, stamp, key, value, headers))


@same
@given(logs(), INT64 | st.integers(-5, 250), INT64 | st.integers(-5, 250), INTEGERS, INTEGERS, st.booleans())
def test_batches_are_decoded_alike(
    data: bytes, start: int, end: int, max_records: int, max_bytes: int, values_only: bool
) -> None:
    """All that reads a batch, whole or damaged, with limits of any size."""
    compare("flux.envelope", lambda envelope: envelope.walk(data))
    compare("flux.envelope", lambda envelope: envelope.check(data))
    compare("flux.batch", lambda batch: batch.decode(data, start, end))
    compare("flux.batch", lambda batch: batch.from_wire(data))
    compare(
        "flux.batch", lambda batch: batch.columns(data, start, end, max_records, max_bytes, values_only=values_only)
    )
    compare(
        "flux.batch",
        lambda batch: batch.columns(memoryview(data), 0, (1 << 63) - 1, max_records, 1 << 20, values_only=values_only),
    )


@same
@given(
    st.binary(max_size=80) | st.lists(st.sampled_from(b"\0\1\2\3\x08\x0e\x10\x7f\x80\xff"), max_size=80).map(bytes),
    POSITIONS,
    POSITIONS,
    st.integers(0, 200),
)
def test_records_are_read_alike(payload: bytes, at: int, offset_delta: int, count: int) -> None:
    """The general reader and the fast ones, on bytes nobody wrote."""
    at = at % (len(payload) + 1)
    compare("flux.records", lambda records: records.read(payload, count, offset_delta))
    compare("flux.records", lambda records: records.skip(payload, count))
    if count:
        compare("flux.records", lambda records: records.read_run(payload, at, offset_delta, count))
        compare("flux.records", lambda records: records.read_values(payload, at, offset_delta, count))
