"""The group log in words."""

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.cli.offline.group_log import as_json, check, in_words
from flux.errors import StorageError
from flux.group import records
from flux.group.group import Cause, Event, Generation, Member, Shape
from flux.group.offsets import OffsetChange
from flux.group.records import Change, GenerationChange
from flux.model import Record


def record_of(change: Change) -> Record:
    return Record(0, 0, *records.encode(change))


class GroupLogTests(SynchronousTestCase):
    def test_commits(self) -> None:
        """By a member, by a reset, and the end of a topic."""
        for change, words in (
            (OffsetChange("g", "orders", 2, 17, 5, "c1"), "g commits 17 on orders-2: c1, generation 5"),
            (OffsetChange("g", "orders", 2, 0, 5, None), "g commits 0 on orders-2: a reset, generation 5"),
            (OffsetChange("g", "orders", 2, None, 5, None), "g forgets orders-2"),
        ):
            self.assertEqual(in_words(record_of(change)), words)

    def test_generations(self) -> None:
        """Who has what, and what brought it about."""
        shape = Shape(2, 2, 3, "range")
        expired = Event(1, "orders", Cause.EXPIRED, (("c2", 10_000),), 1, shape, shape, "")
        reset = Event(1, "orders", Cause.RESET, (), 0, shape, shape, "to=earliest")
        members = {"c1": Member(10_000, (0, 1)), "c3": Member(10_000)}
        generation = Generation(3, "range", 3, members)
        self.assertEqual(
            in_words(record_of(GenerationChange("g", "orders", generation, (expired, reset)))),
            "g on orders: generation 3 by range: c1 has 0,1; c3 has nothing; expired: c2 (silent for 10000 ms); reset",
        )
        self.assertEqual(
            in_words(record_of(GenerationChange("g", "orders", Generation(4)))),
            "g on orders: generation 4 by round_robin: nobody is left",
        )

    def test_what_is_no_record_of_it_is_refused(self) -> None:
        """A whole batch for one that is not, and every way of showing it."""
        good = records.encode(OffsetChange("g", "orders", 0, 1, 1, "c1"))
        for key, value in ((b"k", b"v"), (b'["later kind"]', b"{}"), (None, None)):
            batch = encode([good[0], key], [good[1], value], 0)
            data = batch.prefix(0, 0) + batch.body
            self.assertRaises(StorageError, check, data)
            self.assertRaises(StorageError, in_words, Record(0, 0, key, value))
            self.assertRaises(StorageError, as_json, Record(0, 0, key, value))
        batch = encode([good[0]], [good[1]], 0)
        check(batch.prefix(0, 0) + batch.body)
