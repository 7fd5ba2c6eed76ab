"""What lies beside the record batches is lost, cut short, garbage, another's or a lie: no record is lost by that, and none misplaced."""

import struct
from collections.abc import Iterable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from flux.storage.checkpoint import render
from tests.storage.damage import ENDINGS, Patient, case, killed, stopped
from tests.storage.scene import DIRECTORY, EPOCHS, GAPS

EPOCHS_CRC = EPOCHS + ".crc32c"
POINTS, STARTS, CLEAN = "recovery-points.json", "log-start-offsets.json", "clean-shutdown"
NAME = DIRECTORY


def worse(content: bytes) -> Iterable[bytes]:
    """What becomes of a small file."""
    yield b""
    yield content[: len(content) // 2]
    yield content[:-1]
    yield bytes(len(content))
    yield b"\xff\x00garbage\n" * 20
    yield content + content
    yield content[:-3] + bytes([content[-3] ^ 1]) + content[-2:] if len(content) > 3 else b"x"


class Beside(SynchronousTestCase):
    def spoil(self, patient: Patient, path: str, name: str, others: Sequence[bytes] = ()) -> None:
        """Do all of that to one file, and lose it, and put *others* in its place; nothing is lost by it."""
        content = patient.scene.contents(path)
        with case(name, path, "lost"):
            patient.scene.lose(path)
            patient.recovers(lives=3)
            patient.again()
        for number, spoiled in enumerate([*worse(content), *others]):
            with case(name, path, number, spoiled[:80]):
                patient.scene.put_file(path, spoiled)
                patient.recovers(lives=3)
                patient.again()

    def test_indexes_and_digests_are_hints(self) -> None:
        """Each of them, of the first, a middle and the last segment: every lookup by offset and by time is right."""
        for ending in ENDINGS:
            patient = Patient(ending, batches=12)
            for suffix in (".index", ".timeindex", ".digest"):
                paths = patient.scene.names(suffix)
                for path in {paths[0], paths[len(paths) // 2], paths[-1]}:
                    others = [patient.scene.contents(other) for other in paths if other != path][:2]
                    self.spoil(patient, path, ending.__name__, others)

    def test_all_hints_at_once_may_be_gone(self) -> None:
        """Or be those of another segment, all three together."""
        for ending in ENDINGS:
            patient = Patient(ending)
            with case(ending.__name__):
                patient.scene.lose_hints()
                patient.recovers(lives=3)
                patient.again()
                for suffix in (".index", ".timeindex", ".digest"):
                    first, second = patient.scene.names(suffix)[1:3]
                    patient.scene.put_file(first, patient.scene.contents(second))
                patient.recovers(lives=3)

    def test_well_formed_indexes_that_lie_mislead_nobody(self) -> None:
        """Ascending, within the file, and wrong."""
        for ending in ENDINGS:
            patient = Patient(ending)
            index, times = patient.scene.names(".index")[2], patient.scene.names(".timeindex")[2]
            with case(ending.__name__):
                patient.scene.put_file(index, struct.pack(">4I", 1, 100, 5, 300))
                patient.scene.put_file(times, struct.pack(">qiqi", 1, 1, 1_900_000_000_000, 5))
                patient.recovers(lives=3)

    def test_the_epoch_file_is_rebuilt_from_the_batches(self) -> None:
        """It or its CRC: the epochs are what they were."""
        for ending in ENDINGS:
            patient = Patient(ending)
            self.spoil(patient, EPOCHS, ending.__name__, [b"0\n1\n7 0\n", b"0\n2\n0 0\n1 3\n"])
            self.spoil(patient, EPOCHS_CRC, ending.__name__)
            for path in (EPOCHS, EPOCHS_CRC):
                patient.scene.lose(path)
                log = patient.scene.start().log
                self.assertEqual([log.end_offset_for_epoch(epoch) for epoch in range(3)], [(0, 16), (1, 28), (2, 40)])
                patient.again()

    def test_the_memory_of_gaps_may_be_lost(self) -> None:
        """They are in the files' names: no gap is forgotten, no record is lost."""
        for ending in ENDINGS:
            patient = Patient(ending)
            gone = patient.scene.names(".log")[2]
            lost = patient.offsets_in(gone)
            patient.scene.lose(gone)
            patient.recovers(lost, lives=1)
            patient.scene.die()
            patient.known.update(patient.scene.start().values())
            patient.scene.die()
            gapped = patient.now()
            content = patient.scene.contents(GAPS)
            for number, spoiled in enumerate(worse(content)):
                with case(ending.__name__, number):
                    patient.scene.put_file(GAPS, spoiled)
                    patient.recovers(lost, lives=3, reported=False)
                    patient.again(gapped)
            patient.scene.lose(GAPS)
            patient.recovers(lost, lives=3, reported=False)

    def test_checkpoints_may_be_lost(self) -> None:
        """Either, and the one before it as well: more is read, and what was forgotten may be back, nothing else changes."""
        for ending in ENDINGS:
            patient = Patient(ending, start=9)
            for name in (POINTS, STARTS):
                files = [entry.name for entry in patient.scene.root.list() if entry.name.startswith(name)]
                self.assertTrue(files or name == POINTS)
                for path in files:
                    self.spoil(patient, path, ending.__name__)
                for spoiled in (b"", b"garbage" * 9):
                    with case(ending.__name__, name, spoiled):
                        for path in files:
                            patient.scene.put_file(path, spoiled)
                        patient.recovers(lives=3)
                        patient.again()

    def test_a_recovery_point_of_another_log_costs_no_record(self) -> None:
        """Sound in itself, and too high or too low: offsets may be passed over, and nothing is given twice."""
        for ending in ENDINGS:
            patient = Patient(ending)
            for point in (0, 1, 13, 39, 40, 41, 10_000):
                with case(ending.__name__, point):
                    patient.scene.put_file(POINTS, render({NAME: point}))
                    patient.recovers(lives=3)
                    patient.again()

    def test_a_start_beyond_the_end_is_reported(self) -> None:
        """A sound checkpoint of another log: its records are not served, but kept, and offsets go on above."""
        for ending in ENDINGS:
            patient = Patient(ending)
            patient.scene.put_file(STARTS, render({NAME: 50}))
            logs = patient.scene.names(".log")
            with case(ending.__name__):
                scene = patient.scene.start()
                self.assertEqual([(loss.first, loss.next) for _, loss in scene.manager.losses], [(40, 50)])
                self.assertEqual((scene.values(), scene.put(b"next", epoch=patient.epoch)), ({}, 50))
                self.assertEqual(scene.names(".log")[: len(logs)], logs)
                scene.turn()
                self.assertEqual(scene.kill().values(), {50: b"next"})
                self.assertEqual(scene.manager.losses, [])


class TheMark(SynchronousTestCase):
    def test_a_clean_mark_that_lies_is_not_believed(self) -> None:
        """Another end, another last segment, another size, of another log, of an older stop: nothing is lost, no offset given twice."""
        for ending in ENDINGS:
            patient = Patient(ending)
            last = patient.scene.names(".log")[-1]
            base, size = patient.batches[-2][0], len(patient.scene.contents(last))
            for end in (
                (40, base, size - 1),
                (40, base, 0),
                (38, base, size),
                (38, base, size // 2),
                (99, base, size),
                (40, 0, size),
                (40, 30, size),
                (0, 0, 0),
                (40, -1, -1),
                (-1, base, size),
                (1 << 40, base, 1 << 40),
            ):
                with case(ending.__name__, end):
                    patient.scene.put_file(CLEAN, render({NAME: list(end)}))
                    patient.recovers(lives=3)
                    patient.again()

    def test_a_mark_that_cannot_be_read_is_no_mark(self) -> None:
        """Then every log is checked."""
        shapes = (
            render([]),
            render({NAME: 5}),
            render({NAME: [1]}),
            render({NAME: None}),
            render(None),
            render({"x": []}),
        )
        for ending in ENDINGS:
            patient = Patient(ending)
            good = render({NAME: [40, 36, 578]})
            for content in [*worse(good), *shapes]:
                with case(ending.__name__, content):
                    patient.scene.put_file(CLEAN, content)
                    patient.recovers(lives=3)
                    patient.again()

    def test_a_mark_over_damage_does_not_hide_it(self) -> None:
        """Stopped cleanly, then damaged: the batch is not served, and the reader is told."""
        patient = Patient(stopped)
        first, after, path, start, _ = patient.batches[-1]
        patient.scene.flip_byte(path, start + 90)
        patient.recovers(range(first, after))


class Strays(SynchronousTestCase):
    def test_what_is_not_ours_is_left_alone(self) -> None:
        """Files and directories, in the data directory and in a log's own."""
        files = ("notes.txt", ".hidden", "0.log", "1" * 19 + ".log", "9" * 20 + ".log", "x" * 20 + ".log", "core")
        for ending in (stopped, killed):
            patient = Patient(ending)
            for above in ("", f"{DIRECTORY}/"):
                for name in files:
                    with case(ending.__name__, above + name):
                        patient.scene.put_file(above + name, b"mine")
                        patient.recovers(lives=3)
                        self.assertEqual(patient.scene.contents(above + name), b"mine")
                        patient.again()
                for name in (
                    "lost+found",
                    "orders-",
                    "-1",
                    "orders-01",
                    "orders-x",
                    f"{7:020d}.log",
                    f"{4:020d}.index",
                ):
                    with case(ending.__name__, above + name + "/"):
                        patient.scene.put_file(f"{above}{name}/inside", b"mine")
                        patient.recovers(lives=3)
                        self.assertEqual(patient.scene.contents(f"{above}{name}/inside"), b"mine")
                        self.assertEqual(patient.scene.manager.existing(), patient.scene.tps)
                        patient.again()

    def test_leftovers_of_ours_are_cleared_away(self) -> None:
        """Of a replacement, a removal or a segment that were interrupted."""
        for ending in ENDINGS:
            patient = Patient(ending)
            for name in (
                f"{0:020d}.log.deleted",
                f"{6:020d}.index.now",
                f"{3:020d}.index",
                f"{3:020d}.digest",
                "gaps.json.new",
            ):
                with case(ending.__name__, name):
                    patient.scene.put_file(f"{DIRECTORY}/{name}", b"left over")
                    patient.recovers(lives=3)
                    patient.again()
