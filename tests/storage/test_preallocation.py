"""Zeros behind a log's end: when there are any, when they go, and that nobody takes them for records."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import FsyncMode
from flux.storage.findings import Kind
from flux.storage.segment import file_name
from tests.storage.scene import DIRECTORY, FIRST, Scene
from tests.storage.test_verification import verified

PAGE = 4096
LEAST = 16384
BATCH = 1000


class Preallocation(SynchronousTestCase):
    def scene(self, mode: FsyncMode = FsyncMode.ALWAYS, most: int = 1 << 20, segment: int = 1 << 24) -> Scene:
        scene = Scene(mode, preallocate_bytes=most, segment_max_bytes=segment).start()
        self.addCleanup(scene.die)
        return scene

    def put(self, scene: Scene, count: int = 1) -> None:
        """Batches of a little more than BATCH bytes, each synced."""
        for number in range(count):
            scene.put(b"%04d" % number * (BATCH // 4))
            scene.turn()

    def ready(self, scene: Scene, path: str = FIRST) -> int:
        """How many bytes the file has behind those of the log, all of them zeros."""
        written = scene.log.size_bytes
        behind = scene.contents(path)[written:]
        self.assertEqual(behind, bytes(len(behind)))
        return len(behind)

    def test_a_log_gets_as_much_again_as_it_holds(self) -> None:
        """Some pages at least, the setting at most, up to the end of a page; and nothing before it is written to."""
        scene = self.scene(most=100_000)
        self.assertEqual(scene.contents(FIRST), b"")
        ends = []
        for _ in range(400):
            self.put(scene)
            size, ready = scene.log.size_bytes, self.ready(scene)
            ends += [size + ready] if size + ready not in ends else []
            self.assertEqual((size + ready) % PAGE, 0)
            self.assertLessEqual(ready, 100_000 + PAGE)
        grown = [after - before for before, after in zip([0, *ends], ends, strict=False)]
        self.assertEqual(grown, sorted(grown))
        self.assertLess(abs(grown[0] - LEAST), 2 * PAGE)
        self.assertGreater(len(grown), 5)

    def test_only_what_is_synced_for_each_answer_has_them(self) -> None:
        """A sync a second costs what it costs; and it can be turned off."""
        for mode, most in ((FsyncMode.INTERVAL, 1 << 20), (FsyncMode.NEVER, 1 << 20), (FsyncMode.ALWAYS, 0)):
            scene = self.scene(mode, most)
            self.put(scene, 3)
            self.assertEqual(self.ready(scene), 0, mode)

    def test_a_small_setting_is_a_page(self) -> None:
        """Whatever it is, there is something."""
        scene = self.scene(most=1)
        for _ in range(20):
            self.put(scene)
            self.assertIn(self.ready(scene), range(1, PAGE + 1))

    def test_a_segment_is_not_made_ready_for_more_than_it_will_hold(self) -> None:
        """There is one at most to which that applies."""
        scene = self.scene(segment=5 * BATCH)
        for _ in range(30):
            self.put(scene)
            for path in scene.names(".log"):
                self.assertLessEqual(len(scene.contents(path)), 5 * BATCH)
        scene.put(b"x" * 9 * BATCH)
        scene.turn()
        self.assertGreater(len(scene.contents(scene.names(".log")[-1])), 9 * BATCH)
        self.assertTrue(scene.contents(scene.names(".log")[-1]).rstrip(b"\0").endswith(b"x"))

    def test_they_are_there_when_what_is_appended_counts_as_durable(self) -> None:
        """The first sync makes the file's size durable, and no later one has to: what a cut leaves begins with all that was synced."""
        scene = self.scene()
        self.put(scene, 5)
        values, end = scene.values(), len(scene.contents(FIRST))
        scene.lose_power()
        self.assertEqual(len(scene.contents(FIRST)), end)
        scene.start()
        self.assertEqual((scene.values(), scene.manager.losses), (values, []))

    def test_a_closed_segment_has_none(self) -> None:
        """They are cut off before the next one has its name, durably: also after a cut there are none, and its digest is true of it."""
        scene = self.scene(segment=5 * BATCH)
        self.put(scene, 33)
        values = scene.values()
        self.assertGreater(len(scene.names(".log")), 5)
        self.assertEqual([each for each in verified(scene, live=True) if not each.harmless], [])
        scene.lose_power()
        for path in scene.names(".log")[:-1]:
            self.assertLess(len(scene.contents(path)), 6 * BATCH)
        scene.start()
        self.assertEqual((scene.values(), scene.manager.losses), (values, []))

    def test_a_stop_leaves_none(self) -> None:
        """And the mark it leaves is believed: nothing is read at the next start, and appends go on with new ones."""
        scene = self.scene()
        self.put(scene, 3)
        values, size = scene.values(), scene.log.size_bytes
        scene.stop()
        self.assertEqual(len(scene.contents(FIRST)), size)
        self.assertEqual(verified(scene), [])
        scene.start()
        self.assertFalse(scene.manager.unclean)
        self.assertEqual(scene.values(), values)
        self.put(scene)
        self.assertGreater(self.ready(scene), LEAST - PAGE)

    def test_a_kill_leaves_them_and_the_start_cuts_them_off(self) -> None:
        """They are nothing that was lost: no report, no gap, no offset passed over. A look at the files finds nothing either."""
        scene = self.scene()
        self.put(scene, 3)
        values, size = scene.values(), scene.log.size_bytes
        self.assertEqual([each for each in verified(scene, live=True) if not each.harmless], [])
        scene.die()
        self.assertGreater(len(scene.contents(FIRST)), size)
        self.assertEqual([each for each in verified(scene) if not each.harmless], [])
        scene.start()
        self.assertEqual((scene.values(), scene.manager.losses, scene.log.end_offset), (values, [], 3))
        self.assertEqual(len(scene.contents(FIRST)), size)

    def test_a_start_cuts_no_other_file(self) -> None:
        """It reads all of them after a kill; one that is changed for nothing costs a sync of its metadata."""
        scene = self.scene(segment=5 * BATCH)
        self.put(scene, 10)
        (*closed, last), calls = scene.names(".log"), len(scene.disk.log)
        self.assertGreater(len(closed), 0)
        scene.die()
        scene.start()
        self.assertEqual([call.path for call in scene.disk.log[calls:] if call.kind == "truncate"], [f"/{last}"])

    def test_a_stop_whose_cutting_off_is_lost_is_as_good(self) -> None:
        """It is not synced: with the power gone at once they may be back. The mark then says another size."""
        seen = set()
        for seed in range(20):
            scene = Scene(seed=seed, preallocate_bytes=1 << 20, segment_max_bytes=1 << 24).start()
            self.put(scene, 3)
            values, size = scene.values(), scene.log.size_bytes
            scene.stop()
            scene.lose_power()
            seen.add(len(scene.contents(FIRST)) == size)
            self.assertLessEqual({each.kind for each in verified(scene) if not each.harmless}, {Kind.INDEX})  # lost too
            scene.start()
            self.assertEqual((scene.values(), scene.manager.losses, scene.log.end_offset), (values, [], 3))
            scene.die()
        self.assertEqual(seen, {True, False})

    def test_a_stop_that_cannot_cut_them_off_is_a_stop(self) -> None:
        """The next start reads the segment."""
        scene = self.scene()
        self.put(scene, 3)
        values = scene.values()
        scene.disk.fail(errno.EIO, "trim")
        scene.stop()
        scene.start()
        self.assertEqual((scene.values(), scene.manager.losses), (values, []))

    def test_a_segment_that_cannot_be_cut_off_fails_the_log(self) -> None:
        """Its round is not done, and nobody is told that it was."""
        scene = self.scene(segment=3 * BATCH)
        scene.disk.fail(errno.EIO, "trim")
        with self.assertRaisesRegex(StorageError, "the disk failed"):
            self.put(scene, 10)
        self.flushLoggedErrors()

    def test_without_room_for_them_records_have_it(self) -> None:
        """What fits is appended, and each append asks no more than once a segment."""
        scene = self.scene(segment=20 * BATCH)
        scene.disk.capacity = 30 * BATCH
        self.put(scene, 15)
        self.assertEqual(len(scene.values()), 15)
        asked = [call for call in scene.disk.log if call.kind == "make_ready"]
        self.assertLessEqual(len(asked), 2)
        self.assertIsNone(scene.log.failure)

    def test_a_disk_that_fails_at_them_fails_the_log(self) -> None:
        """As one that fails at a record does."""
        scene = self.scene()
        scene.disk.fail(errno.EIO, "make_ready")
        scene.put(b"a")
        scene.turn()
        self.assertIsNotNone(scene.log.failure)
        self.assertEqual(scene.log.promised.value, 0)
        self.assertRaises(StorageError, scene.put, b"b")

    def test_a_cut_log_goes_on_where_it_was_cut(self) -> None:
        """A follower's: what was ready goes too, and is made anew."""
        scene = self.scene()
        self.put(scene, 10)
        scene.done(scene.log.truncate(4))
        self.assertEqual((scene.log.end_offset, self.ready(scene)), (4, 0))
        self.put(scene)
        self.assertGreater(self.ready(scene), 0)
        values = scene.values()
        scene.kill()
        self.assertEqual((scene.values(), scene.manager.losses), (values, []))

    def test_a_rolling_segment_may_have_them_too(self) -> None:
        """Killed before the round that closes the one before it: both end with zeros."""
        scene = Scene(preallocate_bytes=1 << 20, segment_max_bytes=3 * BATCH, queued=True).start()
        self.addCleanup(scene.die)
        for number in range(4):
            scene.put(b"%04d" % number * (BATCH // 4))
        names = [entry.name for entry in scene.root.child(DIRECTORY).list()]
        self.assertEqual(names[0], file_name(0))
        self.assertTrue(names[1].endswith(".log.rolling"), names)
        for path in (FIRST, f"{DIRECTORY}/{names[1]}"):
            self.assertTrue(scene.contents(path).endswith(bytes(500)), path)
        scene.die()
        scene.queued = False
        scene.start()
        self.assertEqual((sorted(scene.values()), scene.manager.losses), ([0, 1, 2, 3], []))
        self.assertFalse(scene.contents(FIRST).endswith(bytes(500)))
