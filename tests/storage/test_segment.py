"""One file of batches: what a read finds, by index or without."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import decode, encode, read_header
from flux.disk.memory import MemoryDisk
from flux.storage.epochs import EpochCache
from flux.storage.segment import Segment, Window, end_of, file_name, read_batches

ANY = EpochCache()
FAR = 1 << 40


def segment(counts: list[int], interval: int = 100, base: int = 0) -> Segment:
    """Batches of so many records each; record n is worth n."""
    made = Segment(base, MemoryDisk(Random(1)).root.create("x.log"), interval)
    offset = base
    for count in counts:
        encoded = encode([None] * count, [b"%d" % n for n in range(offset, offset + count)], 1000 + offset)
        position = made.file.append(encoded.prefix(offset, 0), encoded.body)
        made.note(offset, offset + count, position, encoded.max_timestamp_ms)
        offset += count
    return made


class Reading(SynchronousTestCase):
    @given(
        st.lists(st.integers(1, 5), min_size=1, max_size=12),
        st.integers(0, 60),
        st.integers(1, 900),
        st.integers(0, 60),
        st.sampled_from((1, 100, 250, 9999)),
    )
    def test_a_read_is_whole_batches_from_the_one_that_holds_the_offset(
        self, counts: list[int], offset: int, max_bytes: int, end: int, interval: int
    ) -> None:
        """At most so many bytes but one batch at least, none that begins at or above the end; whatever the index knows."""
        made = segment(counts, interval)
        total = sum(counts)
        data = made.read(offset, max_bytes, end, ANY).data
        if offset >= total:
            self.assertEqual(data, b"")
            return
        first = max(base for base in (sum(counts[:n]) for n in range(len(counts))) if base <= offset)
        if first >= end:
            self.assertEqual(data, b"")
            return
        records = decode(data)
        self.assertEqual([record.offset for record in records], list(range(first, records[-1].offset + 1)))
        self.assertEqual([record.value for record in records], [b"%d" % record.offset for record in records])
        self.assertTrue(len(data) <= max_bytes or read_header(data).length == len(data))
        self.assertLess(read_header(data, max(p for p in self.positions(data))).base_offset, end)
        if records[-1].offset + 1 < min(total, end):  # it stopped for the bytes
            following = made.read(records[-1].offset + 1, 1, FAR, ANY).data
            self.assertGreater(len(data) + len(following), max_bytes)

    def positions(self, data: bytes) -> list[int]:
        found, position = [], 0
        while position < len(data):
            found.append(position)
            position += read_header(data, position).length
        return found

    def test_a_read_of_a_long_segment_looks_at_little_of_it(self) -> None:
        """The index leads there."""
        made = segment([1] * 500, interval=300)
        disk = made.file._disk  # type: ignore[attr-defined]  # to count what is read
        before = disk.calls
        self.assertEqual(decode(made.read(450, 1, FAR, ANY).data)[0].offset, 450)
        self.assertEqual(disk.calls - before, 1)

    def test_a_read_stops_before_damage(self) -> None:
        """And says where it is, and which offset was due."""
        made = segment([2, 2, 2], interval=9999)
        positions = self.positions(made.file.read_at(0, made.file.size))
        disk = made.file._disk  # type: ignore[attr-defined]  # the language of damage is the disk's
        disk.flip_byte("x.log", positions[1] + 70)
        found = made.read(0, 9999, FAR, ANY)
        self.assertEqual((end_of(found.data), found.damaged_at, found.expected_offset), (2, positions[1], 2))
        found = made.read(3, 9999, FAR, ANY)
        self.assertEqual(found, (b"", positions[1], 2))

    def test_another_epoch_than_is_due_is_damage(self) -> None:
        """The CRC does not cover it."""
        made = segment([1, 1])
        self.assertEqual(made.read(0, 9999, FAR, EpochCache([(0, 0), (1, 1)])).expected_offset, 1)
        self.assertEqual(read_batches(made.file, 0, 0, 0, 9999, FAR, EpochCache([(3, 0)])).damaged_at, 0)

    def test_an_index_entry_that_lies_is_forgotten(self) -> None:
        """And the one before it leads there."""
        made = segment([1] * 30, interval=100)
        entries = len(made.index)
        made.index._positions[3] += 1
        made.index._offsets[7] += 1
        for offset in range(30):
            self.assertEqual(decode(made.read(offset, 1, FAR, ANY).data)[0].offset, offset)
        self.assertEqual(len(made.index), entries - 2)

    def test_names_are_kafkas(self) -> None:
        """Twenty digits."""
        self.assertEqual(file_name(42), "00000000000000000042.log")
        self.assertEqual(file_name((1 << 63) - 1, ".index"), "09223372036854775807.index")

    def test_the_newest_of_a_sealed_segment_is_known(self) -> None:
        """Also if it came after the last index entry, and whatever the order."""
        made = segment([1, 1, 1], interval=1 << 20)
        self.assertEqual(made.time_index.max_timestamp_ms, -1)
        made.seal()
        self.assertEqual((made.time_index.max_timestamp_ms, made.first_timestamp_ms), (1002, 1000))
        again = Segment(0, made.file, 100)
        again.adopt(made.index, made.time_index, 3)
        self.assertEqual((again.max_timestamp_ms, again.next_offset), (1002, 3))


class Windows(SynchronousTestCase):
    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 120)), max_size=12), st.integers(1, 80))
    def test_it_shows_the_file(self, asked: list[tuple[int, int]], length: int) -> None:
        """Any stretches in any order."""
        content = bytes(n % 251 for n in range(400))
        file = MemoryDisk(Random(1)).root.create("x")
        file.append(content)
        window = Window(file, length)
        for start, size in asked:
            self.assertEqual(window.slice(start, start + size), content[start : start + size])
