"""Damage that comes while the broker runs, or that somebody hoped for: what was sound at the start is not trusted for ever."""

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from tests.storage.damage import case
from tests.storage.scene import EPOCHS, FIRST, Scene

FIELDS = {  # of a batch, where each begins
    "base offset": 0,
    "length": 8,
    "leader epoch": 12,
    "magic": 16,
    "CRC": 17,
    "attributes": 21,
    "last offset delta": 23,
    "base timestamp": 27,
    "max timestamp": 35,
    "producer id": 43,
    "producer epoch": 51,
    "base sequence": 53,
    "count": 57,
    "records": 61,
}


class WhileRunning(SynchronousTestCase):
    def filled(self, batches: int, segment_max_bytes: int) -> Scene:
        scene = Scene(segment_max_bytes=segment_max_bytes, index_interval_bytes=150).start()
        for number in range(batches):
            scene.put(*(b"%d/%d " % (number, index) + b"x" * 40 for index in range(3)), epoch=number // 2)
            scene.turn()
        return scene

    def test_a_batch_that_goes_bad_is_passed_over(self) -> None:
        """Every bit of every field, in a hot segment and in a closed one; also by the next start, which trusts a clean stop."""
        for segment in (2000, 500):
            for field, at in FIELDS.items():
                for bit in (0, 7):
                    with case(segment, field, bit):
                        scene = self.filled(5, segment)
                        left = {o: value for o, value in scene.values().items() if o not in (3, 4, 5)}
                        scene.manager._around.open_segments.close()  # so that it is read from the disk again
                        scene.flip_bit(FIRST, scene.batches()[1][0] + at, bit)
                        self.assertEqual(scene.values(), left)
                        self.assertEqual(next(record.offset for record in scene.records(4)), 6)
                        self.assertEqual(scene.restart().values(), left)
                        self.assertEqual(scene.put(b"next", epoch=3), 15)

    def test_an_index_that_goes_bad_in_memory_misleads_nobody(self) -> None:
        """An entry that points to no batch of its offset is forgotten."""
        scene = self.filled(8, 4000)
        before = scene.values()
        segment = scene.log._segments.active  # type: ignore[attr-defined]  # no other way to get at it, and a test should have none
        index = segment.index
        index._offsets[2] += 1
        index._positions[4] += 30
        self.assertEqual(scene.values(), before)
        for offset, value in before.items():
            self.assertEqual(scene.records(offset)[0].value, value)
        self.assertEqual(len(index), 5)


class Forged(SynchronousTestCase):
    """A record may hold the bytes of a whole batch, with an offset that would fit."""

    def test_what_a_client_wrote_is_never_taken_for_a_batch(self) -> None:
        """Damage around it does not set it free: not a damaged length either, as long as that is all."""
        inner = encode([b"k"], [b"forged"], 0)
        for offset in (3, 4, 5):
            forged = inner.prefix(offset, 0) + inner.body
            for field, at in FIELDS.items():
                for bit in (0, 2, 6):
                    with case(offset, field, bit):
                        scene = Scene().start()
                        for value in (b"first", b"second", b"third", b"<" + forged + forged + b">", b"fifth", b"sixth"):
                            scene.put(value)
                        scene.turn()
                        before = scene.values()
                        scene.die()
                        scene.flip_bit(FIRST, scene.batches()[3][0] + at, bit)
                        del before[3]
                        self.assertEqual(scene.start().values(), before)


class OldFiles(SynchronousTestCase):
    """A power cut may bring back what was there before."""

    def test_indexes_of_an_earlier_stop_are_found_out(self) -> None:
        """The last segment has grown since."""
        scene = Scene(segment_max_bytes=8000, index_interval_bytes=150).start()
        scene.fill(8)
        scene.restart()
        old = {p: scene.contents(p) for suffix in (".index", ".timeindex", ".digest") for p in scene.names(suffix)}
        self.assertEqual(len(old), 3)
        for number in range(8):
            scene.put(b"later %d" % number, timestamp_ms=1_800_000_000_000 + number)
            scene.turn()
        before = scene.values()
        for stop in (scene.stop, scene.die):
            stop()
            for path, data in old.items():
                scene.put_file(path, data)
            scene.start()
            self.assertEqual(scene.values(), before)
            self.assertEqual(scene.done(scene.log.offset_for(1_800_000_000_003)), (19, 1_800_000_000_003))


class TwoAtOnce(SynchronousTestCase):
    def test_a_lost_epoch_file_and_a_flipped_epoch_cost_one_batch_at_most(self) -> None:
        """Whichever batch it is, and whichever bit: the epochs are what most of the batches say."""
        for number in range(6):
            for bit in (0, 3, 6):
                with case(number, bit):
                    scene = Scene().start()
                    for batch in range(6):
                        scene.put(b"%d" % batch, b"x", epoch=batch // 2)
                    scene.turn()
                    before = scene.values()
                    scene.die()
                    scene.lose(EPOCHS)
                    scene.flip_bit(FIRST, scene.batches()[number][0] + 12, bit)
                    found = scene.start().values()
                    self.assertEqual({o: value for o, value in before.items() if o in found}, found)
                    self.assertLessEqual(len(before) - len(found), 2)
                    again = scene.kill().values()
                    self.assertLessEqual(len(before) - len(again), 2)
