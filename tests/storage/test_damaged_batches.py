"""What disks do to record batches without being asked: cuts, flipped bits, zeros, whole segments gone.

Each row of each table is done to a log that was stopped, killed, and killed before any checkpoint was written. The model disk stands
for the medium: damage is what it holds from then on. What must hold is :meth:`tests.storage.damage.Patient.recovers`.
"""

import struct

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.damage import ENDINGS, Patient, case, killed, killed_at_once, killed_ready, stopped

# Of a record batch, Kafka's names: the first byte of each and how many there are.
FIELDS = {
    "baseOffset": (0, 8),
    "batchLength": (8, 4),
    "partitionLeaderEpoch": (12, 4),
    "magic": (16, 1),
    "crc": (17, 4),
    "attributes": (21, 2),
    "lastOffsetDelta": (23, 4),
    "baseTimestamp": (27, 8),
    "maxTimestamp": (35, 8),
    "producerId": (43, 8),
    "producerEpoch": (51, 2),
    "baseSequence": (53, 4),
    "recordsCount": (57, 4),
}
LENGTH_AT, HEADER = 8, 61
# The first bytes of a batch are zeros, as long as offsets fit into the eighth of them: a file that ends with these looks as one
# that had grown when the power went, and whose bytes never came. Nothing in it says that an offset was given.
CLAIMS_NOTHING = 8
FORGETFUL = (killed_at_once, killed_ready)  # nothing but the last file tells that there was a last batch


class Tails(SynchronousTestCase):
    def test_a_cut_at_any_byte_of_the_last_batch_costs_that_batch(self) -> None:
        """What is left of it is cut off and reported; its offsets are passed over, also where nothing is left of it."""
        for ending in ENDINGS:
            patient = Patient(ending, value=10, batches=6)
            first, after, path, start, end = patient.batches[-1]
            torn = end - start - (ending is killed_ready)  # a batch ends with a zero
            for kept in range(CLAIMS_NOTHING if ending in FORGETFUL else 0, torn):
                with case(ending.__name__, kept):
                    patient.scene.tear(path, start + kept)
                    patient.recovers(range(first, after), lives=1)
                    patient.again()

    def test_a_tail_of_which_nothing_is_left_does_no_harm(self) -> None:
        """Killed before any checkpoint, and the last batch gone but for zeros at most: nothing tells that it was there."""
        patient = Patient(killed_at_once, value=10, batches=6)
        first, after, path, start, _ = patient.batches[-1]
        for kept in range(CLAIMS_NOTHING):
            with case(kept):
                patient.scene.tear(path, start + kept)
                scene = patient.scene.start()
                due = {offset: value for offset, value in patient.known.items() if not first <= offset < after}
                self.assertEqual((scene.values(), scene.log.end_offset), (due, first))
                self.assertEqual(scene.manager.losses, [])
                scene.put(b"next", epoch=patient.epoch + 1)  # a leader's epoch tells the two histories apart
                scene.turn()
                self.assertEqual(scene.log.end_offset_for_epoch(patient.epoch), (patient.epoch, first))
                patient.again()

    def test_a_cut_through_several_batches_costs_those(self) -> None:
        """However much of the last segment is missing, the recovery point or the mark tells what was there."""
        for ending in (stopped, killed):
            patient = Patient(ending)
            *_, path, _, size = patient.batches[-1]
            for missing in (size, size - 1, size - HEADER, size // 2):
                with case(ending.__name__, missing):
                    lost = {
                        offset
                        for first, after, name, _, end in patient.batches
                        for offset in range(first, after)
                        if name == path and end > size - missing
                    }
                    patient.scene.shorten(path, missing)
                    patient.recovers(lost, lives=3)
                    patient.again()

    def test_what_was_never_a_batch_at_the_end_costs_nothing(self) -> None:
        """Zeros, noise, text, half a header."""
        for ending in ENDINGS:
            patient = Patient(ending)
            path = patient.batches[-1][2]
            head = patient.scene.contents(path)[:HEADER]
            for size in (1, 7, 61, 4096, 70_000):
                for tail in (bytes(size), b"\xff" * size, (b"GET / HTTP/1.0\r\n" * size)[:size], head[:size]):
                    with case(ending.__name__, size, tail[:8]):
                        patient.scene.lengthen(path, tail)
                        patient.recovers(lives=3)
                        patient.again()

    def test_a_copy_of_a_batch_at_the_end_is_not_served(self) -> None:
        """A block written to the wrong place: sound in itself, but not what is due there."""
        for ending in ENDINGS:
            patient = Patient(ending)
            path, (_, _, other, start, end) = patient.batches[-1][2], patient.batches[3]
            with case(ending.__name__):
                patient.scene.lengthen(path, patient.scene.contents(other)[start:end])
                patient.recovers(lives=3)


class Middles(SynchronousTestCase):
    def test_a_damaged_byte_of_any_field_costs_that_batch(self) -> None:
        """In a closed segment, the first, a middle and the last batch of it, and in the active one: all others are served."""
        for ending in ENDINGS:
            patient = Patient(ending)
            for number in (3, 4, 5, 18):
                first, after, path, start, _ = patient.batches[number]
                for field, (at, size) in FIELDS.items():
                    for byte in {at, at + size - 1}:
                        with case(ending.__name__, number, field, byte):
                            patient.scene.flip_byte(path, start + byte)
                            patient.recovers(range(first, after), lives=1)
                            patient.again()

    def test_a_damaged_byte_of_the_records_costs_that_batch(self) -> None:
        """Every byte after the header."""
        for ending in ENDINGS:
            patient = Patient(ending, value=10)
            first, after, path, start, end = patient.batches[9]
            for byte in range(start + HEADER, end):
                with case(ending.__name__, byte - start):
                    patient.scene.flip_byte(path, byte)
                    patient.recovers(range(first, after), lives=1)
                    patient.again()

    def test_no_flipped_bit_is_ever_served(self) -> None:
        """Every bit of three batches: in the middle of the log, where an epoch begins, and the last one."""
        flips = 0
        for ending in ENDINGS:
            patient = Patient(ending, records=1, value=0, batches=10)
            for number in {stopped: (4,), killed: (8,), killed_at_once: (9,), killed_ready: (9,)}[ending]:
                first, after, path, start, end = patient.batches[number]
                for byte in range(start, end):
                    for bit in range(8):
                        with case(ending.__name__, number, byte - start, bit):
                            patient.scene.flip_bit(path, byte, bit)
                            patient.recovers(range(first, after), lives=0)
                            patient.again()
                            flips += 1
        self.assertGreater(flips, 1600)

    def test_a_wrong_length_costs_that_batch(self) -> None:
        """Huge, negative, nothing, a little less, a little more, as far as the end of the file."""
        for ending in ENDINGS:
            patient = Patient(ending)
            for number in (7, 18, 19):
                first, after, path, start, end = patient.batches[number]
                rest = len(patient.scene.contents(path)) - start - 12
                true = end - start - 12
                for length in {
                    0x7FFFFFFF,
                    0x04000000,
                    0x00FFFFFF,
                    rest,
                    rest + 1,
                    -1,
                    -(1 << 31),
                    0,
                    true - 1,
                    true + 1,
                }:
                    if length == true:
                        continue  # the last batch does reach as far as the end
                    with case(ending.__name__, number, length):
                        patient.scene.disk.overwrite(path, start + LENGTH_AT, struct.pack(">i", length))
                        patient.recovers(range(first, after), lives=3)
                        patient.again()

    def test_several_places_are_each_reported(self) -> None:
        """Two batches of one segment, one of another, one at the end."""
        for ending in ENDINGS:
            patient = Patient(ending)
            lost: set[int] = set()
            for number in (3, 5, 10, 19):
                first, after, path, start, _ = patient.batches[number]
                patient.scene.flip_byte(path, start + 70)
                lost.update(range(first, after))
            with case(ending.__name__):
                patient.recovers(lost, lives=3)

    def test_what_follows_a_long_stretch_of_damage_is_found(self) -> None:
        """Longer than what is read at a time: none of the sound batches behind it is taken for a torn tail."""
        for ending in ENDINGS:
            patient = Patient(ending, records=1, value=900_000, batches=6, segment=1 << 24)
            path, start = patient.batches[1][2:4]
            for end in (start + 1_500_000, start + 2_200_000):
                patient.scene.disk.overwrite(path, start, bytes(range(1, 251)) * ((end - start) // 250))
                lost = {first for first, _, _, batch_start, _ in patient.batches if start <= batch_start < end}
                with case(ending.__name__, end):
                    patient.recovers(lost, lives=1)
                    patient.again()

    def test_a_zeroed_stretch_costs_the_batches_it_touches(self) -> None:
        """As a lost page: from the middle of one batch to the middle of the next."""
        for ending in ENDINGS:
            patient = Patient(ending)
            first, _, path, start, end = patient.batches[7]
            patient.scene.disk.overwrite(path, start + 40, bytes(end - start))
            with case(ending.__name__):
                patient.recovers(range(first, patient.batches[8][1]), lives=3)


class WholeSegments(SynchronousTestCase):
    def test_a_lost_segment_costs_what_it_held(self) -> None:
        """The first, one in the middle, two neighbours, the last, all of them."""
        for ending in ENDINGS:
            patient = Patient(ending)
            logs = patient.scene.names(".log")
            tables = [logs[:1], logs[:3], logs[3:4], logs[2:4], logs[1:2] + logs[4:5]]
            if ending not in FORGETFUL:  # then nothing but the file told that there was a last one
                tables += [logs[-1:], logs[-2:], logs[:1] + logs[-1:], logs]
            for gone in tables:
                with case(ending.__name__, gone):
                    for path in gone:
                        patient.scene.lose(path)
                    patient.recovers(set().union(*map(patient.offsets_in, gone)), lives=3)
                    patient.again()

    def test_an_emptied_segment_costs_what_it_held(self) -> None:
        """The file is there, and nothing in it, or nothing but zeros."""
        for ending in ENDINGS:
            patient = Patient(ending)
            logs = patient.scene.names(".log")
            for path in logs[: -1 if ending in FORGETFUL else None]:
                for content in (b"", bytes(len(patient.scene.contents(path)))):
                    with case(ending.__name__, path, content[:1]):
                        patient.scene.put_file(path, content)
                        patient.recovers(patient.offsets_in(path), lives=3)
                        patient.again()

    def test_a_segment_with_the_content_of_another_is_not_served(self) -> None:
        """A restore gone wrong: sound batches in a file of another name."""
        for ending in (stopped, killed):
            patient = Patient(ending)
            logs = patient.scene.names(".log")
            for path, other in ((logs[0], logs[2]), (logs[3], logs[1]), (logs[2], logs[3]), (logs[-1], logs[0])):
                with case(ending.__name__, path, other):
                    patient.scene.put_file(path, patient.scene.contents(other))
                    patient.recovers(patient.offsets_in(path), lives=3)
                    patient.again()

    def test_a_lost_directory_is_reported(self) -> None:
        """The log is there in name and holds nothing; it goes on at offsets never used."""
        for ending in (stopped, killed):
            patient = Patient(ending)
            with case(ending.__name__):
                patient.scene.lose("orders-0")
                patient.recovers(patient.known, lives=3)
