"""The log equals a plain list, whatever is done to it in whatever order."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import decode
from flux.model import FsyncMode
from tests.storage.scene import Scene

_VALUES = st.lists(st.binary(max_size=200), min_size=1, max_size=6)


class LogAgainstList(RuleBasedStateMachine):
    """Offset → value of everything that should be there, and the first offset; the rest is the log's business."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[bytes] = []  # by offset, from 0 on
        self.batches: list[int] = [0]  # base offsets, and the end
        self.start = 0
        self.epoch = 0

    @initialize(
        mode=st.sampled_from(FsyncMode),
        segment=st.sampled_from([1024, 2048, 1 << 20]),
        index=st.sampled_from([1, 300, 4096]),
        tail=st.sampled_from([0, 1000, 1 << 20]),
    )
    def begin(self, mode: FsyncMode, segment: int, index: int, tail: int) -> None:
        self.scene = Scene(mode, segment_max_bytes=segment, index_interval_bytes=index, tail_bytes=tail).start()

    @rule(values=_VALUES)
    def append(self, values: list[bytes]) -> None:
        """One batch."""
        assert self.scene.put(*values, epoch=self.epoch) == len(self.values)
        self.values += values
        self.batches.append(len(self.values))

    @rule()
    def a_new_epoch(self) -> None:
        """As after a change of leadership."""
        self.epoch += 1

    @rule()
    def flush(self) -> None:
        """Everything becomes durable."""
        flushed: list[Any] = []
        self.scene.log.flush().addCallback(flushed.append)
        self.scene.turn()
        assert flushed == [None]

    @rule(at=st.floats(0, 1), max_bytes=st.integers(1, 3000))
    def read(self, at: float, max_bytes: int) -> None:
        """One read from anywhere: whole batches, the first of which holds the offset."""
        offset = self.start + int(at * (len(self.values) - self.start))
        found = decode(self.scene.read(offset, max_bytes), offset)
        expected = self.values[offset : offset + len(found)]
        assert [(record.offset, record.value) for record in found] == list(enumerate(expected, offset))
        assert bool(found) == (offset < len(self.values))

    @rule(at=st.floats(0, 1))
    def move_start(self, at: float) -> None:
        """Retention, or DELETE_RECORDS."""
        offset = self.start + int(at * (len(self.values) - self.start))
        self.scene.log.move_start(offset)
        self.scene.turn()
        self.start = max(self.start, offset)

    @rule(at=st.floats(0, 1))
    def truncate(self, at: float) -> None:
        """To the batch that holds the offset, as a follower does; never below the start."""
        offset = self.start + int(at * (len(self.values) - self.start))
        self.scene.log.truncate(offset)
        self.scene.turn()
        end = offset if offset == len(self.values) else max(base for base in self.batches if base <= offset)
        del self.values[end:]
        self.batches = [base for base in self.batches if base <= end]
        self.start = min(self.start, end)

    @rule()
    def stop_and_start(self) -> None:
        """A clean restart."""
        self.scene.stop()
        self.scene.start()
        assert not self.scene.manager.unclean

    @rule()
    def kill(self) -> None:
        """What was written is the kernel's, in every mode."""
        self.scene.kill()

    @precondition(lambda self: self.values)
    @rule(at=st.floats(0, 1))
    def ask_for_a_timestamp(self, at: float) -> None:
        """All records bear the same one, so the answer is the first there is."""
        answers: list[Any] = []
        self.scene.log.offset_for(0).addCallback(answers.append)
        first = None if self.start == len(self.values) else self.start
        assert [answer and answer[0] for answer in answers] == [first]

    @invariant()
    def it_is_the_list(self) -> None:
        """All of it, read page by page."""
        if hasattr(self, "scene"):
            expected = {offset: self.values[offset] for offset in range(self.start, len(self.values))}
            assert self.scene.values() == expected
            assert (self.scene.log.start_offset, self.scene.log.end_offset) == (self.start, len(self.values))
            assert not self.scene.manager.losses


class Model(SynchronousTestCase):
    def test_the_log_equals_a_list(self) -> None:
        """Over appends, reads, rolls, retention, truncation and restarts."""
        run_state_machine_as_test(
            LogAgainstList, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
        )
