"""What a segment file holds: valid batches, stretches of damage, and the offsets the end may have claimed."""

from random import Random
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.disk.memory import MemoryDisk
from flux.disk.memory_file import MemoryFile
from flux.interfaces import IFile
from flux.settings import BY_NAME
from flux.storage.epochs import EpochCache
from flux.storage.recovery import MOST_READY, NO_LIMIT, Damage, Sound, claimed_end, scan, scan_live


def batch(offset: int, *values: bytes, epoch: int = 0) -> bytes:
    encoded = encode([None] * len(values), list(values), 0)
    return encoded.prefix(offset, epoch) + encoded.body


def batches(*counts: int, first: int = 0, size: int = 20) -> list[bytes]:
    found, offset = [], first
    for count in counts:
        found.append(batch(offset, *(b"%d" % n + b"x" * size for n in range(count))))
        offset += count
    return found


def file_of(*pieces: bytes) -> IFile:
    file = MemoryDisk(Random(1)).root.create("x.log")
    file.append(b"".join(pieces))
    return file


def found_in(file: IFile, expected: int = 0, epochs: EpochCache | None = None) -> list[tuple[str, int, int]]:
    """Kind, first offset (expected, of damage) and first byte of each."""
    return [
        ("sound", found.header.base_offset, found.position)
        if isinstance(found, Sound)
        else ("damage" if found.resumes else "end", found.expected_offset, found.position)
        for found in scan(file, 0, expected, epochs or EpochCache())
    ]


class Scan(SynchronousTestCase):
    @given(st.lists(st.integers(1, 4), max_size=8), st.integers(0, 1 << 40))
    def test_sound_batches_are_found(self, counts: list[int], first: int) -> None:
        """Each, in order, from whatever offset."""
        pieces = batches(*counts, first=first)
        positions = [sum(map(len, pieces[:n])) for n in range(len(pieces))]
        offsets = [first + sum(counts[:n]) for n in range(len(pieces))]
        self.assertEqual(
            found_in(file_of(*pieces), first), [("sound", o, p) for o, p in zip(offsets, positions, strict=True)]
        )

    @given(st.binary(max_size=400), st.integers(0, 5))
    def test_any_bytes_are_one_stretch_of_damage(self, junk: bytes, where: int) -> None:
        """Wherever they lie, what is sound around them is found; nothing else is ever raised."""
        pieces = batches(1, 2, 1, 3, 1)
        file = file_of(*pieces[:where], junk, *pieces[where:])
        sound = [offset for kind, offset, _ in found_in(file) if kind == "sound"]
        self.assertEqual(sound, [0, 1, 3, 4, 7])

    def test_an_offset_that_is_not_due_is_damage(self) -> None:
        """The CRC does not cover it. Behind damage any offset above what was due is believed, and none below."""
        one, two, three = batches(1, 1, 1)
        self.assertEqual(
            [kind for kind, *_ in found_in(file_of(one, batch(7, b"x"), two, three))],
            ["sound", "damage", "sound", "sound"],
        )
        self.assertEqual([kind for kind, *_ in found_in(file_of(one, b"junk", batch(0, b"x")))], ["sound", "end"])
        far = batch(1 + (1 << 32), b"x")
        self.assertEqual([kind for kind, *_ in found_in(file_of(one, b"junk", far))], ["sound", "end"])

    def test_an_epoch_that_is_not_due_is_damage(self) -> None:
        """Where the cache knows one."""
        file = file_of(batch(0, b"a", epoch=1), batch(1, b"b", epoch=2), batch(2, b"c", epoch=2))
        for entries, kinds in (
            ([], ["sound"] * 3),
            ([(1, 0), (2, 1)], ["sound"] * 3),
            ([(1, 0)], ["sound", "end"]),
            ([(1, 0), (3, 1), (4, 2)], ["sound", "end"]),
            ([(2, 1)], ["sound"] * 3),
            ([(0, 0), (2, 1)], ["damage", "sound", "sound"]),
        ):
            self.assertEqual([kind for kind, *_ in found_in(file, epochs=EpochCache(entries))], kinds, entries)

    def test_hostile_bytes_cost_no_more_than_others(self) -> None:
        """A stretch of damage in which every byte could begin a batch is searched in linear time."""
        head = batches(1)
        for junk in (
            b"\x02" * (1 << 20),
            (bytes(8) + b"\x00\xff\xff\xff" + bytes(4) + b"\x02") * 60_000,
            bytes(1 << 20),
        ):
            began = process_time()
            found = found_in(file_of(*head, b"?" + junk, *batches(1, 1, first=1)))
            self.assertEqual([kind for kind, *_ in found], ["sound", "damage", "sound", "sound"])
            self.assertLess(process_time() - began, 5.0)


class Ready(SynchronousTestCase):
    """Zeros behind the last batch."""

    def kinds(self, *pieces: bytes, limit: int = NO_LIMIT) -> list[str]:
        found = scan(file_of(*pieces), 0, 0, EpochCache(), limit)
        return [type(each).__name__ for each in found]

    def test_zeros_at_the_end_are_no_damage(self) -> None:
        """One of them, or as many as there ever are; also where there is nothing else."""
        for count in (1, 60, 5000, MOST_READY):
            self.assertEqual(self.kinds(*batches(1, 1), bytes(count)), ["Sound", "Sound"], count)
            self.assertEqual(self.kinds(bytes(count)), [], count)

    def test_no_setting_makes_more_of_them_than_are_believed(self) -> None:
        """The most that may be set, and a page; what is more is damage."""
        most = BY_NAME["preallocate_bytes"].maximum
        assert most is not None
        self.assertLessEqual(most + 4096, MOST_READY)
        self.assertEqual(self.kinds(*batches(1), bytes(MOST_READY + 1)), ["Sound", "Damage"])

    def test_zeros_are_damage_where_batches_are_missing(self) -> None:
        """The next segment begins at an offset that was not reached; or where it should, and nothing is missing."""
        for limit, kinds in ((3, ["Sound", "Damage"]), (2, ["Sound"])):
            self.assertEqual(self.kinds(*batches(2), bytes(500), limit=limit), kinds, limit)

    def test_anything_else_between_them_is_damage(self) -> None:
        """A single byte, wherever it is."""
        for at in (0, 1, 62, 4999):
            zeros = bytearray(5000)
            zeros[at] = 1
            self.assertEqual(self.kinds(*batches(1), bytes(zeros)), ["Sound", "Damage"], at)

    def test_the_last_batch_before_them_stands_not_alone(self) -> None:
        """After damage a batch that something follows is believed rather than one within it that looks like one."""
        inner = batch(2, b"a client's own bytes")
        forged = batch(1, inner + b"rest")
        damaged = forged[:8] + b"\xff" * 4 + b"?" * 13 + forged[25:]  # neither length nor CRC tells where it ends
        (one,), last = batches(1), batch(2, b"the true one")
        for zeros in (b"", bytes(5000)):
            *_, found = scan(file_of(one, damaged, last, zeros), 0, 0, EpochCache())
            assert isinstance(found, Sound)
            self.assertEqual(found.position, len(one) + len(damaged), len(zeros))

    def test_what_is_written_over_them_while_they_are_read_is_no_damage(self) -> None:
        """A reader in another process saw zeros where a batch is by now, and the one after it."""
        pieces = batches(1, 1, 1)
        whole = b"".join(pieces)
        seen = whole[: len(pieces[0])] + bytes(len(pieces[1])) + whole[len(pieces[0]) + len(pieces[1]) :]

        class Racing(MemoryFile):
            __slots__ = ("stale",)
            stale: bytes

            def read_at(self, position: int, length: int) -> bytes:
                stale, self.stale = self.stale, b""
                return stale or super().read_at(position, length)

        disk = MemoryDisk(Random(1))
        file_of_disk = disk.root.create("x.log")
        file_of_disk.append(whole)
        racing = Racing(disk, disk.opened[file_of_disk], "x.log")
        racing.stale = seen
        self.assertEqual([type(each) for each in scan_live(racing, 0)], [Sound, Sound, Sound])
        racing.stale = b""
        disk.flip_byte("x.log", len(pieces[0]) + 70)
        self.assertEqual([type(each) for each in scan_live(racing, 0)], [Sound, Damage, Sound])


class ClaimedEnd(SynchronousTestCase):
    def claims(self, tail: bytes) -> int:
        """Offsets, with 10 due."""
        (sound,) = batches(10)
        file = file_of(sound, tail)
        return claimed_end(file, Damage(len(sound), file.size, 10, resumes=False, why="")) - 10

    def test_a_torn_batch_claims_what_its_header_says(self) -> None:
        """Wherever it was torn, as long as the header says how many."""
        (whole,) = batches(5, first=10)
        for kept in range(27, len(whole)):
            self.assertEqual(self.claims(whole[:kept]), 5, kept)

    def test_less_than_that_claims_more_than_any_batch_holds(self) -> None:
        """A gap costs nothing, an offset given twice does."""
        (whole,) = batches(5, first=10)
        for kept in range(8, 27):
            self.assertEqual(self.claims(whole[:kept]), 1 << 20, kept)
        self.assertEqual(self.claims(b"garbage " * 20), 1 << 20)

    def test_a_flipped_bit_claims_no_less(self) -> None:
        """In whichever field: of the two that say how many, one is right."""
        (whole,) = batches(5, first=10)
        for position in range(61):
            for bit in range(8):
                damaged = bytearray(whole)
                damaged[position] ^= 1 << bit
                self.assertGreaterEqual(self.claims(bytes(damaged)), 5, (position, bit))

    def test_several_torn_batches_claim_together(self) -> None:
        """As a lost page leaves them."""
        pieces = batches(2, 3, 4, first=10)
        damaged = [piece[:80] + b"?" + piece[81:] for piece in pieces]
        self.assertEqual(self.claims(b"".join(damaged)), 9)
        self.assertEqual(self.claims(b"".join(damaged)[:-30]), 9)

    def test_zeros_claim_nothing(self) -> None:
        """Behind a torn batch either."""
        self.assertEqual(self.claims(bytes(10_000)), 0)
        (whole,) = batches(5, first=10)
        self.assertEqual(self.claims(whole[:70] + bytes(len(whole) - 70 + 4096)), 5)

    def test_a_batch_torn_over_zeros_claims_no_less_than_it_has(self) -> None:
        """Wherever: of a number that is cut short by zeros not a part is believed."""
        (whole,) = batches(300, first=10)
        for kept in range(8, 200):
            self.assertGreaterEqual(self.claims(whole[:kept] + bytes(4096)), 300, kept)

    def test_sectors_that_never_came_claim_no_less_than_they_held(self) -> None:
        """Written over zeros, a later one may be there without those before it: then nothing its batch says of itself is believed."""
        torn, after = batches(300, 7, first=10)
        for lost in range(1, 200):
            tail = bytes(lost) + torn[lost:-1] + b"?" + after[:70]
            self.assertGreaterEqual(self.claims(tail), 307, lost)
