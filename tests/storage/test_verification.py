"""What a verification says of a damaged log: each kind of damage by name, with its file, its bytes and its offsets."""

import errno
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import CodecMissing, CorruptBatch
from flux.storage.checkpoint import render
from flux.storage.claims import Claims, SmallFiles
from flux.storage.epoch_file import write_epochs
from flux.storage.epochs import EpochCache
from flux.storage.existing import leftovers, logs_in, missing_logs
from flux.storage.findings import Finding, Kind
from flux.storage.segment import file_name
from flux.storage.segments import rolling_name
from flux.storage.verification import Verification
from tests.storage.damage import ENDINGS, Patient, case, killed, killed_at_once, stopped
from tests.storage.scene import DIRECTORY, EPOCHS, GAPS, READY, Scene

CRC_COVERS = 70  # a byte of a batch's records


def verified(scene: Scene, *, live: bool = False) -> list[Finding]:
    """All that is said of the scene's data directory."""
    small = SmallFiles(scene.root)
    claims = small.claims()
    found = [*small.findings, *missing_logs(scene.root, claims), *leftovers(scene.root)]
    for tp in logs_in(scene.root):
        log = Verification(str(tp), scene.root.child(str(tp)), claims.of(str(tp)), live=live)
        found += log.findings()
    return found


def damage(scene: Scene) -> list[tuple[Kind, str, int | None, int | None, str]]:
    """Of what is not harmless: kind, file, bytes and offsets."""
    return [
        (found.kind, found.file, found.position, found.size_bytes, found.offsets)
        for found in verified(scene)
        if not found.harmless
    ]


class Verifications(SynchronousTestCase):
    def patient(self, ending: Callable[[Scene], None]) -> Patient:
        """A log of seven segments of three batches of two records, the last of two."""
        patient = Patient(ending)
        self.addCleanup(patient.scene.die)
        return patient

    def test_a_log_that_nothing_happened_to_is_clean(self) -> None:
        """However the last run ended, and what was read is counted."""
        for ending in ENDINGS:
            with case(ending.__name__):
                scene = self.patient(ending).scene
                self.assertEqual(verified(scene), [])
                claims = SmallFiles(scene.root).claims().of(DIRECTORY)
                seen: list[int] = []
                log = Verification(DIRECTORY, scene.root.child(DIRECTORY), claims, progress=seen.append)
                list(log.findings())
                sizes = sum(len(scene.contents(path).removesuffix(READY)) for path in scene.names(".log"))
                counts = (log.segments, log.batches, log.records, log.size_bytes, log.end_offset, sum(seen))
                self.assertEqual(counts, (7, 20, 40, sizes, 40, sizes))

    def test_each_damage_is_named_with_its_place(self) -> None:
        """Done to a log that was killed; nothing else is claimed."""
        patient = self.patient(killed)
        scene, batches = patient.scene, patient.batches
        first, after, path, start, end = batches[4]  # the second of the second segment
        last_first, _, last, last_start, last_end = batches[-1]
        name, last_name = path.split("/")[1], last.split("/")[1]
        next_base = int(batches[6][2].split("/")[1][:20])
        digest, index, times = (path.replace(".log", suffix) for suffix in (".digest", ".index", ".timeindex"))
        points, starts = "recovery-points.json", "log-start-offsets.json"
        batch = (Kind.BATCH, name, start, end - start, f"{first}-{after - 1}")
        no_place = (None, None, "")
        rows: list[tuple[str, Callable[[], object], list[tuple[object, ...]]]] = [
            ("a byte of a record", lambda: scene.flip_byte(path, start + CRC_COVERS), [batch]),
            ("a bit of the offset", lambda: scene.flip_bit(path, start + 7), [batch]),
            ("a bit of the epoch", lambda: scene.flip_bit(path, start + 15), [batch]),
            ("a bit of the length", lambda: scene.flip_bit(path, start + 11), [batch]),
            (
                "a torn tail",
                lambda: scene.shorten(last, 10),
                [(Kind.TORN_TAIL, last_name, last_start, last_end - last_start - 10, f"{last_first}-{last_first + 1}")],
            ),
            (
                "the end of a closed segment",
                lambda: scene.shorten(path, 10),
                [
                    (Kind.INDEX, digest.split("/")[1], *no_place),
                    (
                        Kind.BATCH,
                        name,
                        batches[5][3],
                        batches[5][4] - batches[5][3] - 10,
                        f"{batches[5][0]}-{batches[5][1] - 1}",
                    ),
                ],
            ),
            (
                "a segment",
                lambda: scene.lose(path),
                [(Kind.GAP, file_name(next_base), None, None, f"{batches[3][0]}-{next_base - 1}")],
            ),
            ("the first segment", lambda: scene.lose(batches[0][2]), [(Kind.GAP, name, None, None, "0-5")]),
            ("the last segment", lambda: scene.lose(last), [(Kind.CHECKPOINT, points, None, None, "36-39")]),
            ("the directory", lambda: scene.lose(DIRECTORY), [(Kind.GAP, "", None, None, "0-39")]),
            ("a digest", lambda: scene.lose(digest), [(Kind.INDEX, digest.split("/")[1], *no_place)]),
            ("a byte of a digest", lambda: scene.flip_byte(digest, 60), [(Kind.INDEX, digest.split("/")[1], *no_place)]),
            ("an index", lambda: scene.lose(index), [(Kind.INDEX, index.split("/")[1], *no_place)]),
            ("a byte of an index", lambda: scene.flip_byte(index, 3), [(Kind.INDEX, index.split("/")[1], *no_place)]),
            ("a time index", lambda: scene.lose(times), [(Kind.INDEX, times.split("/")[1], *no_place)]),
            (
                "a byte of a time index",
                lambda: scene.flip_byte(times, 9),
                [(Kind.INDEX, times.split("/")[1], *no_place)],
            ),
            ("the epochs", lambda: scene.lose(EPOCHS), [(Kind.CHECKPOINT, EPOCHS.split("/")[1], *no_place)]),
            ("a byte of the epochs", lambda: scene.flip_byte(EPOCHS, 4), [(Kind.CHECKPOINT, EPOCHS.split("/")[1], *no_place)]),
            ("rubbish for gaps", lambda: scene.put_file(GAPS, b"{}"), [(Kind.CHECKPOINT, "gaps.json", *no_place)]),
            ("a byte of the recovery points", lambda: scene.flip_byte(points, 60), [(Kind.CHECKPOINT, points, *no_place)]),
            (
                "recovery points that lie",
                lambda: scene.put_file(points, render({DIRECTORY: 50})),
                [(Kind.CHECKPOINT, points, None, None, "40-49")],
            ),
            (
                "a start that lies",
                lambda: scene.put_file(starts, render({DIRECTORY: 41})),
                [(Kind.CHECKPOINT, starts, None, None, "40")],
            ),
            (
                "a segment after one that is not durable",
                lambda: scene.put_file(f"{DIRECTORY}/{rolling_name(50, 44)}", b""),
                [(Kind.UNFINISHED, rolling_name(50, 44), 0, 0, "")],
            ),
        ]  # fmt: skip
        for what, do, due in rows:
            with case(what):
                do()
                self.assertEqual(damage(scene), due)
                patient.again()

    def test_a_mark_that_lies_is_told(self) -> None:
        """Of a clean stop: where it ended, in offsets, segments and bytes."""
        patient = self.patient(stopped)
        scene = patient.scene
        size = len(scene.contents(patient.batches[-1][2]))
        for end, base, said_size, due in (
            (40, 36, size, []),
            (38, 36, size, [(Kind.CHECKPOINT, "clean-shutdown", None, None, "")]),
            (40, 30, size, [(Kind.CHECKPOINT, "clean-shutdown", None, None, "")]),
            (40, 36, size + 1, [(Kind.CHECKPOINT, "clean-shutdown", None, None, "")]),
            (44, 36, size, [(Kind.CHECKPOINT, "clean-shutdown", None, None, "40-43")]),
        ):
            with case(end, base, said_size):
                scene.put_file("clean-shutdown", render({DIRECTORY: [end, base, said_size]}))
                self.assertEqual(damage(scene), due)
        scene.put_file("clean-shutdown", b"rubbish")
        self.assertEqual(damage(scene), [(Kind.CHECKPOINT, "clean-shutdown", None, None, "")])

    def test_damage_that_a_start_will_not_look_for_is_no_torn_tail(self) -> None:
        """After a clean stop the last batch is believed to be whole, and stays; unless its index is damaged too."""
        patient = self.patient(stopped)
        scene, (first, after, path, start, end) = patient.scene, patient.batches[-1]
        scene.flip_byte(path, start + CRC_COVERS)
        due = (Kind.BATCH, path.split("/")[1], start, end - start, f"{first}-{after - 1}")
        self.assertEqual(damage(scene), [due])
        files = patient.now()
        scene.start()
        self.assertEqual((scene.manager.losses, scene.log.end_offset), ([], after))
        patient.again(files)
        index = path.replace(".log", ".index")
        scene.flip_byte(index, 0)
        kinds = [each[0] for each in damage(scene)]
        self.assertEqual(kinds, [Kind.INDEX, Kind.TORN_TAIL, Kind.CHECKPOINT])
        scene.start()
        self.assertEqual([(loss.first, loss.next) for _, loss in scene.manager.losses], [(first, after)])

    def test_epochs_that_lie_are_told_from_batches_that_do(self) -> None:
        """Where many batches agree it is the checkpoint that is wrong, though its CRC is right."""
        patient = self.patient(killed)
        scene = patient.scene
        write_epochs(scene.root.child(DIRECTORY), EpochCache([(0, 0)]))
        self.assertEqual(
            [(each.kind, each.offsets, each.why) for each in verified(scene)],
            [
                (Kind.CHECKPOINT, "16-27", "says epoch 0, and 6 batches agree on 1"),
                (Kind.CHECKPOINT, "28-39", "says epoch 0, and 6 batches agree on 2"),
            ],
        )
        scene.lose(EPOCHS + ".crc32c")  # the way out that it names
        scene.start()
        self.assertEqual(scene.values(), patient.known)
        scene.die()
        write_epochs(scene.root.child(DIRECTORY), EpochCache([(0, 0), (1, 16), (2, 28), (3, 44)]))
        self.assertEqual(damage(scene), [(Kind.CHECKPOINT, "leader-epoch-checkpoint", None, None, "")])

    def test_every_flipped_bit_of_a_segment_is_found(self) -> None:
        """Each byte of two batches, one bit of it, in a closed segment and at the end of the log."""
        patient = self.patient(killed_at_once)
        for first, after, path, start, end in (patient.batches[4], patient.batches[-1]):
            for position in range(start, end):
                patient.scene.flip_bit(path, position, position % 8)
                found = [each for each in verified(patient.scene) if not each.harmless]
                offsets = {offset for each in found for offset in range(each.first or 0, each.next or 0)}
                with case(path, position):
                    self.assertLessEqual(set(range(first, after)), offsets)
                    self.assertEqual({each.file for each in found if each.kind is not Kind.INDEX}, {path.split("/")[1]})
                patient.scene.flip_bit(path, position, position % 8)
        self.assertEqual(verified(patient.scene), [])

    def test_what_a_start_has_reported_is_no_damage_any_more(self) -> None:
        """A torn tail is cut at the start: the gap it leaves is known. What lies damaged in a file stays damage."""
        patient = self.patient(killed)
        scene = patient.scene
        scene.shorten(patient.batches[-1][2], 10)
        scene.start()
        scene.put(b"after", epoch=patient.epoch)
        scene.turn()
        scene.stop()
        found = verified(scene)
        self.assertEqual([(each.kind, each.offsets, each.harmless) for each in found], [(Kind.GAP, "38-39", True)])
        scene.flip_byte(patient.batches[4][2], patient.batches[4][3] + CRC_COVERS)
        scene.lose_hints()
        scene.start()
        scene.stop()
        self.assertEqual([each.kind for each in verified(scene) if not each.harmless], [Kind.BATCH])

    def test_gaps_that_are_none_are_told(self) -> None:
        """It does no harm: only that their loss would not be reported."""
        patient = self.patient(killed)
        patient.scene.put_file(GAPS, render([[4, 6], [60, 62]]))
        (found,) = verified(patient.scene)
        self.assertEqual(
            (found.kind, found.file, found.offsets, found.harmless), (Kind.CHECKPOINT, "gaps.json", "4-5", True)
        )

    def test_what_is_left_over_does_no_harm(self) -> None:
        """What a crash left, and what somebody else put there."""
        patient = self.patient(killed)
        scene = patient.scene
        scene.put_file(f"{DIRECTORY}/{file_name(6)}.deleted", b"x")
        scene.put_file(f"{DIRECTORY}/{file_name(99, '.index')}", b"x")
        scene.put_file(f"{DIRECTORY}/notes.txt", b"x")
        scene.put_file("recovery-points.json.prev", scene.contents("recovery-points.json"))
        scene.lose("recovery-points.json")
        scene.put_file("metadata.json.new", b"x")
        scene.root.child("old-0.17-delete").make()
        found = verified(scene)
        self.assertEqual(
            [(each.file or each.log, each.harmless) for each in found],
            [
                ("recovery-points.json", True),
                ("old-0.17-delete", True),
                ("metadata.json.new", True),
                (f"{file_name(6)}.deleted", True),
                (file_name(99, ".index"), True),
                ("notes.txt", True),
            ],
        )

    def test_what_a_running_broker_has_only_begun_is_no_damage(self) -> None:
        """The tail it is writing, the indexes it has not written yet."""
        patient = self.patient(killed_at_once)
        scene = patient.scene
        scene.shorten(patient.batches[-1][2], 10)
        scene.lose_hints()
        self.assertEqual([each for each in verified(scene, live=True) if not each.harmless], [])
        scene.flip_byte(patient.batches[4][2], patient.batches[4][3] + CRC_COVERS)
        self.assertEqual([each.kind for each in verified(scene, live=True) if not each.harmless], [Kind.BATCH])

    def test_it_foresees_what_a_start_will_report(self) -> None:
        """The same offsets, whatever was done to the log."""
        patient = self.patient(killed)
        scene = patient.scene
        _, _, path, start, _ = patient.batches[7]
        last = patient.batches[-1][2]
        for what, do in (
            ("byte", lambda: scene.flip_byte(path, start + CRC_COVERS)),
            ("segment", lambda: scene.lose(path)),
            ("all of a segment", lambda: scene.disk.overwrite(path, 0, bytes(len(scene.contents(path))))),
            ("tail", lambda: scene.shorten(last, 1)),
            ("zeros", lambda: scene.lengthen(last, bytes(500))),
            ("rubbish", lambda: scene.lengthen(last, b"rubbish" * 30)),
        ):
            with case(what):
                do()
                scene.lose_hints()  # or a start trusts what is below the recovery point
                foreseen = {
                    offset
                    for each in verified(scene)
                    if not each.harmless
                    for offset in range(each.first or 0, each.next or 0)
                }
                scene.start()
                told = {offset for _, loss in scene.manager.losses for offset in range(loss.first, loss.next)}
                self.assertEqual(foreseen, told)
                patient.again()

    def test_a_segment_that_only_has_a_provisional_name_is_part_of_the_log(self) -> None:
        """It goes on where the one before ends; its damage is damage."""
        patient = self.patient(killed_at_once)
        scene = patient.scene
        path = patient.batches[-1][2]
        data = scene.contents(path)
        rolling = f"{DIRECTORY}/{rolling_name(36, 36)}"
        scene.lose(path)
        scene.put_file(rolling, data)
        (found,) = verified(scene)
        self.assertEqual((found.kind, found.file, found.harmless), (Kind.LEFTOVER, rolling_name(36, 36), True))
        scene.shorten(rolling, 10)
        self.assertEqual([each[0] for each in damage(scene)], [Kind.TORN_TAIL])
        scene.start()
        self.assertEqual(scene.values(), {key: value for key, value in patient.known.items() if key < 38})

    def test_records_are_looked_into_if_asked(self) -> None:
        """A CRC that is right says nothing of what was written; and the system may refuse to read at all."""
        patient = self.patient(killed)
        scene = patient.scene
        looked_at: list[bytes] = []

        def look_into(batch: bytes) -> None:
            looked_at.append(batch)
            if len(looked_at) == 3:
                raise CorruptBatch("no such records")
            if len(looked_at) == 4:
                raise CodecMissing("no such codec")

        log = Verification(DIRECTORY, scene.root.child(DIRECTORY), Claims(), look_into=look_into)
        bad, unknown = log.findings()
        self.assertEqual(
            (bad.kind, bad.offsets, bad.why, bad.harmless), (Kind.RECORDS, "4-5", "no such records", False)
        )
        self.assertEqual((unknown.kind, unknown.offsets, unknown.harmless), (Kind.RECORDS, "6-7", True))
        self.assertEqual(len(looked_at), len(patient.batches))

    def test_what_the_system_refuses_to_read_is_told(self) -> None:
        """A bad sector in one segment is no reason not to look at the others; a directory that cannot be read is."""
        patient = self.patient(killed)
        scene = patient.scene
        path = patient.batches[4][2]
        scene.disk.fail(errno.EIO, "read_at", where=lambda where: where.endswith(path))
        scene.flip_byte(patient.batches[10][2], patient.batches[10][3] + CRC_COVERS)
        refused, damaged = verified(scene)
        self.assertEqual((refused.kind, refused.file, refused.harmless), (Kind.UNREADABLE, path.split("/")[1], False))
        self.assertEqual((refused.why, refused.offsets), ("cannot be read: Input/output error", "6-11"))
        self.assertEqual((damaged.kind, damaged.offsets), (Kind.BATCH, "20-21"))
        path = patient.batches[-1][2]
        scene.disk.fail(errno.EIO, "read_at", where=lambda where: where.endswith(path))
        self.assertEqual([(each.kind, each.offsets) for each in verified(scene)][1:], [(Kind.UNREADABLE, "36-39")])
        scene.disk.fail(errno.EACCES, "list", where=lambda where: where.endswith(DIRECTORY))
        (refused,) = verified(scene)
        self.assertEqual((refused.kind, refused.file), (Kind.UNREADABLE, DIRECTORY))

    def test_nothing_is_changed(self) -> None:
        """It lists, opens and reads; that it reads from the medium is all that the disk notices."""
        scene = self.patient(stopped).scene
        before = scene.disk.calls
        verified(scene)
        kinds = {call.kind for call in scene.disk.log[before:]}
        self.assertEqual(kinds, {"list", "open", "read_at", "drop_cache"})
