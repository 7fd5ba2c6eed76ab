"""Sparse indexes: lookups equal a linear scan, files are Kafka's, and what is no index is refused."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.storage.index import BadIndex, OffsetIndex, TimeIndex

STEPS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9000)), max_size=20)


def offset_index(steps: list[tuple[int, int]]) -> tuple[OffsetIndex, list[tuple[int, int]]]:
    index, entries = OffsetIndex(), []
    offset = position = 0
    for offset_step, position_step in steps:
        offset, position = offset + offset_step, position + position_step
        index.add(offset, position)
        entries.append((offset, position))
    return index, entries


class Offsets(SynchronousTestCase):
    @given(STEPS, st.integers(-5, 1200))
    def test_a_lookup_equals_a_linear_scan(self, steps: list[tuple[int, int]], offset: int) -> None:
        """The last entry at or below; the first batch if there is none."""
        index, entries = offset_index(steps)
        self.assertEqual(index.floor(offset), max([e for e in entries if e[0] <= offset], default=(0, 0)))
        self.assertEqual(index.last(), entries[-1] if entries else None)

    @given(STEPS)
    def test_it_survives_its_file(self, steps: list[tuple[int, int]]) -> None:
        """Eight bytes an entry."""
        index, entries = offset_index(steps)
        data = index.to_bytes()
        again = OffsetIndex.parse(data, 1 << 20)
        self.assertEqual(len(data), 8 * len(entries))
        self.assertEqual([again.floor(offset) for offset, _ in entries], entries)

    def test_the_file_is_kafkas(self) -> None:
        """Pairs of big-endian 32-bit integers."""
        index, _ = offset_index([(3, 4100), (5, 4096)])
        self.assertEqual(index.to_bytes().hex(), "00000003000010040000000800002004")

    def test_an_entry_can_be_forgotten(self) -> None:
        """The one before takes its place."""
        index, _ = offset_index([(3, 100), (3, 100), (3, 100)])
        index.forget(200)
        self.assertEqual([index.floor(offset) for offset in (5, 6, 9)], [(3, 100), (3, 100), (9, 300)])

    def test_what_is_no_index_is_refused(self) -> None:
        """A wrong size, entries that do not ascend, positions beyond the log."""
        good = offset_index([(3, 100), (3, 100)])[0].to_bytes()
        for data, size in (
            (good[:-1], 999),
            (good + good, 999),
            (good[8:] + good[:8], 999),
            (bytes(16), 999),
            (good, 200),
        ):
            self.assertRaises(BadIndex, OffsetIndex.parse, data, size)
        self.assertEqual(len(OffsetIndex.parse(good, 201)), 2)
        self.assertEqual(len(OffsetIndex.parse(b"", 0)), 0)


class Times(SynchronousTestCase):
    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=20), st.integers(-2, 70))
    def test_below_a_lookup_every_record_is_older(self, batches: list[tuple[int, int]], timestamp: int) -> None:
        """Whatever the order of timestamps; and no batch that is later in the index could be meant."""
        index, offset = TimeIndex(), 0
        seen: list[tuple[int, int]] = []
        newest = -1
        for stamp, step in batches:
            offset += step
            newest = max(newest, stamp)
            seen.append((offset, stamp))
            index.add(newest, offset)
        before = index.before(timestamp)
        self.assertTrue(all(stamp < timestamp for at, stamp in seen if at <= before))
        self.assertEqual(index.max_timestamp_ms, newest)
        again = TimeIndex.parse(index.to_bytes())
        self.assertEqual(again.before(timestamp), before)
        self.assertEqual((again.max_timestamp_ms, again.first_timestamp_ms), (newest, index.first_timestamp_ms))

    def test_only_news_is_kept(self) -> None:
        """An entry that says nothing new would not ascend."""
        index = TimeIndex()
        for timestamp, offset in ((5, 1), (5, 2), (4, 3), (6, 4), (-1, 5)):
            index.add(timestamp, offset)
        self.assertEqual(len(index), 2)

    def test_the_file_is_kafkas(self) -> None:
        """A 64-bit timestamp and a 32-bit offset."""
        index = TimeIndex()
        index.add(1_700_000_000_000, 7)
        self.assertEqual(index.to_bytes().hex(), "0000018bcfe5680000000007")

    def test_what_is_no_index_is_refused(self) -> None:
        """A wrong size, entries that do not ascend, negative ones."""
        index = TimeIndex()
        index.add(5, 1)
        index.add(9, 4)
        good = index.to_bytes()
        for data in (good[:-1], good + good, good[12:] + good[:12], bytes(24), b"\xff" * 12):
            self.assertRaises(BadIndex, TimeIndex.parse, data)
        self.assertEqual((len(TimeIndex.parse(b"")), TimeIndex.parse(b"").first_timestamp_ms), (0, None))
