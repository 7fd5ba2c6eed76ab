"""What a record batch says about itself: its header and its checksum, without looking at the records.

Kafka's format v2::

    base offset (8) | length of what follows (4) | leader epoch (4)                  the prefix: whoever appends stamps it
    magic (1) | CRC-32C of what follows (4)                                          the body, untouched from the producer on
    attributes (2) | last offset delta (4) | base, max timestamp (8, 8) | producer id, epoch, base sequence (8, 2, 4) | count (4)
    records (see :mod:`flux.records`), compressed together if the attributes say so

The CRC leaves the prefix out: a flipped bit in base offset or leader epoch is found by whoever knows what they should be, the log.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from flux.crc32c import crc32c

HEADER_SIZE = 61
PREFIX_SIZE = 16
COUNTED_FROM = 12  # the length field counts what follows it
CRC_FROM = 21
MAGIC = 2
MAX_BATCH_BYTES = (
    64 << 20
)  # far above any limit on requests: a greater length is damage, and nobody should wait for the rest

_HEADER = struct.Struct(">qiibIhiqqqhii")
_COMPRESSION, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


class CorruptBatch(ValueError):
    """These bytes are no record batch; the message says why, and the base offset if it can be read."""


class BatchHeader(NamedTuple):
    """The header of a batch. ``length`` is that of the whole batch, prefix included."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int  # type: ignore[assignment]  # Kafka's name for it; nobody counts what occurs in this tuple

    @property
    def next_offset(self) -> int:
        """One past the last offset it takes."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> int:
        """0, or a key of :data:`flux.compression.CODECS`."""
        return self.attributes & _COMPRESSION

    @property
    def log_append_time(self) -> bool:
        """Whether a broker stamped it: then the max timestamp is every record's."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Whether it holds a broker's marker instead of records: it takes offsets, and readers skip it."""
        return bool(self.attributes & _CONTROL)

    @property
    def is_dense(self) -> bool:
        """Whether every offset it takes has a record: only compaction leaves others."""
        return self.count == self.last_offset_delta + 1


def read_header(data: bytes | memoryview, position: int = 0, max_bytes: int = MAX_BATCH_BYTES) -> BatchHeader:
    """The header of the batch at *position*, of which no more than the header need be there. The CRC is not looked at.

    :raises CorruptBatch: these are not the 61 bytes of a header, or it says of the batch what cannot be.
    """
    if len(data) - position < HEADER_SIZE:
        raise CorruptBatch(f"{len(data) - position} bytes are too short for the {HEADER_SIZE} of a batch header")
    base_offset, length, *others = _HEADER.unpack_from(data, position)
    header = BatchHeader(base_offset, length + COUNTED_FROM, *others)
    if header.magic != MAGIC:
        raise corrupt(header, f"magic is {header.magic}, not {MAGIC}")
    if not HEADER_SIZE <= header.length <= max_bytes:
        raise corrupt(header, f"a length of {header.length} bytes is not between {HEADER_SIZE} and {max_bytes}")
    if not 0 <= header.count <= header.last_offset_delta + 1 or header.last_offset_delta < 0:
        raise corrupt(header, f"{header.count} records cannot have the last offset delta {header.last_offset_delta}")
    return header


def check(data: bytes | memoryview, position: int = 0, max_bytes: int = MAX_BATCH_BYTES) -> BatchHeader:
    """The header of the batch at *position*, which is whole and has the right CRC. Its records are not looked at.

    :raises CorruptBatch: as :func:`read_header`, or the batch goes on past the end of *data*, or the CRC is wrong.
    """
    header = read_header(data, position, max_bytes)
    if position + header.length > len(data):
        raise corrupt(header, f"only {len(data) - position} of its {header.length} bytes are there")
    verify(header, data, position)
    return header


def verify(header: BatchHeader, data: bytes | memoryview, position: int) -> None:
    """Return if the whole batch at *position*, whose header was read already, has the right CRC. :raises CorruptBatch: it has not."""
    crc = crc32c(memoryview(data)[position + CRC_FROM : position + header.length])
    if crc != header.crc:
        raise corrupt(header, f"CRC-32C is {crc:08x}, its header says {header.crc:08x}")


def walk(data: bytes | memoryview) -> Iterator[tuple[BatchHeader, int]]:
    """Headers and positions of the whole batches in *data*; an incomplete one at the end is left out. CRCs are not looked at.

    :raises CorruptBatch: as :func:`read_header`.
    """
    position = 0
    while len(data) - position >= HEADER_SIZE:
        header = read_header(data, position)
        if position + header.length > len(data):
            return
        yield header, position
        position += header.length


def corrupt(header: BatchHeader, what: str) -> CorruptBatch:
    """The error that *what* is wrong with the batch of *header*."""
    return CorruptBatch(f"batch at base offset {header.base_offset}: {what}")
