"""Headers and checksums: what is read, what is refused, and exactly which damage the CRC cannot see."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import HEADER_SIZE, PREFIX_SIZE, CorruptBatch, check, encode, read_header, walk
from tests.batches import (
    ATTRIBUTES,
    CONTROL,
    COUNT,
    CRC,
    LAST_OFFSET_DELTA,
    LEADER_EPOCH,
    LENGTH,
    LOG_APPEND_TIME,
    MAGIC,
    NOW_MS,
    TRANSACTIONAL,
    batch_from,
    flip_bit,
    patched,
    placed,
    sealed,
)

BATCH = placed(encode([b"a", b"b", b""], [b"one", b"two", b"three"], NOW_MS), base_offset=500, leader_epoch=7)

OUTSIDE = set(range(8)) | set(range(LEADER_EPOCH, LEADER_EPOCH + 4))  # the bytes of base offset and leader epoch

REFUSED = [  # what is written where, and the words that must be in the message
    (MAGIC, b"\1", "magic is 1"),
    (MAGIC, b"\0", "magic is 0"),
    (LENGTH, (48).to_bytes(4, "big"), "length of 60"),
    (LENGTH, (-1).to_bytes(4, "big", signed=True), "length of 11"),
    (LENGTH, (0x7FFFFFFF).to_bytes(4, "big"), f"length of {0x7FFFFFFF + 12}"),
    (LENGTH, ((64 << 20) - 11).to_bytes(4, "big"), f"and {64 << 20}"),
    (COUNT, (4).to_bytes(4, "big"), "4 records"),
    (COUNT, (-1).to_bytes(4, "big", signed=True), "-1 records"),
    (LAST_OFFSET_DELTA, (1).to_bytes(4, "big"), "last offset delta 1"),
    (LAST_OFFSET_DELTA, (-1).to_bytes(4, "big", signed=True), "last offset delta -1"),
]


class HeaderTests(SynchronousTestCase):
    """Reading the 61 bytes."""

    def test_a_header_says_what_was_written(self) -> None:
        """Every field."""
        header = read_header(BATCH)
        self.assertEqual(
            (header.base_offset, header.last_offset_delta, header.next_offset, header.count), (500, 2, 503, 3)
        )
        self.assertEqual((header.length, header.leader_epoch, header.magic), (len(BATCH), 7, 2))
        self.assertEqual((header.base_timestamp_ms, header.max_timestamp_ms), (NOW_MS, NOW_MS))
        self.assertEqual((header.producer_id, header.producer_epoch, header.base_sequence), (-1, -1, -1))
        self.assertEqual((header.attributes, header.compression), (0, 0))
        self.assertEqual((header.log_append_time, header.is_transactional, header.is_control), (False, False, False))

    def test_attributes_are_bits(self) -> None:
        """Each property sees its own."""
        for attributes, expected in ((LOG_APPEND_TIME, 0), (TRANSACTIONAL, 1), (CONTROL, 2)):
            header = read_header(batch_from(b"", 0, last_offset_delta=0, attributes=attributes | 4))
            seen = [header.log_append_time, header.is_transactional, header.is_control]
            self.assertEqual(seen, [index == expected for index in range(3)])
            self.assertEqual(header.compression, 4)

    def test_a_header_is_read_anywhere_and_without_its_records(self) -> None:
        """From a memoryview too, and with a CRC that is wrong."""
        data = memoryview(b"xyz" + flip_bit(BATCH, CRC * 8)[:HEADER_SIZE])
        self.assertEqual(read_header(data, 3).base_offset, 500)

    def test_a_header_that_cannot_be_is_refused_by_name(self) -> None:
        """With its base offset, so that somebody can look for it."""
        for position, written, words in REFUSED:
            with self.subTest(words=words):
                error = self.assertRaises(CorruptBatch, read_header, patched(BATCH, position, written))
                self.assertIn(words, str(error))
                self.assertIn("base offset 500", str(error))

    def test_a_batch_that_takes_no_offsets_is_refused(self) -> None:
        """Without records, -1 would fit as its last offset delta; whoever reads on from it would not move."""
        error = self.assertRaises(CorruptBatch, read_header, batch_from(b"", 0))
        self.assertIn("last offset delta -1", str(error))

    def test_fewer_bytes_than_a_header_are_refused(self) -> None:
        """Any number of them, and wherever they begin."""
        for size in range(HEADER_SIZE):
            self.assertRaises(CorruptBatch, read_header, BATCH[:size])
        self.assertRaises(CorruptBatch, read_header, BATCH, len(BATCH) - HEADER_SIZE + 1)
        self.assertRaises(CorruptBatch, read_header, BATCH, len(BATCH) + 1)

    def test_the_longest_batch_is_the_readers_choice(self) -> None:
        """A batch of exactly that length passes."""
        self.assertEqual(read_header(BATCH, 0, max_bytes=len(BATCH)).length, len(BATCH))
        error = self.assertRaises(CorruptBatch, check, BATCH, 0, max_bytes=len(BATCH) - 1)
        self.assertIn(str(len(BATCH) - 1), str(error))

    def test_a_batch_emptied_by_compaction_has_a_header(self) -> None:
        """No records, and the offsets it took."""
        header = check(batch_from(b"", 0, base_offset=10, last_offset_delta=4))
        self.assertEqual((header.count, header.next_offset), (0, 15))


class CheckTests(SynchronousTestCase):
    """The whole batch, and its checksum."""

    def test_a_batch_is_found_whole_between_others(self) -> None:
        """At its position, in bytes or a memoryview."""
        for data in (BATCH * 3, memoryview(BATCH * 3)):
            self.assertEqual(check(data, len(BATCH)), read_header(BATCH))

    def test_a_batch_cut_short_is_refused(self) -> None:
        """At every length."""
        for size in range(len(BATCH)):
            self.assertRaises(CorruptBatch, check, BATCH[:size])

    def test_a_flipped_bit_is_found_unless_it_is_in_base_offset_or_leader_epoch(self) -> None:
        """Of all bits of a batch, the CRC, the magic and the length miss 96: the 64 of the base offset, bytes 0 to 7, and the 32 of
        the leader epoch, bytes 12 to 15. They are stamped by whoever appends, and the log knows what they should be.
        """
        for rest in (b"", BATCH):  # a length that grew must not find its bytes in the batch after it
            missed = set()
            for bit in range(len(BATCH) * 8):
                try:
                    check(flip_bit(BATCH, bit) + rest)
                except CorruptBatch:
                    continue
                missed.add(bit)
            self.assertEqual(missed, {byte * 8 + bit for byte in OUTSIDE for bit in range(8)})

    def test_stamping_a_place_leaves_the_checksum_right(self) -> None:
        """The same body at two offsets, in two epochs."""
        batch = encode([b"k"], [b"v"], NOW_MS)
        for base, epoch in ((0, 0), ((1 << 62), (1 << 31) - 1)):
            header = check(placed(batch, base, epoch))
            self.assertEqual((header.base_offset, header.leader_epoch, header.length), (base, epoch, batch.size))
        self.assertEqual(len(batch.prefix(0, 0)), PREFIX_SIZE)

    @given(st.binary(max_size=200), st.integers(-5, 210))
    def test_any_bytes_are_checked_or_refused(self, data: bytes, position: int) -> None:
        """With nothing else than CorruptBatch."""
        for reader in (read_header, check):
            try:
                header = reader(data, max(position, 0))
            except CorruptBatch:
                continue
            self.assertLessEqual(header.count, header.last_offset_delta + 1)

    def test_the_message_names_both_checksums(self) -> None:
        """The one found and the one written."""
        error = self.assertRaises(CorruptBatch, check, patched(BATCH, CRC, b"\0\1\2\3"))
        self.assertIn("00010203", str(error))
        self.assertIn(f"{read_header(BATCH).crc:08x}", str(error))


class WalkTests(SynchronousTestCase):
    """From batch to batch."""

    def test_whole_batches_are_walked_and_an_incomplete_one_is_left(self) -> None:
        """However much of it there is."""
        expected = [(read_header(BATCH), 0), (read_header(BATCH), len(BATCH))]
        for size in range(len(BATCH)):
            self.assertEqual(list(walk(BATCH * 2 + BATCH[:size])), expected)

    def test_nothing_holds_no_batches(self) -> None:
        """Nor do a few bytes."""
        self.assertEqual(list(walk(b"")), [])
        self.assertEqual(list(walk(BATCH[:20])), [])

    def test_a_bad_header_is_refused_after_those_before_it(self) -> None:
        """They have been handed out by then."""
        steps = walk(BATCH + patched(BATCH, MAGIC, b"\1"))
        self.assertEqual(next(steps)[1], 0)
        self.assertRaises(CorruptBatch, next, steps)

    def test_a_wrong_checksum_is_not_its_business(self) -> None:
        """The reader who touches the batch looks at it."""
        damaged = patched(BATCH, ATTRIBUTES + 1, b"\4")
        self.assertEqual([position for _, position in walk(damaged + sealed(damaged))], [0, len(BATCH)])
