"""Reads go on where the log is, though it rolls, settles and forgets meanwhile."""

import errno

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.batch import decode
from flux.errors import OffsetOutOfRange, StorageError
from flux.model import FsyncMode
from tests.storage.scene import FIRST, Scene


class Reads(SynchronousTestCase):
    def scene(self) -> Scene:
        return Scene(segment_max_bytes=600, index_interval_bytes=150, queued=True).start()

    def filled(self) -> Scene:
        scene = self.scene()
        scene.fill(12)
        return scene

    def test_closed_segments_are_read_in_the_readers_thread(self) -> None:
        """Hot ones at once."""
        scene = self.filled()
        cold, hot = scene.log.read(0, 100, 99), scene.log.read(23, 100, 99)
        self.successResultOf(hot)
        self.assertNoResult(cold)
        scene.work()
        self.assertEqual(decode(self.successResultOf(cold))[0].offset, 0)

    def test_a_read_finds_what_settled_while_it_waited(self) -> None:
        """A damaged closed segment yields nothing; what followed it was hot when the read began, and is closed when it goes on."""
        scene = self.scene()
        scene.put(b"a" * 500)
        scene.turn()
        scene.put(b"b" * 500)
        scene.turn()
        scene.flip_byte(FIRST, 80)
        scene.put(b"c" * 500)  # rolls: b is hot until the round is over
        scene.put(b"d" * 500)
        read = scene.log.read(0, 100, 99)
        scene.turn()
        self.assertEqual([record.offset for record in decode(self.successResultOf(read))], [1])

    def test_a_timestamp_is_found_wherever_its_record_is_by_then(self) -> None:
        """In a closed segment, in one that settles meanwhile, in a hot one; never a later record than the first."""
        for rolled in (False, True):
            scene = self.scene()
            for stamp in range(10, 40):
                if rolled and stamp == 30:
                    scene.turn()
                scene.put(b"x" * 250, timestamp_ms=stamp)
                if not rolled:
                    scene.turn()
            for stamp in (5, 10, 17, 29, 30, 33, 39):
                found = scene.log.offset_for(stamp)
                scene.turn()
                first = max(stamp, 10)
                self.assertEqual(self.successResultOf(found), (first - 10, first))
            self.assertIsNone(scene.done(scene.log.offset_for(40)))

    def test_timestamps_that_fall_are_looked_through(self) -> None:
        """The first record at or after, in order of offsets."""
        scene = self.scene()
        stamps = [50, 10, 40, 90, 20, 90, 95, 5]
        for stamp in stamps:
            scene.put(b"x" * 250, timestamp_ms=stamp)
        scene.turn()
        for stamp in range(0, 100, 5):
            due = next(((offset, one) for offset, one in enumerate(stamps) if one >= stamp), None)
            self.assertEqual(scene.done(scene.log.offset_for(stamp)), due)

    def test_a_timestamp_below_the_start_is_not_found(self) -> None:
        """The log's start counts, also within a segment."""
        scene = self.scene()
        for stamp in range(12):
            scene.put(b"x" * 100, timestamp_ms=stamp)
        scene.turn()
        for start in (1, 5, 7):
            scene.done(scene.log.move_start(start))
            self.assertEqual(scene.done(scene.log.offset_for(0)), (start, start))

    def test_retention_may_be_faster_than_a_reader(self) -> None:
        """Then the offset is out of range, by name; not a failure of the disk."""
        scene = self.filled()
        scene.done(scene.log.read(0, 100, 99))
        read = scene.log.read(2, 100, 99)
        moved = scene.log.move_start(20)
        scene.flusher.perform_all()  # type: ignore[attr-defined]  # this scene's threads are queued
        scene.turn()
        self.successResultOf(moved)
        try:
            self.successResultOf(read)  # it was open, or ...
        except self.failureException:
            self.failureResultOf(read, OffsetOutOfRange)
        self.failureResultOf(scene.log.read(2, 100, 99), OffsetOutOfRange)

    def test_a_disk_that_cannot_be_read_is_named(self) -> None:
        """Hot and closed, by offset and by time; the next read tries again."""
        scene = self.filled()
        for offset in (0, 23):
            scene.disk.fail(errno.EIO, "read_at")
            with self.assertRaises(StorageError) as caught:
                scene.read(offset)
            self.assertIn(f"offset {offset} cannot be read", str(caught.exception))
            self.assertTrue(scene.read(offset))
        scene.disk.fail(errno.EIO, "read_at")
        with self.assertRaises(StorageError):
            scene.done(scene.log.offset_for(1))
        self.assertIsNone(scene.log.failure)

    def test_a_scan_is_everything(self) -> None:
        """From any offset, hot and closed, on this thread."""
        scene = self.filled()
        for start in (0, 1, 7, 22, 24):
            found = [record.offset for data in scene.log.scan(start) for record in decode(data, start)]
            self.assertEqual(found, list(range(start, 24)))

    def test_damage_is_reported_once_a_place(self) -> None:
        """However often it is read over."""
        scene = Scene(FsyncMode.ALWAYS).start()
        scene.fill(4)
        scene.flip_byte(FIRST, 100)
        said: list[LogEvent] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            said.append(event)

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        for _ in range(5):
            self.assertEqual(min(scene.values()), 2)
        passed_over = [event for event in said if "passed over" in str(event)]
        self.assertEqual(len(passed_over), 1)
