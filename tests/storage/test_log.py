"""A log's ordinary life: append, flush, read, roll, restart."""

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.envelope import MAX_BATCH_BYTES
from flux.errors import DiskFull, MessageTooLarge, OffsetOutOfRange, StorageError
from flux.model import FsyncMode
from tests.storage.scene import DIRECTORY, TP, Scene


class AppendAndRead(SynchronousTestCase):
    def test_offsets_are_dense_over_batches(self) -> None:
        """A batch takes as many offsets as it has records."""
        scene = Scene().start()
        self.assertEqual([scene.put(b"a", b"b"), scene.put(b"c"), scene.put(b"d")], [0, 2, 3])
        self.assertEqual(scene.values(), {0: b"a", 1: b"b", 2: b"c", 3: b"d"})

    def test_a_flush_fires_when_the_bytes_are_durable(self) -> None:
        """Nothing is promised before the sync, everything after."""
        scene = Scene().start()
        scene.put(b"a")
        flushed = scene.log.flush()
        self.assertNoResult(flushed)
        self.assertEqual(scene.log.promised.value, 0)
        scene.turn()
        self.assertIsNone(self.successResultOf(flushed))
        self.assertEqual(scene.log.promised.value, 1)

    def test_interval_promises_what_is_appended(self) -> None:
        """With fsync_mode=interval an append is promised at once and durable after the interval."""
        scene = Scene(FsyncMode.INTERVAL, flush_interval_ms=1000).start()
        scene.put(b"a")
        scene.turn()
        self.assertEqual((scene.log.promised.value, scene.log.flushed.value), (1, 0))
        scene.clock.advance(1)
        scene.turn()
        self.assertEqual(scene.log.flushed.value, 1)

    def test_never_flushes_when_asked(self) -> None:
        """With fsync_mode=never nothing is synced by itself, but flush still means durable."""
        scene = Scene(FsyncMode.NEVER).start()
        scene.put(b"a")
        scene.clock.advance(100)
        self.assertEqual(scene.log.flushed.value, 0)
        flushed = scene.log.flush()
        scene.turn()
        self.successResultOf(flushed)

    def test_appends_of_one_turn_share_a_sync(self) -> None:
        """Group commit: ten appends, one datasync of the segment."""
        scene = Scene().start()
        for _ in range(10):
            scene.put(b"v")
        scene.turn()
        syncs = [call for call in scene.disk.log if call.kind == "datasync" and call.path.endswith(".log")]
        self.assertEqual((len(syncs), scene.log.promised.value), (1, 10))

    def test_no_batch_is_taken_that_would_be_read_as_damage(self) -> None:
        """The longest there may be is read, by this life and the next."""
        scene = Scene().start()
        value = bytes(MAX_BATCH_BYTES - 200)
        value += bytes(MAX_BATCH_BYTES - encode([b"k"], [value], 0).size)
        scene.put(value)
        self.assertRaises(MessageTooLarge, scene.put, value + b"x")
        for _ in range(2):
            self.assertEqual(scene.values(), {0: value})
            scene.turn()
            scene.kill()

    def test_a_read_outside_names_both_ends(self) -> None:
        """Below the start and above the end are errors, at the end is nothing yet."""
        scene = Scene().start()
        scene.put(b"a")
        for offset in (-1, 2):
            error = self.failureResultOf(scene.log.read(offset, 100, 1), OffsetOutOfRange).value
            self.assertIn("holds 0 to 1", str(error))
        self.assertEqual(self.successResultOf(scene.log.read(1, 100, 1)), b"")

    def test_a_read_starts_at_the_batch_that_holds_the_offset(self) -> None:
        """Whole batches, none beyond the byte limit but always one."""
        scene = Scene().start()
        for number in range(5):
            scene.put(b"x" * 50, b"%d" % number)
        self.assertEqual(scene.records(3)[0].offset, 3)
        one = self.successResultOf(scene.log.read(4, 1, 10))
        self.assertEqual(len(one), len(self.successResultOf(scene.log.read(4, 10_000, 6))))


class Segments(SynchronousTestCase):
    def fill(self, scene: Scene, batches: int = 40) -> dict[int, bytes | None]:
        for number in range(batches):
            scene.put(b"%04d" % number * 50, b"second")
            scene.turn()
        return scene.values()

    def names(self, scene: Scene) -> list[str]:
        return [entry.name for entry in scene.root.child(DIRECTORY).list()]

    def test_a_full_segment_is_followed_by_another(self) -> None:
        """Segments are named by base offset and read through as one."""
        scene = Scene().start()
        values = self.fill(scene)
        self.assertEqual(len(values), 80)
        logs = [name for name in self.names(scene) if name.endswith(".log")]
        self.assertGreater(len(logs), 3)
        self.assertEqual(logs[0], f"{0:020d}.log")
        self.assertFalse([name for name in self.names(scene) if "rolling" in name])

    def test_a_closed_segment_has_its_indexes_and_a_digest(self) -> None:
        """The flusher's round leaves them behind."""
        scene = Scene(index_interval_bytes=100).start()
        self.fill(scene)
        for suffix in (".index", ".timeindex", ".digest"):
            self.assertIn(f"{0:020d}{suffix}", self.names(scene))

    def test_a_clean_stop_opens_at_once(self) -> None:
        """No segment is scanned, everything is there, appends go on."""
        scene = Scene().start()
        values = self.fill(scene)
        scene.stop()
        scene.start()
        self.assertFalse(scene.manager.unclean)
        self.assertEqual((scene.values(), scene.manager.losses), (values, []))
        self.assertEqual(scene.put(b"next"), 80)

    def test_a_killed_process_loses_nothing_written(self) -> None:
        """In every mode: what was written is in the kernel's hands."""
        for mode in FsyncMode:
            scene = Scene(mode).start()
            values = self.fill(scene, 13)
            scene.put(b"last words")
            values[26] = b"last words"
            scene.kill()
            self.assertTrue(scene.manager.unclean)
            self.assertEqual((scene.values(), scene.manager.losses), (values, []), mode)

    def test_a_power_cut_keeps_what_was_flushed(self) -> None:
        """And what it does not keep is missing from the end only."""
        for seed in range(50):
            scene = Scene(seed=seed).start()
            values = self.fill(scene, 13)
            for _ in range(20):
                scene.put(b"unsynced" * 20)
            scene.cut()
            found = scene.values()
            self.assertEqual({offset: found.get(offset) for offset in values}, values)
            self.assertEqual(sorted(found), list(range(len(found))))


class Trouble(SynchronousTestCase):
    def test_a_full_disk_refuses_and_recovers(self) -> None:
        """Nothing of a refused batch is kept; when there is room appends go on."""
        import errno

        scene = Scene().start()
        scene.put(b"a")
        scene.disk.fail(errno.ENOSPC, "append")
        self.assertRaises(DiskFull, scene.put, b"b")
        self.assertEqual(scene.put(b"c"), 1)
        scene.turn()
        self.assertEqual(scene.values(), {0: b"a", 1: b"c"})

    def test_a_failed_sync_is_final(self) -> None:
        """Whoever waits is told, appends are refused, reads go on, the stop is not clean."""
        import errno

        scene = Scene().start()
        scene.put(b"a")
        scene.turn()
        scene.disk.fail(errno.EIO, "datasync")
        scene.put(b"b")
        waiting = scene.log.flush()
        scene.turn()
        self.failureResultOf(waiting, StorageError)
        self.assertRaises(StorageError, scene.put, b"c")
        self.assertEqual(scene.log.promised.value, 1)
        self.assertEqual(scene.values()[0], b"a")
        scene.stop()
        scene.start()
        self.assertTrue(scene.manager.unclean)
        self.assertEqual(scene.values()[0], b"a")
        self.assertEqual(TP.topic, "orders")
