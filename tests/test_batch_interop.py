"""Other people's readers read our batches, and we read those of other people's writers.

kafka-python and aiokafka each have a codec of their own, the latter one in Cython and one in Python. kafka-python compresses with
gzip only, unless further libraries are there.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka.record.default_records import (  # type: ignore[import-untyped]  # has no types
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
    _DefaultRecordBatchBuilderPy,
    _DefaultRecordBatchPy,
)
from aiokafka.record.memory_records import MemoryRecords as AioMemoryRecords  # type: ignore[import-untyped]  # has no types
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import check, columns, decode, encode, from_wire
from flux.compression import CODECS
from flux.model import Header, Record
from tests.batches import LOG_APPEND_TIME, NOW_MS, SOME_ROWS, Row, batch_of, patched, placed, sealed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas by an old door
    from kafka.record.memory_records import (  # type: ignore[import-untyped]  # has no types
        MemoryRecords,
        MemoryRecordsBuilder,
    )

GZIP, SNAPPY, LZ4, ZSTD = sorted(CODECS)

ROWS = [
    Row(b"key", b"value", NOW_MS),
    Row(None, b"no key", NOW_MS - 50),
    Row(b"no value", None, NOW_MS + 70_000),
    Row(b"", b"", NOW_MS),
    Row(
        b"with headers",
        b"x" * 300,
        NOW_MS,
        (Header("trace", b"\0\1"), Header("none", None), Header("", b""), Header("é", b"e")),
    ),
    *(Row(b"%d" % at, b"some value " * 9, NOW_MS + at) for at in range(100)),
]


def as_records(rows: Sequence[Row], base: int) -> list[Record]:
    """What a reader must find."""
    return [
        Record(base + at, NOW_MS if row.timestamp_ms is None else row.timestamp_ms, row.key, row.value, row.headers)
        for at, row in enumerate(rows)
    ]


def foreign(record: Any) -> Record:
    """A record of either library as one of ours."""
    headers = tuple(Header(name, value) for name, value in record.headers)
    return Record(record.offset, record.timestamp, record.key, record.value, headers)


def read_by_kafka_python(data: bytes) -> list[Record]:
    """All its batches, each with its CRC verified."""
    found, batches = [], MemoryRecords(data)
    while (batch := batches.next_batch()) is not None:
        assert batch.validate_crc()
        found += [foreign(record) for record in batch]
    return found


def read_by_aiokafka(data: bytes) -> list[Record]:
    """The same, in Cython."""
    found, batches = [], AioMemoryRecords(data)
    while batches.has_next():
        batch = batches.next_batch()
        assert isinstance(batch, DefaultRecordBatch) and batch.validate_crc()
        found += [foreign(record) for record in batch]
    return found


def read_by_aiokafka_in_python(data: bytes) -> list[Record]:
    """One batch, by the code aiokafka has where Cython is missing."""
    batch = _DefaultRecordBatchPy(data)
    assert batch.validate_crc()
    return [foreign(record) for record in batch]


READERS: list[Callable[[bytes], list[Record]]] = [read_by_kafka_python, read_by_aiokafka, read_by_aiokafka_in_python]


def written_by_kafka_python(rows: Sequence[Row], codec: int) -> bytes:
    """One batch."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=codec, batch_size=1 << 20)
    for row in rows:
        assert (
            builder.append(row.timestamp_ms, row.key, row.value, [tuple(header) for header in row.headers]) is not None
        )
    builder.close()
    return bytes(builder.buffer())


def written_by_aiokafka(rows: Sequence[Row], codec: int, kind: Any = DefaultRecordBatchBuilder) -> bytes:
    """One batch, in Cython unless *kind* is the other."""
    builder = kind(2, codec, 0, -1, -1, -1, 1 << 20)
    for at, row in enumerate(rows):
        assert (
            builder.append(at, row.timestamp_ms, row.key, row.value, [tuple(header) for header in row.headers])
            is not None
        )
    return bytes(builder.build())


def written_by_aiokafka_in_python(rows: Sequence[Row], codec: int) -> bytes:
    """The same in Python."""
    return written_by_aiokafka(rows, codec, _DefaultRecordBatchBuilderPy)


WRITERS: list[tuple[Callable[[Sequence[Row], int], bytes], list[int]]] = [
    (written_by_kafka_python, [0, GZIP]),
    (written_by_aiokafka, [0, GZIP, SNAPPY, LZ4, ZSTD]),
    (written_by_aiokafka_in_python, [0, GZIP, SNAPPY, LZ4, ZSTD]),
]


class TheyReadOursTests(SynchronousTestCase):
    """Our bytes, their readers."""

    def test_every_reader_finds_every_field(self) -> None:
        """Nulls, empty fields, headers, timestamps below the base."""
        data = placed(batch_of(ROWS), 1000, 3)
        for reader in READERS:
            with self.subTest(reader=reader):
                self.assertEqual(reader(data), as_records(ROWS, 1000))

    @given(SOME_ROWS)
    def test_every_reader_finds_what_ours_finds(self, rows: list[Row]) -> None:
        """Whatever is written, as long as both know such timestamps."""
        within = [row._replace(timestamp_ms=min(max(row.timestamp_ms or 0, 0), 1 << 61)) for row in rows]
        data = placed(batch_of(within), 7)
        for reader in READERS:
            self.assertEqual(reader(data), decode(data))

    def test_a_log_is_read_batch_by_batch(self) -> None:
        """A file of ours: plain batches and others, and one that a crash cut short."""
        keys, values = [b"k%d" % at for at in range(200)], [b"v" * at for at in range(200)]
        plain = encode(keys, values, NOW_MS)
        torn = placed(plain, 200 + len(ROWS))[:-1]
        data = placed(plain, 0) + placed(batch_of(ROWS), 200, 1)
        for reader in (read_by_kafka_python, read_by_aiokafka):
            with self.subTest(reader=reader):
                self.assertEqual(reader(data + torn), decode(data))

    def test_log_append_time_is_read_alike(self) -> None:
        """All readers show the broker's stamp."""
        data = placed(encode([b"a", b"b"], [b"1", b"2"], NOW_MS, [5, 9]))
        data = sealed(patched(data, 21, bytes((0, LOG_APPEND_TIME))))
        for reader in READERS:
            with self.subTest(reader=reader):
                self.assertEqual([record.timestamp_ms for record in reader(data)], [9, 9])
                self.assertEqual(reader(data), decode(data))


class WeReadTheirsTests(SynchronousTestCase):
    """Their bytes, our readers."""

    def test_every_writers_batch_is_taken_and_read(self) -> None:
        """Plain and in every codec it knows; the body stays as it came, the place is ours."""
        for writer, codecs in WRITERS:
            for codec in codecs:
                with self.subTest(writer=writer, codec=codec):
                    data = writer(ROWS, codec)
                    batch = from_wire(data)
                    self.assertEqual((batch.body, batch.count), (data[16:], len(ROWS)))
                    self.assertEqual(batch.max_timestamp_ms, NOW_MS + 70_000)
                    stored = placed(batch, 5000, 2)
                    self.assertEqual(check(stored).compression, codec)
                    self.assertEqual(decode(stored), as_records(ROWS, 5000))
                    found = columns(stored, 5003, 5100, 50, 1 << 20)
                    self.assertEqual(found.offsets, list(range(5003, 5053)))
                    self.assertEqual(found.keys, [row.key for row in ROWS[3:53]])
                    self.assertEqual(found.values, [row.value for row in ROWS[3:53]])

    @given(SOME_ROWS, st.sampled_from(sorted(CODECS)))
    def test_what_aiokafka_writes_we_read(self, rows: list[Row], codec: int) -> None:
        """Any records, in any codec."""
        within = [row._replace(timestamp_ms=min(max(row.timestamp_ms or 0, 0), 1 << 61)) for row in rows]
        self.assertEqual(decode(placed(from_wire(written_by_aiokafka(within, codec)), 3)), as_records(within, 3))

    def test_plain_batches_are_the_same_byte_for_byte(self) -> None:
        """Nothing is left to taste in the format."""
        ours = placed(batch_of(ROWS))
        for writer in (written_by_kafka_python, written_by_aiokafka, written_by_aiokafka_in_python):
            with self.subTest(writer=writer):
                theirs = writer(ROWS, 0)
                self.assertEqual(theirs[16:], ours[16:])
