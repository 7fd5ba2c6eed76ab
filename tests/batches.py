"""Batches for tests: what to put in them, where to put them, and how to break them so that only the contents are wrong."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from flux import records
from flux.batch import EncodedBatch, encode
from flux.crc32c import crc32c
from flux.model import Header

NOW_MS = 1_700_000_000_000

LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20

# Where the fields are, for those who write to them; all numbers are big-endian.
LENGTH, LEADER_EPOCH, MAGIC, CRC, ATTRIBUTES, LAST_OFFSET_DELTA, BASE_MS, MAX_MS, COUNT = (
    8,
    12,
    16,
    17,
    21,
    23,
    27,
    35,
    57,
)


class Row(NamedTuple):
    """What a producer says of one record."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None = None
    headers: tuple[Header, ...] = ()


INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
FIELDS = (
    st.none() | st.binary(max_size=8) | st.integers(60, 130).map(bytes) | st.sampled_from([bytes(8190), bytes(8200)])
)
STAMPS = st.none() | st.integers(NOW_MS - 100, NOW_MS + 10_000) | INT64
HEADERS = st.lists(st.builds(Header, st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3).map(tuple)
ROWS = st.builds(Row, FIELDS, FIELDS, STAMPS, HEADERS)
PLAIN_ROWS = st.builds(Row, st.binary(max_size=70), st.binary(max_size=150), st.none(), st.just(()))
SOME_ROWS = st.lists(ROWS, min_size=1, max_size=8) | st.lists(PLAIN_ROWS, min_size=1, max_size=80)


def batch_of(rows: Sequence[Row]) -> EncodedBatch:
    """As a broker writes them."""
    keys, values, stamps, headers = zip(*rows, strict=True)
    if any(stamp is not None for stamp in stamps) or any(headers):
        return encode(keys, values, NOW_MS, stamps, headers)
    return encode(keys, values, NOW_MS)


def placed(batch: EncodedBatch, base_offset: int = 0, leader_epoch: int = 0) -> bytes:
    """As a log holds it."""
    return batch.prefix(base_offset, leader_epoch) + batch.body


def batch_from(
    payload: bytes, count: int, *, base_offset: int = 0, last_offset_delta: int | None = None, attributes: int = 0
) -> bytes:
    """A batch with any payload, under a right length and CRC."""
    last = count - 1 if last_offset_delta is None else last_offset_delta
    header = struct.pack(
        ">qiibIhiqqqhii",
        base_offset,
        49 + len(payload),
        0,
        2,
        0,
        attributes,
        last,
        NOW_MS,
        NOW_MS + 5,
        -1,
        -1,
        -1,
        count,
    )
    return sealed(header + payload)


def with_gaps(rows: Sequence[tuple[int, bytes | None]], last_offset_delta: int, base_offset: int = 0) -> bytes:
    """A batch as compaction leaves it, of offset deltas and values."""
    payload = b"".join(records.write(delta, 0, b"k", value) for delta, value in rows)
    return batch_from(payload, len(rows), base_offset=base_offset, last_offset_delta=last_offset_delta)


def sealed(data: bytes) -> bytes:
    """*data*, with the CRC made right again."""
    return data[:CRC] + crc32c(data[ATTRIBUTES:]).to_bytes(4, "big") + data[ATTRIBUTES:]


def patched(data: bytes, position: int, written: bytes) -> bytes:
    """*data* with *written* over what was at *position*."""
    return data[:position] + written + data[position + len(written) :]


def flip_bit(data: bytes, bit: int) -> bytes:
    """*data* with one bit turned over."""
    return patched(data, bit // 8, bytes((data[bit // 8] ^ 1 << bit % 8,)))
