"""Indexes and digest beside a segment: believed when they belong to it, made anew when not."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.crc32c import crc32c
from flux.storage.closed import ClosedSegment, OpenSegments, load
from flux.storage.hints import adopt_indexes, read_digest
from flux.storage.index import BadIndex
from flux.storage.segment import Segment
from tests.storage.scene import DIRECTORY, FIRST, Scene


class Hints(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(index_interval_bytes=200).start()
        self.values = self.scene.fill(14)
        self.scene.die()
        self.directory = self.scene.root.child(DIRECTORY)
        self.paths = self.scene.names(".log")
        self.closed = self.closed_segment(0)

    def closed_segment(self, base: int) -> ClosedSegment:
        digest = read_digest(self.directory, base)
        assert digest is not None
        return ClosedSegment(base, digest.next_offset, digest.size_bytes, digest.max_timestamp_ms)

    def calls(self, kind: str) -> int:
        return sum(call.kind == kind for call in self.scene.disk.log)

    def test_the_digest_says_what_the_segment_is(self) -> None:
        """Size, end, newest record, and the CRC of the whole file, which covers what no batch's own does."""
        digest = read_digest(self.directory, 0)
        content = self.scene.contents(FIRST)
        assert digest is not None
        self.assertEqual((digest.size_bytes, digest.log_crc), (len(content), crc32c(content)))
        self.assertEqual(digest.next_offset, int(self.paths[1].split("/")[1][:20]))

    def test_good_ones_are_taken_over(self) -> None:
        """The log is not read."""
        before = self.calls("read_at")
        segment = load(self.directory, self.closed, 200)
        self.assertEqual(self.calls("read_at") - before, 3)
        self.assertGreater(len(segment.index), 2)

    def test_others_are_made_anew_and_put_in_place(self) -> None:
        """So that the next who looks finds them."""
        self.scene.lose_hints()
        segment = load(self.directory, self.closed, 200)
        entries = len(segment.index)
        self.assertGreater(entries, 2)
        self.assertEqual(len(self.scene.names(".digest")), 1)
        before = self.calls("read_at")
        self.assertEqual(len(load(self.directory, self.closed, 200).index), entries)
        self.assertEqual(self.calls("read_at") - before, 3)

    def test_a_segment_that_is_not_what_was_remembered_gets_none(self) -> None:
        """A digest would vouch for its damage."""
        self.scene.lose_hints()
        self.scene.shorten(FIRST, 3)
        load(self.directory, self.closed, 200)
        self.assertEqual(self.scene.names(".digest"), [])

    def test_they_are_of_one_segment_only(self) -> None:
        """Another end is another segment."""
        segment = Segment(0, self.directory.open(FIRST.split("/")[1]), 200)
        self.assertRaises(BadIndex, adopt_indexes, self.directory, segment, self.closed.next_offset + 1)
        adopt_indexes(self.directory, segment, self.closed.next_offset)
        self.assertEqual(segment.next_offset, self.closed.next_offset)

    def test_a_disk_without_room_for_them_is_no_reason_to_fail(self) -> None:
        """Nor one that cannot read them."""
        for kind in ("create", "append", "rename"):
            self.scene.lose_hints()
            self.scene.disk.fail(errno.ENOSPC, kind)
            self.assertEqual(load(self.directory, self.closed, 200).next_offset, self.closed.next_offset)
            self.scene.disk.heal()
            self.assertIsNone(read_digest(self.directory, 0), kind)
        load(self.directory, self.closed, 200)
        self.scene.disk.fail(errno.EIO, "read_at", where=lambda path: "index" in path)
        self.assertEqual(load(self.directory, self.closed, 200).next_offset, self.closed.next_offset)


class Few(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(index_interval_bytes=200, segment_max_bytes=500).start()
        self.scene.fill(20)
        self.scene.die()
        self.directory = self.scene.root.child(DIRECTORY)
        self.closed = [
            ClosedSegment(base, digest.next_offset, digest.size_bytes, digest.max_timestamp_ms)
            for base in range(40)
            if (digest := read_digest(self.directory, base)) is not None
        ]
        self.open = OpenSegments(3, 200)

    def opened(self) -> int:
        """How many times a log was opened so far."""
        return sum(call.kind == "open" and call.path.endswith(".log") for call in self.scene.disk.log)

    def test_the_one_not_used_longest_is_let_go(self) -> None:
        """And opened again when it is wanted."""
        first, second, third, fourth = self.closed[:4]
        before = self.opened()
        kept = self.open.get(self.directory, first)
        for segment in (second, third, first, fourth, first):
            self.open.get(self.directory, segment)
        self.assertEqual((self.opened() - before, len(self.open)), (4, 3))
        self.assertIs(self.open.get(self.directory, first), kept)
        self.open.get(self.directory, second)
        self.assertEqual(self.opened() - before, 5)
        self.assertEqual(len(self.scene.disk.opened), 3)

    def test_what_was_forgotten_is_dropped(self) -> None:
        """A file held open would keep its space; the rest stays, and so do other logs'."""
        for segment in self.closed[:3]:
            self.open.get(self.directory, segment)
        self.open.drop("/events-0")
        self.open.drop(self.directory.path, self.closed[1].next_offset)
        self.assertEqual((len(self.open), len(self.scene.disk.opened)), (1, 1))
        self.open.drop(self.directory.path)
        self.assertEqual((len(self.open), len(self.scene.disk.opened)), (0, 0))

    def test_all_can_be_closed(self) -> None:
        """At the stop."""
        for segment in self.closed[:3]:
            self.open.get(self.directory, segment)
        self.open.close()
        self.assertEqual((len(self.open), len(self.scene.disk.opened)), (0, 0))

    def test_one_that_is_gone_is_said_to_be(self) -> None:
        """And holds no place."""
        self.scene.lose(FIRST)
        self.assertRaises(FileNotFoundError, self.open.get, self.directory, self.closed[0])
        self.assertEqual(len(self.open), 0)

    def test_one_that_cannot_be_read_leaves_no_file_open(self) -> None:
        """Whatever goes wrong."""
        self.scene.lose_hints()
        self.scene.disk.fail(errno.EIO, "read_at")
        self.assertRaises(OSError, self.open.get, self.directory, self.closed[0])
        self.assertEqual((len(self.open), len(self.scene.disk.opened)), (0, 0))
