"""Damaged batches, and clients' batches that must not be let in: CorruptBatch and nothing else, soon."""

import contextlib
import struct

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import Columns, CorruptBatch, EncodedBatch, columns, decode, encode, from_wire, walk
from tests.batches import (
    ATTRIBUTES,
    BASE_MS,
    CONTROL,
    LENGTH,
    LOG_APPEND_TIME,
    MAX_MS,
    NOW_MS,
    ROWS,
    Row,
    batch_from,
    batch_of,
    patched,
    placed,
    sealed,
    with_gaps,
)

BOUNDED = settings(deadline=2000)  # milliseconds an example may take, on a machine that is busy


def columns_of(data: bytes, *, values_only: bool) -> tuple[object, ...] | str:
    """Offsets, values and next offset of all there is, or what is wrong with it."""
    try:
        found = columns(data, 0, 1 << 62, 1 << 20, 1 << 30, values_only=values_only)
    except CorruptBatch as error:
        return str(error)
    return found.offsets, found.values, found.next_offset


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
        self.refused(batch_from(payload, 3), "end within one")
        self.refused(batch_from(payload, 1), f"{half} bytes after")
        self.refused(batch_from(payload[:-1], 2), "end within one")
        self.refused(batch_from(payload, (1 << 31) - 1), "do not fit")
        self.refused(batch_from(patched(payload, 0, bytes((payload[0] + 2,))), 2), "said to end")
        self.refused(batch_from(patched(payload, 8, b"\x7e"), 2), "where")
        self.refused(batch_from(patched(payload, 4, b"\3"), 2), "-2 bytes")
        self.refused(batch_from(bytes.fromhex("0c 00 00 00 01 01 01"), 1), "-1 headers")
        self.refused(batch_from(bytes.fromhex("10 00 00 00 01 01 02 01 01"), 1), "header without a key")

    def test_a_wrong_checksum_is_refused(self) -> None:
        """As anywhere."""
        self.refused(patched(placed(encode([b"k"], [b"v"], NOW_MS)), BASE_MS, bytes(8)), "CRC-32C")


class DamageTests(SynchronousTestCase):
    """Any bytes at all: an answer or CorruptBatch, soon."""

    def read_every_way(self, data: bytes) -> None:
        """Only CorruptBatch may come out of any reader; and what from_wire lets in reads the same both ways.

        Values alone are what they are beside keys and timestamps, or as damaged.
        """
        for read in (
            lambda: decode(data),
            lambda: columns(data, 0, 1 << 62, 1 << 20, 1 << 30),
            lambda: list(walk(data)),
        ):
            with contextlib.suppress(CorruptBatch):
                read()
        self.assertEqual(columns_of(data, values_only=True), columns_of(data, values_only=False))
        try:
            batch = from_wire(data)
        except CorruptBatch:
            return
        again = placed(batch, 100)
        found = decode(again)
        self.assertEqual(len(found), batch.count)
        expected = Columns(
            [record.offset for record in found],
            [record.timestamp_ms for record in found],
            [record.key for record in found],
            [record.value for record in found],
            100 + batch.count,
        )
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

    def test_bytes_after_the_last_record_are_found_by_every_reader(self) -> None:
        """By the one that shows values only, too, if it comes that far."""
        data = batch_from(placed(encode([b"", b""], [b"", b""], NOW_MS))[61:] + b"x", 2)
        for read in (lambda: decode(data), lambda: columns(data, 0, 2, 2, 0)):
            self.assertIn("1 bytes after the last one", str(self.assertRaises(CorruptBatch, read)))
        self.assertEqual(columns(data, 0, 1, 2, 0), Columns([0], [NOW_MS], [b""], [b""], 1))

    def test_great_counts_cost_nothing(self) -> None:
        """Of records, and of a record's headers: refused by what is there, not by counting to 2^31."""
        most = (1 << 31) - 1
        header_bomb = bytes.fromhex("14 00 00 00 01 01 fe ff ff ff 0f")
        for data in (batch_from(header_bomb, 1), batch_from(bytes(70), most)):
            self.read_every_way(data)
            self.assertRaises(CorruptBatch, decode, data)
        empty = batch_from(b"", 0, last_offset_delta=most)
        self.read_every_way(empty)
        self.assertEqual(columns(empty, 0, 1 << 62, 1, 1), Columns([], [], [], [], most + 1))
