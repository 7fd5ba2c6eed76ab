"""The newest batches in memory: the same answers as from the file, and never more memory than allowed."""

import errno
import itertools
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import decode, encode
from flux.model import FsyncMode
from flux.storage.tail import Tail, Tails
from tests.storage.scene import FIRST, TP, Scene

_LIMIT = 128 << 10  # of one log
_BATCHES = st.lists(  # gap before it, records, bytes
    st.tuples(st.sampled_from([0, 0, 0, 0, 5]), st.integers(1, 9), st.integers(1, 40) | st.integers(30_000, 140_000)),
    max_size=90,
)


class TailTests(SynchronousTestCase):
    @given(_BATCHES, st.data())
    def test_it_answers_as_the_file_or_not_at_all(
        self, batches: list[tuple[int, int, int]], data: st.DataObject
    ) -> None:
        """Whole batches from the one that holds the offset, within the limits but one at least; none over a gap."""
        tail = Tail(Tails(1 << 20))
        placed: list[tuple[int, int, bytes]] = []
        end = 0
        for gap, count, size in batches:
            base = end + gap
            end = base + count
            chunk = b"%d;" % base + bytes(size)
            tail.append(base, end, len(chunk), (chunk[:1], chunk[1:]))
            placed.append((base, end, chunk))
        offset, visible = data.draw(st.integers(0, end + 3)), data.draw(st.integers(0, end + 3))
        max_bytes = data.draw(st.integers(0, 200) | st.integers(0, 1 << 20))
        due = b""
        if offset < visible and any(base <= offset < next_offset for base, next_offset, _ in placed):
            for base, next_offset, chunk in placed:
                if next_offset > offset and base < visible:
                    if due and len(due) + len(chunk) > max_bytes:
                        break
                    due += chunk
        newest = bool(placed) and placed[-1][0] <= offset < min(end, visible) and len(placed[-1][2]) <= _LIMIT
        found = tail.read(offset, max_bytes, visible)
        self.assertIn(found, (due, due if newest else b""))
        self.assertLessEqual(tail.memory_bytes, _LIMIT)

    def test_all_tails_together_are_bounded(self) -> None:
        """The log that was not written to longest is forgotten first; what is cleared gives its room back."""
        tails = Tails(100_000)
        one, two, three = (Tail(tails) for _ in range(3))
        for tail, base in ((one, 0), (two, 0), (one, 1), (three, 0)):
            tail.append(base, base + 1, 30_000, (bytes(30_000),))
        self.assertEqual([len(tail.read(0, 100_000, 9)) for tail in (one, two, three)], [60_000, 0, 30_000])
        self.assertEqual(tails.memory_bytes, one.memory_bytes + three.memory_bytes)
        one.clear()
        self.assertEqual(tails.memory_bytes, three.memory_bytes)
        two.append(0, 1, 100_000, (bytes(100_000),))
        self.assertEqual((tails.memory_bytes, two.read(0, 1000, 1)), (0, b""))

    def test_no_room_is_no_tail(self) -> None:
        """tail_bytes=0."""
        tails = Tails(0)
        tail = Tail(tails)
        tail.append(0, 1, 30, (bytes(30),))
        self.assertEqual((tails.memory_bytes, tail.read(0, 1000, 1)), (0, b""))

    def test_the_limit_is_what_they_take(self) -> None:
        """As the interpreter counts it, in few logs or many, of small batches or larger ones."""
        limit = 256 << 10
        for logs, size in itertools.product((20, 200), (10, 1000)):
            tails = Tails(limit)
            held = [Tail(tails) for _ in range(logs)]
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            for number in range(1000, 1000 + 2000 // logs):
                for tail in held:
                    batch = encode([None], [bytes(size)], 0)
                    tail.append(number, number + 1, batch.size, (batch.prefix(number, 0), batch.body))
            taken, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertTrue(0.7 * limit < taken < 1.3 * limit, (logs, size, taken))


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(FsyncMode.ALWAYS, segment_max_bytes=600, tail_bytes=1 << 20).start()

    def offsets(self, offset: int) -> list[int]:
        """Of one read."""
        return [record.offset for record in decode(self.scene.read(offset, 1 << 20), offset)]

    def test_whoever_follows_the_end_reads_no_file(self) -> None:
        """Not even over a segment's end; what the medium does to it meanwhile is not seen."""
        self.scene.fill(4)
        self.scene.disk.fail(errno.EIO, "read_at")
        self.scene.flip_byte(FIRST, 80)
        self.assertEqual(self.offsets(0), list(range(8)))
        self.assertEqual(self.offsets(7), [7])

    def test_what_is_at_hand_is_what_a_read_would_find(self) -> None:
        """Or nothing: where the log begins later meanwhile, at its end, and where only the file has it."""
        scene = self.scene
        scene.fill(4)
        log = scene.log
        for offset in range(8):
            for end in range(offset + 1, 9):
                self.assertEqual(log.read_newest(offset, 100, end), scene.done(log.read(offset, 100, end)))
        self.assertEqual([log.read_newest(8, 100, 8), log.read_newest(9, 100, 9)], [b"", b""])
        scene.done(log.move_start(3))
        self.assertEqual(log.read_newest(2, 100, 8), b"")
        self.assertEqual([record.offset for record in decode(log.read_newest(3, 1 << 20, 8), 3)], [3, 4, 5, 6, 7])
        self.assertEqual(Scene().start().log.read_newest(0, 100, 8), b"")

    def test_what_was_cut_is_not_shown(self) -> None:
        """Neither when something else stands in its place nor when offsets go on where they had been."""
        for base in (4, 8):
            self.setUp()
            self.scene.fill(4)
            self.scene.done(self.scene.log.truncate(4))
            leader = Scene().start()
            for _ in range(base // 2 + 1):
                leader.put(b"other", b"other")
            self.scene.log.append_as_follower(leader.read(base, 1))
            self.scene.turn()
            self.assertEqual([*self.scene.values()], [0, 1, 2, 3, base, base + 1])
            self.assertEqual([self.scene.values()[offset] for offset in (base, base + 1)], [b"other", b"other"])

    def test_a_deleted_log_holds_no_memory(self) -> None:
        """Its name may mean another one soon."""
        self.scene.fill(2)
        tails = self.scene.manager._around.tails
        self.assertGreater(tails.memory_bytes, 0)
        self.scene.done(self.scene.manager.delete(TP))
        self.assertEqual(tails.memory_bytes, 0)
