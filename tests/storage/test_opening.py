"""A directory becomes a log again: what is trusted, what is checked, what is cut, and what it costs."""

import errno

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import FsyncMode, TopicPartition
from flux.storage.findings import Kind
from tests.storage.damage import case
from tests.storage.scene import DIRECTORY, EPOCHS, FIRST, TP, Scene
from tests.storage.test_verification import verified

_MOST_RECORDS = 1 << 20


class Cost(SynchronousTestCase):
    def test_a_new_log_waits_for_no_sync(self) -> None:
        """A topic is created while others are served."""
        scene = Scene().start()
        calls = scene.disk.calls
        scene.open(TopicPartition("new", 0))
        kinds = [call.kind for call in scene.disk.log[calls:]]
        self.assertNotIn("datasync", kinds)
        self.assertNotIn("sync", kinds)
        self.assertLess(len(kinds), 8)

    def test_a_clean_start_reads_no_batches(self) -> None:
        """One small file for each closed segment, the indexes of the last."""
        scene = Scene(segment_max_bytes=500).start()
        scene.fill(20)
        scene.stop()
        closed = len(scene.names(".log")) - 1
        self.assertGreater(closed, 8)
        calls = scene.disk.calls
        scene.start()
        made = scene.disk.log[calls:]
        self.assertFalse([call for call in made if call.kind == "read_at" and call.path.endswith(".log")])
        self.assertFalse([call for call in made if call.kind in ("datasync", "drop_cache")])
        self.assertEqual(
            len([call for call in made if call.path.endswith("digest") and call.kind == "open"]), closed + 1
        )
        self.assertEqual(len([call for call in made if call.path.endswith("index") and call.kind == "open"]), 2)

    def test_a_mark_that_is_not_believed_leaves_nothing_open(self) -> None:
        """The segment is opened again, for checking."""
        scene = Scene().start()
        scene.fill(3)
        scene.stop()
        scene.lose_hints()
        scene.start()
        self.assertEqual((len(scene.disk.opened), scene.manager.losses), (1, []))

    def test_an_unclean_start_reads_what_the_recovery_point_does_not_cover(self) -> None:
        """From the medium, and it is durable before anything is served."""
        scene = Scene(FsyncMode.NEVER, segment_max_bytes=500).start()
        scene.fill(20)
        scene.die()
        calls = scene.disk.calls
        scene.start()
        dropped = [call.path for call in scene.disk.log[calls:] if call.kind == "drop_cache"]
        self.assertEqual(dropped, ["/" + path for path in scene.names(".log")])
        self.assertEqual(scene.log.flushed.value, 40)


class Leftovers(SynchronousTestCase):
    def test_what_a_crash_left_over_goes(self) -> None:
        """A removal or a replacement that was interrupted, and what belongs to a segment that is gone."""
        for clean in (True, False):
            scene = Scene().start()
            before = scene.fill(3)
            scene.stop() if clean else scene.die()
            left = [
                f"{4:020d}.digest",
                f"{4:020d}.index",
                f"{0:020d}.log.deleted",
                f"{0:020d}.index.now",
                f"{2:020d}.digest.new",
            ]
            for name in left:
                scene.put_file(f"{DIRECTORY}/{name}", b"left")
            self.assertEqual(scene.start().values(), before)
            self.assertFalse({f"{DIRECTORY}/{name}" for name in left} & set(scene.names()))


class Tails(SynchronousTestCase):
    def torn(self) -> Scene:
        scene = Scene().start()
        for number in range(4):
            scene.put(b"%d" % number, b"two")
        scene.turn()
        scene.die()
        scene.shorten(FIRST, 4)
        return scene

    def test_a_torn_tail_is_cut(self) -> None:
        """What the torn batch says it took is passed over; the log goes on in a new file, for within a file offsets are dense."""
        scene = self.torn().start()
        self.assertEqual(list(scene.values()), [0, 1, 2, 3, 4, 5])
        self.assertEqual(scene.put(b"next", epoch=1), 8)
        self.assertEqual(scene.names(".log"), [FIRST, f"{DIRECTORY}/{8:020d}.log"])
        self.assertEqual(len(scene.contents(FIRST)), scene.batches()[-1][1])
        scene.turn()
        self.assertEqual(scene.kill().manager.losses, [])
        self.assertEqual(list(scene.values()), [0, 1, 2, 3, 4, 5, 8])

    def test_on_a_full_disk_it_stays(self) -> None:
        """The gap could not be written down, and the torn bytes tell of it: no offset is given twice, whatever comes."""
        for again in ("kill", "cut", "restart"):
            with case(again):
                scene = self.torn()
                size = len(scene.contents(FIRST))
                scene.disk.fail(errno.ENOSPC, "append", times=None)
                scene.start()
                self.assertEqual((len(scene.contents(FIRST)), scene.log.end_offset), (size, 8))
                self.assertEqual(list(scene.values()), [0, 1, 2, 3, 4, 5])
                scene.disk.heal()
                getattr(scene, again)()
                self.assertEqual(scene.put(b"next", epoch=1), 8)
                scene.turn()
                self.assertEqual(list(scene.kill().values()), [0, 1, 2, 3, 4, 5, 8])

    def test_a_log_that_was_nothing_but_a_torn_batch(self) -> None:
        """Its start stays where it was."""
        scene = Scene().start()
        scene.put(b"a", b"b")
        scene.die()
        scene.shorten(FIRST, 3)
        scene.start()
        self.assertEqual((scene.log.start_offset, scene.log.end_offset, scene.values()), (0, 2, {}))
        scene.put(b"c", epoch=1)
        scene.turn()
        for again in (scene.kill, scene.cut, scene.restart):
            again()
            self.assertEqual((scene.log.start_offset, scene.values()), (0, {2: b"c"}))


class Rolling(SynchronousTestCase):
    """A segment under its provisional name: its predecessor may not be durable."""

    def rolled(self, *, queued: bool = True) -> Scene:
        scene = Scene(FsyncMode.NEVER, queued=queued, segment_max_bytes=300).start()
        for number in range(3):
            scene.put(b"%d" % number * 150)
        self.assertEqual(len(scene.names(".rolling")), 2)
        return scene

    def test_it_is_adopted_after_a_kill(self) -> None:
        """It goes on where the one before ends."""
        scene = self.rolled().kill()
        self.assertEqual(list(scene.values()), [0, 1, 2])
        self.assertEqual((scene.names(".rolling"), scene.manager.losses), ([], []))
        self.assertEqual(scene.put(b"next"), 3)

    def test_it_is_dropped_when_the_one_before_is_not_whole(self) -> None:
        """And those behind it; it is reported, and its offsets are not given again."""
        scene = self.rolled()
        scene.die()
        scene.disk.overwrite(FIRST, 0, bytes(len(scene.contents(FIRST))))
        scene.start()
        self.assertEqual((scene.values(), scene.names(".rolling")), ({}, []))
        self.assertEqual(scene.put(b"next", epoch=1), 3)
        self.assertEqual(sum("did not become durable" in loss.why for _, loss in scene.manager.losses), 2)

    def test_what_is_torn_in_one_that_is_dropped_is_not_given_again(self) -> None:
        """Also if nothing but its torn end tells of it; a verification says the same."""
        scene = self.rolled()
        scene.die()
        scene.disk.overwrite(FIRST, 0, bytes(len(scene.contents(FIRST))))
        scene.shorten(scene.names(".rolling")[-1], 10)
        foreseen = [each.next for each in verified(scene) if each.kind is Kind.UNFINISHED]
        scene.start()
        told = [loss.next for _, loss in scene.manager.losses if "did not become durable" in loss.why]
        self.assertEqual((foreseen, told), ([2, 3], [2, 3]))
        self.assertEqual(scene.put(b"next", epoch=1), 3)

    def test_it_is_adopted_behind_what_a_failed_write_left(self) -> None:
        """The bytes were cut off, but the power went before that was durable: what came next is in the new file."""
        scene = self.rolled()
        scene.die()
        scene.lengthen(FIRST, scene.contents(FIRST)[:100])
        scene.start()
        self.assertEqual(list(scene.values()), [0, 1, 2])
        self.assertEqual(scene.put(b"next"), 3)

    def test_over_a_gap_it_says_what_it_follows(self) -> None:
        """Else it would count as the survivor of a lost one."""
        scene = Scene(FsyncMode.NEVER, queued=True).start()
        first, second = Scene().start(), Scene().start()
        first.put(b"a")
        second.put(b"b")
        scene.log.append_as_follower(first.read(0))
        data = bytearray(second.read(0))
        data[7] = 9
        scene.log.append_as_follower(bytes(data))
        self.assertEqual(scene.names(".rolling-1"), [f"{DIRECTORY}/{9:020d}.log.rolling-1"])
        self.assertEqual(scene.kill().values(), {0: b"a", 9: b"b"})


class Refusing(SynchronousTestCase):
    def test_a_log_that_cannot_be_opened_leaves_nothing_open(self) -> None:
        """At whichever call it fails; the next try finds everything."""
        for clean in (True, False):
            reference = self.filled(clean)
            reference.prepare().startService()
            calls = reference.disk.calls
            reference.open(TP)
            for call in range(1, reference.disk.calls - calls + 1):
                with case(clean, call, reference.disk.log[calls + call - 1]):
                    scene = self.filled(clean)
                    scene.prepare().startService()
                    scene.disk.fail(errno.EIO, nth=call)
                    try:
                        scene.open(TP)
                    except StorageError:
                        self.assertEqual(len(scene.disk.opened), 0)
                        scene.disk.heal()
                        scene.open(TP)
                    scene.disk.heal()
                    self.assertEqual(len(scene.values()), 16)

    def filled(self, clean: bool) -> Scene:
        scene = Scene(segment_max_bytes=600).start()
        scene.fill(8)
        scene.stop() if clean else scene.die()
        return scene

    def test_epochs_that_cannot_be_kept_are_not_believed_later(self) -> None:
        """The disk is full while recovery cuts them: what is left of the file must not call the next batches damaged."""
        scene = Scene(FsyncMode.NEVER).start()
        scene.put(b"a", epoch=1)
        scene.put(b"b", epoch=7)
        scene.die()
        scene.shorten(FIRST, 3)
        scene.disk.fail(errno.ENOSPC, "append", times=None)
        scene.start()
        scene.disk.heal()
        self.assertEqual(scene.log.last_epoch, 1)
        self.assertFalse([path for path in scene.names() if path == EPOCHS + ".crc32c"])
        scene.put(b"c", epoch=1)
        scene.turn()
        self.assertEqual(list(scene.kill().values().values()), [b"a", b"c"])

    def test_epochs_without_a_segment_are_replaced(self) -> None:
        """A power cut took the log and left them, whole or not: the next start has nothing to say about them."""
        for whole in (True, False):
            scene = Scene(FsyncMode.NEVER).start()
            scene.put(b"a", epoch=5)
            scene.die()
            scene.lose(FIRST)
            if not whole:
                scene.flip_byte(EPOCHS, 4)
            scene.start().restart()
            self.assertEqual((scene.manager.losses, scene.log.last_epoch), ([], -1))
