import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.group.group import Cause, Event, Generation, Member, Shape
from flux.group.offsets import OffsetChange
from flux.group.records import Change, GenerationChange, decode, encode

NUMBERS = st.integers(0, 2**63 - 1)
NAMES = st.text(max_size=9) | st.binary(max_size=5).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
MEMBERS = st.builds(Member, NUMBERS, st.lists(NUMBERS, max_size=3).map(tuple))
GENERATIONS = st.builds(Generation, NUMBERS, NAMES, NUMBERS, st.dictionaries(NAMES, MEMBERS, max_size=3))
SHAPES = st.builds(Shape, NUMBERS, NUMBERS, NUMBERS, NAMES)
EVENTS = st.builds(
    Event,
    NUMBERS,
    NAMES,
    st.sampled_from(Cause),
    st.lists(st.tuples(NAMES, st.none() | NUMBERS), max_size=3).map(tuple),
    NUMBERS,
    SHAPES,
    SHAPES,
    NAMES,
)
CHANGES = st.builds(GenerationChange, NAMES, NAMES, GENERATIONS, st.lists(EVENTS, max_size=2).map(tuple)) | st.builds(
    OffsetChange, NAMES, NAMES, NUMBERS, st.none() | NUMBERS, NUMBERS, st.none() | NAMES
)


class RecordTests(SynchronousTestCase):
    @given(CHANGES)
    def test_a_change_survives_the_log(self, change: Change) -> None:
        """Any name does, also one that is not UTF-8; keys and values are ASCII."""
        key, value = encode(change)
        self.assertEqual(decode(0, key, value), change)
        self.assertTrue(key.isascii() and value.isascii())

    def test_they_are_readable_as_documented(self) -> None:
        """What ``docs/group-log.md`` says, to the byte."""
        key, value = encode(OffsetChange("g", "orders", 2, 17, 5, "c1"))
        self.assertEqual(key, b'["offset","g","orders",2]')
        self.assertEqual(value, b'{"offset":17,"generation":5,"member":"c1"}')
        before, after = Shape(2, 1, 3, "range"), Shape(3, 2, 3, "range")
        event = Event(1, "orders", Cause.JOINED, (("c2", None),), 1, before, after)
        generation = Generation(3, "range", 3, {"c1": Member(10, (0, 1)), "c2": Member(10, (2,))})
        key, value = encode(GenerationChange("g", "orders", generation, (event,)))
        self.assertEqual(key, b'["generation","g","orders"]')
        self.assertEqual(
            json.loads(value),
            {
                "generation": 3,
                "assignor": "range",
                "partitions": 3,
                "members": {"c1": {"session_ms": 10, "assigned": [0, 1]}, "c2": {"session_ms": 10, "assigned": [2]}},
                "events": [
                    {
                        "at_ms": 1,
                        "topic": "orders",
                        "cause": "joined",
                        "members": [{"member": "c2", "silent_ms": None}],
                        "concerned": 1,
                        "before": {"generation": 2, "members": 1, "partitions": 3, "assignor": "range"},
                        "after": {"generation": 3, "members": 2, "partitions": 3, "assignor": "range"},
                        "detail": "",
                    }
                ],
            },
        )

    def test_what_is_no_record_of_ours_is_refused_with_its_offset(self) -> None:
        """Also what only a newer version knows: passing it over would forget what it says."""
        table: list[tuple[bytes | None, bytes | None]] = [
            (None, None),
            (b"x", b"{}"),
            (b"[]", b"{}"),
            (b'["offset","g","t",0]', b"{}"),
            (b'["offset","g","t"]', b'{"offset":1,"generation":1,"member":null}'),
            (b'["generation","g","t"]', b'{"generation":1}'),
            (b'["transaction","g"]', b"{}"),
        ]
        for key, value in table:
            with self.assertRaises(StorageError) as caught:
                decode(77, key, value)
            self.assertIn("offset 77", str(caught.exception))
