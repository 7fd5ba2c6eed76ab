"""Batches, written and read again: every field, every way of asking, and nothing but CorruptBatch from damage."""

import struct

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import (
    CorruptBatch,
    EncodedBatch,
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
    BASE_MS,
    CONTROL,
    COUNT,
    LAST_OFFSET_DELTA,
    LENGTH,
    LOG_APPEND_TIME,
    MAX_MS,
    NOW_MS,
    ROWS,
    SOME_ROWS,
    Row,
    batch_from,
    batch_of,
    patched,
    placed,
    sealed,
    with_gaps,
)

BOUNDED = settings(deadline=2000)  # milliseconds an example may take, on a machine that is busy


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
        for count, size in ((63, 63), (65, 64), (8191, 1), (8193, 1), (3, 8191), (3, 8192), (2, 1 << 21)):
            with self.subTest(count=count, size=size):
                keys, values = [b"%d" % at for at in range(count)], [bytes(size)] * count
                data = placed(encode(keys, values, NOW_MS))
                self.assertEqual([(record.key, record.value) for record in decode(data)], list(zip(keys, values, strict=True)))
                self.assertEqual(columns(data, 0, count, count + 1, 1 << 30), (list(range(count)), values, count))

    def test_the_bytes_are_those_of_the_format(self) -> None:
        """One record, spelled out."""
        batch = encode([b"k"], [None], 5, [7], [[Header("h", b"x")]])
        record = bytes.fromhex("14 00 00 00 02 6b 01 02 02 68 02 78".replace(" ", ""))
        record = record.replace(b"\x14", bytes(((len(record) - 1) * 2,)), 1)
        fixed = struct.pack(">hiqqqhii", 0, 0, 7, 7, -1, -1, -1, 1)
        self.assertEqual((batch.body[0], batch.body[5:]), (2, fixed + record))
        self.assertEqual(batch.prefix(9, 4), struct.pack(">qii", 9, 4 + len(batch.body), 4))

    def test_a_batch_must_hold_records_in_columns_of_one_length(self) -> None:
        """Anything else is the caller's mistake."""
        for arguments in (
            ([], [], NOW_MS),
            ([b"a"], [], NOW_MS),
            ([b"a"], [b"a", b"b"], NOW_MS),
            ([b"a"], [b"a"], NOW_MS, []),
            ([b"a"], [b"a"], NOW_MS, [1], [[], []]),
        ):
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


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Batches of all kinds with gaps between them, and an incomplete one at the end."""
    data, offset = b"", draw(st.integers(0, 5))
    for kind in draw(st.lists(st.sampled_from(["rows", "rows", "gaps", "control", "empty"]), max_size=5)):
        if kind == "rows":
            one = placed(batch_of(draw(SOME_ROWS)), offset)
        elif kind == "gaps":
            rows = draw(st.lists(st.tuples(st.integers(0, 9), st.none() | st.binary(max_size=90)), unique_by=lambda row: row[0]))
            one = with_gaps(sorted(rows, key=lambda row: row[0]), 9, offset)
        elif kind == "control":
            one = sealed(patched(placed(encode([b"\0\0\0\1"], [b""], 0), offset), ATTRIBUTES, struct.pack(">h", CONTROL)))
        else:
            one = batch_from(b"", 0, base_offset=offset, last_offset_delta=2)
        data += one
        offset = read_header(one).next_offset + draw(st.sampled_from([0, 0, 3]))
    return data + placed(encode([b"k"], [b"torn"], 0), offset)[: draw(st.integers(0, 70))]


class SelectionTests(SynchronousTestCase):
    """Some of the records of a log."""

    @given(logs(), st.integers(0, 90), st.integers(0, 90), st.integers(1, 60), st.integers(0, 9000))
    def test_columns_are_what_decode_finds_up_to_the_limits(
        self, data: bytes, start: int, length: int, max_records: int, max_bytes: int
    ) -> None:
        """And the reader goes on after the last record, or after all that was looked at."""
        end = start + length
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
            overlapping = [header for header, _ in walk(data) if header.base_offset < end and header.next_offset > start]
            next_offset = min(overlapping[-1].next_offset, end) if overlapping else start
        self.assertEqual(
            columns(data, start, end, max_records, max_bytes),
            ([record.offset for record in taken], [record.value for record in taken], next_offset),
        )

    @given(logs(), st.integers(1, 5), st.integers(0, 200))
    def test_a_reader_who_goes_on_sees_every_record_once(self, data: bytes, max_records: int, max_bytes: int) -> None:
        """Whatever the limits."""
        headers = [header for header, _ in walk(data)]
        end = headers[-1].next_offset if headers else 0
        offset, seen = 0, []
        while offset < end:
            found = columns(data, offset, end, max_records, max_bytes)
            self.assertGreater(found.next_offset, offset)
            seen += found.offsets
            offset = found.next_offset
        self.assertEqual(seen, [record.offset for record in decode(data)])

    def test_no_records_are_wanted(self) -> None:
        """Then none are found, and the reader stays where it is."""
        for data in (placed(encode([b"k"], [b"v"], 0)), with_gaps([(0, b"v")], 3)):
            self.assertEqual(columns(data, 0, 4, 0, 100), ([], [], 0))

    def test_a_batch_out_of_range_is_not_touched(self) -> None:
        """Its damage is found by whoever reads it."""
        good = placed(encode([b"a", b"b"], [b"1", b"2"], NOW_MS), 10)
        bad = patched(placed(encode([b"c"], [b"3"], NOW_MS), 12), MAX_MS, bytes(8))
        self.assertEqual([record.offset for record in decode(good + bad, 0, 12)], [10, 11])
        self.assertEqual(columns(good + bad, 0, 12, 9, 99), ([10, 11], [b"1", b"2"], 12))
        for read in (lambda: decode(good + bad, 12), lambda: columns(good + bad, 12, 13, 9, 99)):
            self.assertIn("base offset 12", str(self.assertRaises(CorruptBatch, read)))


class FromWireTests(SynchronousTestCase):
    """A client's batch, taken as it is or refused whole."""

    def refused(self, data: bytes, words: str) -> None:
        """It is, and the message says why."""
        self.assertIn(words, str(self.assertRaises(CorruptBatch, from_wire, data)))

    def test_a_good_batch_keeps_its_bytes(self) -> None:
        """Whatever offset, epoch and producer the client put there."""
        data = placed(encode([b"k"], [b"v"], NOW_MS), 77, -1)
        data = sealed(patched(data, MAX_MS + 8, struct.pack(">qhi", 4000, 3, 17)))
        self.assertEqual(from_wire(memoryview(data)), EncodedBatch(data[16:], 1, NOW_MS))

    def test_other_than_one_whole_batch_is_refused(self) -> None:
        """A byte less, a byte more, two of them."""
        data = placed(encode([b"k"], [b"v"], NOW_MS))
        self.refused(data[:-1], "bytes are there")
        self.refused(data + b"\0", "1 bytes after its end")
        self.refused(data * 2, f"{len(data)} bytes after its end")

    def test_offsets_that_are_not_dense_are_refused(self) -> None:
        """By the header's word, and by the records'."""
        self.refused(with_gaps([(0, b""), (2, b"")], 2), "last offset delta 2")
        self.refused(with_gaps([(0, b""), (2, b"")], 1), "offset delta 2 after 0")
        self.refused(with_gaps([(1, b""), (0, b"")], 1), "offset delta 0 after 1")
        self.refused(with_gaps([(0, b""), (0, b"")], 1), "offset delta 0 after 0")
        self.refused(with_gaps([(-1, b""), (0, b"")], 1), "offset delta -1")
        self.refused(batch_from(b"", 0, last_offset_delta=0), "0 records")

    def test_what_only_a_broker_writes_is_refused(self) -> None:
        """A control batch would take offsets nobody sees."""
        for attributes in (CONTROL, LOG_APPEND_TIME):
            data = placed(encode([b"\0\0\0\1"], [b""], NOW_MS))
            self.refused(sealed(patched(data, ATTRIBUTES, struct.pack(">h", attributes))), "only a broker")

    def test_records_that_are_not_what_they_say_are_refused(self) -> None:
        """Under a right CRC: too few, too many, too long, too short."""
        payload = placed(encode([b"key", b"key"], [b"value", b"value"], NOW_MS))[61:]
        half = len(payload) // 2
        self.refused(batch_from(payload, 3), "of them do not fit" if half * 2 < 21 else "index out of range")
        self.refused(batch_from(payload, 1), f"{half} bytes after")
        self.refused(batch_from(payload[:-1], 2), "index out of range")
        self.refused(batch_from(payload, (1 << 31) - 1), "do not fit")
        self.refused(batch_from(patched(payload, 0, bytes((payload[0] + 2,))), 2), "said to end")
        self.refused(batch_from(patched(payload, 8, b"\x7e"), 2), "where")
        self.refused(batch_from(patched(payload, 4, b"\3"), 2), "-2 bytes")

    def test_a_wrong_checksum_is_refused(self) -> None:
        """As anywhere."""
        self.refused(patched(placed(encode([b"k"], [b"v"], NOW_MS)), BASE_MS, bytes(8)), "CRC-32C")


class DamageTests(SynchronousTestCase):
    """Any bytes at all: an answer or CorruptBatch, soon."""

    def read_every_way(self, data: bytes) -> None:
        """Only CorruptBatch may come out of any reader; and what from_wire lets in reads the same both ways."""
        for read in (lambda: decode(data), lambda: columns(data, 0, 1 << 62, 1 << 20, 1 << 30), lambda: list(walk(data))):
            try:
                read()
            except CorruptBatch:
                pass
        try:
            batch = from_wire(data)
        except CorruptBatch:
            return
        again = placed(batch, 100)
        found = decode(again)
        self.assertEqual(len(found), batch.count)
        expected = [record.offset for record in found], [record.value for record in found], 100 + batch.count
        self.assertEqual(columns(again, 0, 1 << 62, batch.count + 1, 1 << 30), expected)

    @BOUNDED
    @given(st.binary(max_size=300))
    def test_arbitrary_bytes(self, data: bytes) -> None:
        """Almost never a batch."""
        self.read_every_way(data)

    @BOUNDED
    @given(st.binary(max_size=200), st.integers(0, 30), st.integers(0, 40))
    def test_arbitrary_records_under_a_right_checksum(self, payload: bytes, count: int, attributes: int) -> None:
        """Compressed by any codec, or said to be."""
        self.read_every_way(batch_from(payload, count, last_offset_delta=max(count - 1, 0), attributes=attributes))

    @BOUNDED
    @given(st.lists(ROWS, min_size=1, max_size=4), st.data())
    def test_mutated_batches_under_a_right_checksum(self, rows: list[Row], data: st.DataObject) -> None:
        """A few bytes overwritten anywhere, a few put in or taken out of the records."""
        whole = placed(batch_of(rows))
        assume(len(whole) < 2000)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(whole) - 1))
            whole = patched(whole, at, data.draw(st.binary(min_size=1, max_size=2)))[: len(whole)]
        at, gone = data.draw(st.integers(61, len(whole))), data.draw(st.integers(0, 3))
        whole = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + gone :]
        whole = patched(whole, LENGTH, struct.pack(">i", len(whole) - 12))
        self.read_every_way(sealed(whole))

    def test_great_counts_cost_nothing(self) -> None:
        """Of records, and of a record's headers: refused by what is there, not by counting to 2^31."""
        header_bomb = bytes.fromhex("16 00 00 00 01 01 fe ff ff ff 0f 00 00".replace(" ", ""))
        for data in (
            batch_from(header_bomb, 1),
            batch_from(bytes(70), (1 << 31) - 1),
            patched(batch_from(b"", 0, last_offset_delta=(1 << 31) - 1), COUNT, b"\x7f\xff\xff\xff"),
            sealed(patched(placed(encode([b"k"], [b"v"], 0)), LAST_OFFSET_DELTA, b"\x7f\xff\xff\xff" + bytes(0))),
        ):
            self.read_every_way(data)
