import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.group.offsets import OffsetChange, Offsets

NAMES = st.sampled_from(["a", "b", "\udcff", "ü x"])
CHANGES = st.builds(
    OffsetChange, NAMES, NAMES, st.integers(0, 3), st.none() | st.integers(0, 9), st.integers(1, 5), st.none() | NAMES
)


class OffsetsTests(SynchronousTestCase):
    @given(st.lists(CHANGES, max_size=40))
    def test_the_last_change_holds(self, changes: list[OffsetChange]) -> None:
        """Lower or higher; None forgets. A snapshot through JSON shows the same."""
        offsets, model = Offsets(), dict[tuple[str, str, int], int]()
        for change in changes:
            offsets.apply(change)
            place = (change.group, change.topic, change.partition)
            if change.offset is None:
                model.pop(place, None)
            else:
                model[place] = change.offset
        again = Offsets()
        again.restore(json.loads(json.dumps(dict(offsets.snapshot()))))
        for one in (offsets, again):
            self.assertEqual(one.count, len(model))
            for group in ("a", "b", "\udcff", "ü x"):
                for topic in ("a", "b", "\udcff", "ü x"):
                    found = {(group, topic, partition): offset for partition, offset in one.of(group, topic).items()}
                    self.assertEqual(found, {place: o for place, o in model.items() if place[:2] == (group, topic)})

    def test_a_snapshot_does_not_follow(self) -> None:
        """It is written while commits go on, and so are the one before and the one after."""
        offsets = Offsets()
        taken: list[tuple[Any, Any]] = [(offsets.snapshot(), {})]
        for offset in range(5, 9):
            offsets.apply(OffsetChange("g", "t", 0, offset, 2, "c"))
            offsets.apply(OffsetChange("g", "t", offset, 7, 2, "c"))
            offsets.apply(OffsetChange("h", "t", 0, 7, 2, "c"))
            expected = {"g": {"t": {"0": offset, **{str(o): 7 for o in range(5, offset + 1)}}}, "h": {"t": {"0": 7}}}
            taken.append((offsets.snapshot(), expected))
        offsets.apply(OffsetChange("g", "t", 0, None, 2, "c"))
        for snapshot, expected in taken:
            self.assertEqual(dict(snapshot), expected)
        self.assertEqual(offsets.count, 5)
