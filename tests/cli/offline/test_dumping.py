"""What of a log is shown: as much as was asked for, damage where it lies, and of a running broker's log what is whole."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.cli.offline.dumping import Bad, Batch, Wanted, dump
from flux.cli.offline.place import place_of
from flux.crc32c import crc32c
from flux.storage.segment import file_name
from flux.storage.segments import rolling_name


def batch(offset: int, count: int = 2) -> bytes:
    encoded = encode([b"k"] * count, [b"%d" % number for number in range(count)], 0)
    return encoded.prefix(offset, 0) + encoded.body


class DumpingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "orders-0"
        self.path.mkdir(parents=True)
        (self.path / file_name(0)).write_bytes(b"".join(map(batch, (0, 2, 4))))
        (self.path / file_name(6)).write_bytes(b"".join(map(batch, (6, 8))))
        (self.path / rolling_name(10, 10)).write_bytes(batch(10))

    def dumped(self, *wanted: int | bool | None, live: bool = False) -> list[Batch | Bad]:
        found = dump(place_of(str(self.path)), Wanted(*wanted), lambda _: None, live=live)  # type: ignore[arg-type]
        return list(found)

    def offsets(self, *wanted: int | bool | None) -> list[int]:
        return [record.offset for found in self.dumped(*wanted) if isinstance(found, Batch) for record in found.records]

    def test_what_is_asked_for_is_shown(self) -> None:
        """From an offset, to another, so many; in whatever files they are."""
        for wanted, due in (
            ((), range(12)),
            ((3,), range(3, 12)),
            ((3, 9), range(3, 9)),
            ((3, 9, 4), range(3, 7)),
            ((6,), range(6, 12)),
            ((0, 6), range(6)),
            ((12,), ()),
            ((0, 0), ()),
        ):
            self.assertEqual(self.offsets(*wanted), list(due), wanted)

    def test_batches_alone_are_counted_by_their_records(self) -> None:
        """And not opened."""
        found = self.dumped(0, 100, 4, False)
        self.assertEqual([each.sound.header.base_offset for each in found if isinstance(each, Batch)], [0, 2])
        self.assertEqual([each.records for each in found if isinstance(each, Batch)], [[], []])

    def test_damage_is_shown_where_it_lies(self) -> None:
        """Between what is good, at the end of a file, and at the end of the log."""
        size = len(batch(0))
        for name, position, first in ((file_name(0), size, 2), (file_name(6), size, 8), (rolling_name(10, 10), 0, 10)):
            path = self.path / name
            content = path.read_bytes()
            path.write_bytes(content[: position + 65] + b"?" + content[position + 66 :])
            bad = [found for found in self.dumped() if isinstance(found, Bad)]
            self.assertEqual([(each.where.file, each.position, each.first) for each in bad], [(name, position, first)])
            self.assertNotIn(first, self.offsets())
            path.write_bytes(content)

    def test_what_a_running_broker_is_writing_is_left_out(self) -> None:
        """Only that: damage before it is shown all the same."""
        os.truncate(self.path / rolling_name(10, 10), 50)
        self.assertEqual([found.is_tail for found in self.dumped() if isinstance(found, Bad)], [True])
        self.assertEqual([found for found in self.dumped(live=True) if isinstance(found, Bad)], [])
        os.truncate(self.path / file_name(6), 50)
        self.assertEqual([found.first for found in self.dumped(live=True) if isinstance(found, Bad)], [6])

    def test_records_that_cannot_be_read_are_damage(self) -> None:
        """With the reason."""
        encoded = encode([b"k"], [b"v"], 0)
        body = bytearray(encoded.body)
        body[6] |= 5  # a codec there is none of
        body[1:5] = crc32c(bytes(body[5:])).to_bytes(4, "big")
        (self.path / file_name(6)).write_bytes(encoded.prefix(6, 0) + body)
        (bad,) = [found for found in self.dumped() if isinstance(found, Bad) and not found.is_tail]
        self.assertIn("there is no compression codec 5", bad.why)
