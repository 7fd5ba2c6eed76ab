"""The leader-epoch cache, and its file."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.storage.epoch_file import EPOCHS, EPOCHS_CRC, discard_epochs, read_epochs, sync_epochs, write_epochs
from flux.storage.epochs import EpochCache, Stretch

BEGUN = [(0, 0), (3, 10), (4, 25)]


class Cache(SynchronousTestCase):
    def test_an_epoch_is_assigned_once(self) -> None:
        """And they do not fall."""
        cache = EpochCache()
        self.assertEqual((cache.latest, cache.assign(2, 0), cache.assign(2, 5), cache.latest), (-1, True, False, 2))
        self.assertRaises(ValueError, cache.assign, 1, 9)

    def test_an_epoch_without_a_record_yields_to_the_next(self) -> None:
        """However many there were."""
        cache = EpochCache([(0, 0), (1, 10), (2, 10)])
        cache.assign(5, 10)
        self.assertEqual(cache.entries, [(0, 0), (5, 10)])

    def test_each_offset_has_its_epoch(self) -> None:
        """Before the first entry nothing is known."""
        cache = EpochCache([(1, 5), (4, 9)])
        self.assertEqual([cache.epoch_of(offset) for offset in (0, 4, 5, 8, 9, 99)], [-1, -1, 1, 1, 4, 4])

    def test_where_an_epoch_ends(self) -> None:
        """Asked for one it has not, it names the largest below (KIP-279)."""
        cache = EpochCache(BEGUN)
        ends = {epoch: cache.end_of(epoch, 40) for epoch in (-1, 0, 2, 3, 4, 9)}
        self.assertEqual(ends, {-1: (-1, -1), 0: (0, 10), 2: (0, 10), 3: (3, 25), 4: (4, 40), 9: (4, 40)})

    def test_it_is_cut_with_the_log(self) -> None:
        """At the end, and at the start, where the epoch the log now begins in begins with it."""
        for cut, left in ((26, BEGUN), (25, BEGUN[:2]), (10, BEGUN[:1]), (0, [])):
            cache = EpochCache(BEGUN)
            cache.cut_end(cut)
            self.assertEqual(cache.entries, left)
        for cut, left in ((0, BEGUN), (4, [(0, 4), (3, 10), (4, 25)]), (10, [(3, 10), (4, 25)]), (60, [(4, 60)])):
            cache = EpochCache(BEGUN)
            cache.cut_start(cut)
            self.assertEqual(cache.entries, left)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12))
    def test_sound_batches_give_it_back(self, steps: list[tuple[int, int]]) -> None:
        """Whatever the epochs and however long each lasted."""
        cache, stretches, epoch, offset = EpochCache(), [], 0, 0
        for rise, batches in steps:
            epoch += rise
            cache.assign(epoch, offset)
            stretches.append(Stretch(epoch, offset, batches))
            offset += batches
        self.assertEqual(EpochCache.rebuilt(stretches).entries, cache.entries)

    def test_a_damaged_header_does_not_decide(self) -> None:
        """A spike, a dip, at the beginning, at the end where another follows: the longer stretch is believed."""
        for stretches, entries in (
            ([(0, 0, 9), (1 << 30, 9, 1), (0, 10, 5)], [(0, 0)]),
            ([(4, 0, 9), (0, 9, 1), (4, 10, 5)], [(4, 0)]),
            ([(1 << 30, 0, 1), (2, 1, 3)], [(2, 1)]),
            ([(2, 0, 3), (-(1 << 31), 3, 1), (3, 4, 1)], [(2, 0), (3, 4)]),
            ([(0, 0, 1), (7, 1, 1), (1, 2, 1)], [(0, 0), (1, 2)]),
        ):
            rebuilt = EpochCache.rebuilt(Stretch(*stretch) for stretch in stretches)
            self.assertEqual(rebuilt.entries, entries)

    def test_the_file_is_kafkas(self) -> None:
        """A version, a count, and a line an entry; what is none of that is refused."""
        data = EpochCache(BEGUN).to_bytes()
        self.assertEqual(data, b"0\n3\n0 0\n3 10\n4 25\n")
        self.assertEqual(EpochCache.parse(data).entries, BEGUN)
        self.assertEqual(EpochCache.parse(b"0\n0\n").entries, [])
        for bad in (
            b"",
            b"0",
            b"1\n0\n",
            b"0\n1\n",
            b"0\n1\n0 0",
            b"0\n2\n3 0\n1 5\n",
            b"0\n2\n1 5\n3 5\n",
            b"0\nx\n",
            b"\xff\n0\n",
        ):
            with self.assertRaises((ValueError, IndexError)):
                EpochCache.parse(bad)


class File(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(1))
        self.root = self.disk.root

    def test_it_is_there_for_a_killed_process_and_durable_when_synced(self) -> None:
        """And before that a power cut leaves the old one, this one, or nothing that is believed."""
        self.assertIsNone(read_epochs(self.root))
        write_epochs(self.root, EpochCache([(0, 0)]))
        sync_epochs(self.root)
        outcomes = set()
        for seed in range(300):
            disk = MemoryDisk(Random(seed))
            write_epochs(disk.root, EpochCache([(0, 0)]))
            sync_epochs(disk.root)
            write_epochs(disk.root, EpochCache(BEGUN))
            disk.kill()
            cache = read_epochs(disk.root)
            assert cache is not None
            self.assertEqual(cache.entries, BEGUN)
            disk.cut()
            try:
                found = read_epochs(disk.root)
                outcomes.add(len(found.entries) if found is not None else -1)
            except ValueError:
                outcomes.add(0)
        self.assertEqual(outcomes, {0, 1, 3})

    def test_without_its_checksum_it_is_not_believed(self) -> None:
        """Missing, of another content, or discarded."""
        write_epochs(self.root, EpochCache(BEGUN))
        discard_epochs(self.root)
        discard_epochs(self.root)
        self.assertRaises(ValueError, read_epochs, self.root)
        write_epochs(self.root, EpochCache(BEGUN))
        sync_epochs(self.root)
        for path in (EPOCHS, EPOCHS_CRC):
            self.disk.flip_bit(path, 4, 0)
            self.assertRaises(ValueError, read_epochs, self.root)
            self.disk.flip_bit(path, 4, 0)
        self.assertIsNotNone(read_epochs(self.root))
