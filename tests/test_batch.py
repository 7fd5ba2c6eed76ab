"""Batches, written and read again: every field, and every way of asking for some of them."""

import gzip
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import (
    HEADER_SIZE,
    Columns,
    CorruptBatch,
    check,
    columns,
    decode,
    encode,
    from_wire,
    read_header,
    walk,
)
from flux.model import Header, Record
from tests.batches import (
    ATTRIBUTES,
    CONTROL,
    LOG_APPEND_TIME,
    MAX_MS,
    NOW_MS,
    SOME_ROWS,
    Row,
    batch_from,
    batch_of,
    patched,
    placed,
    sealed,
    with_gaps,
)


def stamped(row: Row) -> int:
    """The timestamp a row comes out with."""
    return NOW_MS if row.timestamp_ms is None else row.timestamp_ms


class RoundTripTests(SynchronousTestCase):
    """What goes in comes out."""

    @given(SOME_ROWS, st.integers(0, 1 << 40), st.integers(0, 1 << 20))
    def test_every_field_survives(self, rows: list[Row], base: int, epoch: int) -> None:
        """Null and empty keys and values, headers, timestamps below the base and 2^64 apart."""
        batch = batch_of(rows)
        data = placed(batch, base, epoch)
        self.assertEqual(
            decode(data),
            [Record(base + at, stamped(row), row.key, row.value, row.headers) for at, row in enumerate(rows)],
        )
        header = check(data)
        self.assertEqual((header.count, header.length, header.leader_epoch), (len(rows), batch.size, epoch))
        self.assertEqual(header.base_timestamp_ms, stamped(rows[0]))
        newest = max(stamped(row) for row in rows)
        self.assertEqual((header.max_timestamp_ms, batch.max_timestamp_ms, batch.count), (newest, newest, len(rows)))
        self.assertEqual(from_wire(data), batch)

    def test_long_runs_and_large_records_survive(self) -> None:
        """Past every size at which a varint grows, where the tables end and the general writer begins."""
        for count, size in ((63, 63), (65, 64), (8191, 1), (8193, 1), (3, 8191), (3, 8192), (2, 1 << 21), (8300, 0)):
            with self.subTest(count=count, size=size):
                keys, values = [b"%d" % at if size else b"" for at in range(count)], [bytes(size)] * count
                data = placed(encode(keys, values, NOW_MS))
                self.assertEqual(
                    [(record.key, record.value) for record in decode(data)], list(zip(keys, values, strict=True))
                )
                expected = Columns(list(range(count)), [NOW_MS] * count, keys, values, count)
                self.assertEqual(columns(data, 0, count, count + 1, 1 << 30), expected)

    def test_the_bytes_are_those_of_the_format(self) -> None:
        """One record, spelled out."""
        batch = encode([b"k"], [None], 5, [7], [[Header("h", b"x")]])
        record = bytes.fromhex("16 00 00 00 02 6b 01 02 02 68 02 78")
        fixed = struct.pack(">hiqqqhii", 0, 0, 7, 7, -1, -1, -1, 1)
        self.assertEqual((batch.body[0], batch.body[5:]), (2, fixed + record))
        self.assertEqual(batch.prefix(9, 4), struct.pack(">qii", 9, 4 + len(batch.body), 4))

    def test_a_batch_must_hold_records_in_columns_of_one_length(self) -> None:
        """Anything else is the caller's mistake."""
        mistakes: list[tuple[Any, ...]] = [
            ([], [], NOW_MS),
            ([b"a"], [], NOW_MS),
            ([b"a"], [b"a", b"b"], NOW_MS),
            ([b"a"], [b"a"], NOW_MS, []),
            ([b"a"], [b"a"], NOW_MS, [1], [[], []]),
        ]
        for arguments in mistakes:
            self.assertRaises(ValueError, encode, *arguments)

    def test_a_header_key_that_is_not_utf8_survives(self) -> None:
        """Its bytes come back when it is written again."""
        data = placed(encode([b""], [b""], 0, None, [[Header("caf\udce9", b"1")]]))
        self.assertIn(b"caf\xe9", data)
        self.assertEqual(decode(data)[0].headers, (Header("caf\udce9", b"1"),))

    def test_log_append_time_is_every_records_timestamp(self) -> None:
        """The broker's stamp hides the producers'."""
        data = placed(encode([b"a", b"b"], [b"1", b"2"], NOW_MS, [5, 9]))
        data = sealed(patched(data, ATTRIBUTES, struct.pack(">h", LOG_APPEND_TIME)))
        self.assertEqual([record.timestamp_ms for record in decode(data)], [9, 9])
        self.assertEqual(columns(data, 0, 2, 2, 99).timestamps_ms, [9, 9])


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Batches of all kinds with gaps between them, and an incomplete one at the end."""
    data, offset = b"", draw(st.integers(0, 5))
    for kind in draw(st.lists(st.sampled_from(["rows", "rows", "gzip", "gaps", "control", "empty"]), max_size=5)):
        if kind == "rows":
            one = placed(batch_of(draw(SOME_ROWS)), offset)
        elif kind == "gzip":
            rows = draw(SOME_ROWS)
            payload = gzip.compress(placed(batch_of(rows))[HEADER_SIZE:], 1)
            one = batch_from(payload, len(rows), base_offset=offset, attributes=1)
        elif kind == "gaps":
            kept = draw(st.lists(st.integers(0, 9), unique=True).map(sorted))
            one = with_gaps([(delta, draw(st.none() | st.binary(max_size=90))) for delta in kept], 9, offset)
        elif kind == "control":
            one = sealed(
                patched(placed(encode([b"\0\0\0\1"], [b""], 0), offset), ATTRIBUTES, struct.pack(">h", CONTROL))
            )
        else:
            one = batch_from(b"", 0, base_offset=offset, last_offset_delta=2)
        data += one
        offset = read_header(one).next_offset + draw(st.sampled_from([0, 0, 3]))
    return data + placed(encode([b"k"], [b"torn"], 0), offset)[: draw(st.integers(0, 70))]


class SelectionTests(SynchronousTestCase):
    """Some of the records of a log."""

    @given(logs(), st.data(), st.integers(1, 60), st.integers(0, 400) | st.integers(0, 9000))
    def test_columns_are_what_decode_finds_up_to_the_limits(
        self, data: bytes, draw: st.DataObject, max_records: int, max_bytes: int
    ) -> None:
        """And the reader goes on after the last record, or after all that was looked at."""
        last = max((header.next_offset for header, _ in walk(data)), default=0) + 2
        start, end = sorted(draw.draw(st.tuples(st.integers(0, last), st.integers(0, last))))
        found = decode(data, start, end)
        self.assertEqual(found, [record for record in decode(data) if start <= record.offset < end])
        taken: list[Record] = []
        for record in found[:max_records]:
            if taken and sum(len(each.value or b"") for each in [*taken, record]) > max_bytes:
                break
            taken.append(record)
        if len(taken) < len(found) or len(taken) == max_records:
            next_offset = taken[-1].offset + 1
        else:
            overlapping = [
                header for header, _ in walk(data) if header.base_offset < end and header.next_offset > start
            ]
            next_offset = min(overlapping[-1].next_offset, end) if overlapping else start
        self.assertEqual(
            columns(data, start, end, max_records, max_bytes),
            Columns(
                [record.offset for record in taken],
                [record.timestamp_ms for record in taken],
                [record.key for record in taken],
                [record.value for record in taken],
                next_offset,
            ),
        )
        self.assertEqual(
            columns(data, start, end, max_records, max_bytes, values_only=True),
            Columns([record.offset for record in taken], [], [], [record.value for record in taken], next_offset),
        )

    @given(logs(), st.integers(1, 5), st.integers(0, 200))
    def test_a_reader_who_goes_on_sees_every_record_once(self, data: bytes, max_records: int, max_bytes: int) -> None:
        """Whatever the limits."""
        headers = [header for header, _ in walk(data)]
        end = headers[-1].next_offset if headers else 0
        offset = 0
        seen: list[int] = []
        while offset < end:
            found = columns(data, offset, end, max_records, max_bytes)
            self.assertGreater(found.next_offset, offset)
            seen += found.offsets
            offset = found.next_offset
        self.assertEqual(seen, [record.offset for record in decode(data)])

    def test_nothing_at_or_above_the_end_is_shown(self) -> None:
        """Wherever in a batch it lies, in one with gaps too, and the reader goes on there."""
        dense = placed(encode([b"k"] * 100, [b"%d" % at for at in range(100)], 0))
        sparse = with_gaps([(at, b"%d" % at) for at in range(0, 100, 2)], 99)
        for data, step in ((dense, 1), (sparse, 2)):
            for end in (1, 2, 63, 64, 65, 99, 100, 101):
                with self.subTest(step=step, end=end):
                    offsets = list(range(0, min(end, 100), step))
                    found = columns(data, 0, end, 1000, 1 << 20)
                    self.assertEqual((found.offsets, found.next_offset), (offsets, min(end, 100)))
                    self.assertEqual(found.values, [b"%d" % at for at in offsets])
                    self.assertEqual([record.offset for record in decode(data, 0, end)], offsets)

    def test_limits_count_across_batches(self) -> None:
        """Up to a limit, not past it, wherever batches and chunks of them end; the first record is free."""
        values = [b"%010d" % at for at in range(300)]
        data = b"".join(
            placed(encode([b""] * size, values[base : base + size], 0), base)
            for base, size in ((0, 100), (100, 150), (250, 50))
        )
        for fitting in (1, 2, 63, 64, 65, 99, 100, 101, 163, 164, 165, 250, 251, 299, 300):
            for limits in ((fitting, 1 << 20), (300, fitting * 10), (300, fitting * 10 + 9), (fitting, fitting * 10)):
                with self.subTest(limits=limits):
                    expected = Columns(list(range(fitting)), [0] * fitting, [b""] * fitting, values[:fitting], fitting)
                    self.assertEqual(columns(data, 0, 1000, *limits), expected)
        self.assertEqual(columns(data, 99, 1000, 300, 0), Columns([99], [0], [b""], [values[99]], 100))

    def test_no_records_are_wanted(self) -> None:
        """Then none are found, and the reader stays where it is."""
        for data in (placed(encode([b"k"], [b"v"], 0)), with_gaps([(0, b"v")], 3)):
            self.assertEqual(columns(data, 0, 4, 0, 100), Columns([], [], [], [], 0))

    def test_a_batch_out_of_range_is_not_touched(self) -> None:
        """Its damage is found by whoever reads it."""
        good = placed(encode([b"a", b"b"], [b"1", b"2"], NOW_MS), 10)
        bad = patched(placed(encode([b"c"], [b"3"], NOW_MS), 12), MAX_MS, bytes(8))
        self.assertEqual([record.offset for record in decode(good + bad, 0, 12)], [10, 11])
        self.assertEqual(columns(good + bad, 0, 12, 9, 99).values, [b"1", b"2"])
        for read in (lambda: decode(good + bad, 12), lambda: columns(good + bad, 12, 13, 9, 99)):
            self.assertIn("base offset 12", str(self.assertRaises(CorruptBatch, read)))
