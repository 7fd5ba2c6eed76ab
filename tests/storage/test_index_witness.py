"""Hints whose own checksums are right and which are not true of their segment."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from flux.crc32c import crc32c
from flux.storage.checkpoint import render
from flux.storage.findings import Kind
from flux.storage.hints import Digest, read_digest
from flux.storage.index import OffsetIndex, TimeIndex
from flux.storage.segment import DIGEST, INDEX, TIME_INDEX, file_name
from tests.storage.damage import Patient, case, killed
from tests.storage.scene import DIRECTORY
from tests.storage.test_verification import verified

BASE = 6  # of the second segment: three batches of two records


class IndexWitnessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patient = Patient(killed)
        self.scene = self.patient.scene
        digest = read_digest(self.scene.root.child(DIRECTORY), BASE)
        assert digest is not None
        self.digest = digest

    def content(self, suffix: str) -> bytes:
        return self.scene.contents(f"{DIRECTORY}/{file_name(BASE, suffix)}")

    def put(self, suffix: str, data: bytes) -> None:
        self.scene.put_file(f"{DIRECTORY}/{file_name(BASE, suffix)}", data)

    def told(self) -> list[tuple[Kind, str, str]]:
        return [(found.kind, found.file, found.why) for found in verified(self.scene)]

    def test_a_digest_that_lies_is_told(self) -> None:
        """In each of its fields but those of the indexes."""
        for lie, why in (
            ({"size_bytes": 5}, f"says that the segment has 5 bytes, it has {self.digest.size_bytes}"),
            ({"next_offset": 11}, "says that the segment ends at offset 11, not 12"),
            ({"max_timestamp_ms": 7}, f"says 7 is the latest timestamp, not {self.digest.max_timestamp_ms}"),
            ({"log_crc": 7}, "the CRC-32C it has of the segment is another"),
        ):
            with case(why):
                self.put(DIGEST, render(self.digest._replace(**lie)._asdict()))
                self.assertEqual(self.told(), [(Kind.INDEX, file_name(BASE, DIGEST), why)])

    def test_what_is_no_digest_is_told(self) -> None:
        """Another form, in a checkpoint that is whole."""
        for content in ({"size": 1}, [1, 2], "text"):
            self.put(DIGEST, render(content))
            ((kind, file, _),) = self.told()
            self.assertEqual((kind, file), (Kind.INDEX, file_name(BASE, DIGEST)))

    def test_entries_that_point_to_no_batch_are_counted(self) -> None:
        """To a place within a batch, to another batch's offset, past the last one, to another time."""
        places = list(OffsetIndex.parse(self.content(INDEX), self.digest.size_bytes))
        times = list(TimeIndex.parse(self.content(TIME_INDEX)))
        self.assertEqual((len(places), len(times)), (2, 2))
        (first, position), (second, end) = places
        for suffix, entries, wrong in (
            (INDEX, [(first, position - 1), (second, end)], 1),
            (INDEX, [(first - 1, position), (second - 1, end)], 2),
            (INDEX, [(first, position), (second, end), (second + 2, end + 9)], 1),
            (TIME_INDEX, [(times[0][0] + 1, times[0][1]), *times[1:]], 1),
            (TIME_INDEX, [*times, (times[-1][0] + 1, times[-1][1] + 1)], 1),
        ):
            with case(suffix, entries):
                self.lie(suffix, entries)
                why = f"{wrong} of its entries point to no batch of theirs"
                self.assertEqual(self.told(), [(Kind.INDEX, file_name(BASE, suffix), why)])
                self.patient.again()

    def test_entries_that_do_not_ascend_are_told(self) -> None:
        """Whatever they point to."""
        cases: list[tuple[str, list[tuple[int, int]]]] = [(INDEX, [(4, 300), (2, 200)]), (TIME_INDEX, [(-5, 0)])]
        for suffix, entries in cases:
            self.lie(suffix, entries)
            self.assertEqual(self.told(), [(Kind.INDEX, file_name(BASE, suffix), "entries do not ascend")])
            self.patient.again()

    def lie(self, suffix: str, entries: list[tuple[int, int]]) -> None:
        """Put *entries* in place of an index, with a digest that vouches for them."""
        data = b"".join(map(written(suffix), entries))
        self.put(suffix, data)
        field = "index_crc" if suffix == INDEX else "time_index_crc"
        self.put(DIGEST, render(Digest(**{**self.digest._asdict(), field: crc32c(data)})._asdict()))


def written(suffix: str) -> Callable[[tuple[int, int]], bytes]:
    """How an entry is written."""
    first = 4 if suffix == INDEX else 8
    return lambda entry: entry[0].to_bytes(first, "big", signed=suffix != INDEX) + entry[1].to_bytes(4, "big")
