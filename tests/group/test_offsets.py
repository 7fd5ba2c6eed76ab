import json

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
        again.restore(json.loads(json.dumps(offsets.snapshot())))
        for one in (offsets, again):
            self.assertEqual(one.count, len(model))
            for group in ("a", "b", "\udcff", "ü x"):
                for topic in ("a", "b", "\udcff", "ü x"):
                    found = {(group, topic, partition): offset for partition, offset in one.of(group, topic).items()}
                    self.assertEqual(found, {place: o for place, o in model.items() if place[:2] == (group, topic)})

    def test_a_snapshot_does_not_follow(self) -> None:
        """It is written while commits go on."""
        offsets = Offsets()
        offsets.apply(OffsetChange("g", "t", 0, 5, 2, "c"))
        taken = offsets.snapshot()
        offsets.apply(OffsetChange("g", "t", 0, 6, 2, "c"))
        offsets.apply(OffsetChange("g", "t", 1, 6, 2, "c"))
        self.assertEqual(taken, {"g": {"t": {"0": 5}}})
