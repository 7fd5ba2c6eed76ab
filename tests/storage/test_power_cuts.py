"""Power cuts and kills at every single call of a workload, and under Hypothesis, in all three fsync modes.

The disk is the model: synced bytes survive, unsynced ones as any prefix, unsynced names by coin, and a failed sync leaves readable
bytes that were never written. What must hold is :class:`tests.storage.history.History`; that it can fail is shown by
``test_calibration.py``. ``FLUX_TEST_EXAMPLES`` is how many examples Hypothesis plays, and a hundredth of it how many dice each call gets.
"""

import errno
import os
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from flux.model import FsyncMode, TopicPartition
from flux.testing import Stopped
from tests.storage.history import History
from tests.storage.scene import Scene
from tests.storage.wandering import EVENTS, ORDERS, SMALL, Wanderer

EXAMPLES = int(os.environ.get("FLUX_TEST_EXAMPLES", "80"))
SEEDS = max(EXAMPLES // 100, 1)


def workload(history: History) -> Iterator[Callable[[], None]]:
    """Everything a log does, over three lives: each step in turn."""
    yield history.start
    yield lambda: history.produce(ORDERS)
    for records in range(1, 4):
        yield lambda n=records: history.produce(EVENTS, n, size=60)  # type: ignore[misc]  # bound now, not later
    yield history.turn
    yield lambda: history.produce(ORDERS, records=5, size=100)
    yield lambda: history.produce(ORDERS, records=2, size=200)  # rolls
    yield lambda: history.produce(ORDERS)  # rolls again, in the same turn
    yield history.turn
    yield lambda: history.consume(ORDERS)
    yield lambda: history.begin_epoch(ORDERS)
    yield lambda: history.produce(ORDERS, records=3)
    yield lambda: history.flush(ORDERS)
    yield history.turn
    yield lambda: history.advance(3)  # recovery points are saved
    yield lambda: history.produce(EVENTS, records=4, size=150)
    yield lambda: history.produce(EVENTS, records=4, size=150)
    yield history.turn
    yield lambda: history.truncate(EVENTS, 2)
    yield history.turn
    yield lambda: history.produce(EVENTS, size=90)
    yield history.turn
    yield lambda: history.move_start(ORDERS, 9)
    yield history.turn
    yield history.stop
    yield history.start
    yield lambda: history.produce(ORDERS, size=300)
    yield lambda: history.produce(EVENTS, records=2)
    yield history.turn
    yield lambda: history.move_start(EVENTS, 3)
    yield lambda: history.produce(ORDERS, size=500)
    yield history.turn
    yield history.die
    yield history.start
    yield lambda: history.produce(ORDERS)
    yield history.turn
    yield lambda: history.consume(ORDERS)
    yield history.stop


class EveryCall(SynchronousTestCase):
    """The process ends at call number n of the workload, for every n; a new one starts, and half the time ends as it does so."""

    def history(self, mode: FsyncMode, seed: int) -> History:
        return History(Scene(mode, seed, tps=(ORDERS, EVENTS), **SMALL))

    def calls(self, mode: FsyncMode) -> int:
        """How many calls of the disk the workload makes."""
        history = self.history(mode, 0)
        for step in workload(history):
            step()
        self.assertGreater(history.acknowledged, 25)
        return history.scene.disk.calls

    def ended_at(self, call: int, mode: FsyncMode, seed: int, *, lost_power: bool) -> None:
        history = self.history(mode, seed)
        disk = history.scene.disk
        plan = disk.cut_at if lost_power else disk.kill_at
        try:
            for step in workload(history):
                plan(call)  # again: the end of a life calls it off
                step()
            self.fail(f"call {call} never came")
        except Stopped:
            history.was_stopped(lost_power=lost_power)
        try:
            plan(disk.calls + 1 + (7 * call + seed) % 90)  # a start makes about forty calls
            history.start()
            history.produce(EVENTS)
            history.turn()
            history.lose_power()
        except Stopped:
            history.was_stopped(lost_power=lost_power)
        history.start()
        logged = [failure for failure in self.flushLoggedErrors() if not isinstance(failure.value, Stopped)]
        self.assertEqual(logged, [])

    def test_a_power_cut_at_any_call_keeps_what_was_promised(self) -> None:
        """In every mode: what is acknowledged as durable, and whatever was served while nothing less is."""
        for seed in range(SEEDS):
            for mode in FsyncMode:
                for call in range(1, self.calls(mode) + 1):
                    self.ended_at(call, mode, seed + call, lost_power=True)

    def test_a_kill_at_any_call_loses_nothing(self) -> None:
        """In any mode: what was written is in the kernel's hands."""
        modes = tuple(FsyncMode)
        for seed in range(SEEDS):
            for call in range(1, min(map(self.calls, modes)) + 1):
                self.ended_at(call, modes[(call + seed) % 3], seed + call, lost_power=False)


TPS = st.sampled_from((ORDERS, EVENTS))


class Machine(RuleBasedStateMachine):
    """Lives as Hypothesis has them. It looks for the shortest one in which a promise is broken."""

    @initialize(mode=st.sampled_from(FsyncMode), seed=st.integers(0, 1 << 16), queued=st.booleans())
    def begin(self, mode: FsyncMode, seed: int, queued: bool) -> None:
        self.wanderer = Wanderer(mode, seed, queued=queued)
        self.history = self.wanderer.history

    @rule(tp=TPS, records=st.integers(1, 4), size=st.sampled_from((5, 60, 200, 400)))
    def produce(self, tp: TopicPartition, records: int, size: int) -> None:
        self.wanderer.play(lambda: self.history.produce(tp, records, size))

    @rule(tp=TPS, records=st.integers(1, 3))
    def produce_and_wait(self, tp: TopicPartition, records: int) -> None:
        self.wanderer.play(lambda: self.history.produce(tp, records))
        self.wanderer.play(self.history.turn)

    @rule()
    def turn(self) -> None:
        self.wanderer.play(self.history.turn)

    @rule(tp=TPS)
    def flush(self, tp: TopicPartition) -> None:
        self.wanderer.play(lambda: self.history.flush(tp))

    @rule(tp=TPS)
    def consume(self, tp: TopicPartition) -> None:
        self.wanderer.play(lambda: self.history.consume(tp))

    @rule(tp=TPS)
    def begin_epoch(self, tp: TopicPartition) -> None:
        self.wanderer.play(lambda: self.history.begin_epoch(tp))

    @rule(tp=TPS, share=st.sampled_from((0.3, 0.7, 1.0)))
    def move_start(self, tp: TopicPartition, share: float) -> None:
        log = self.history.scene.logs[tp]
        offset = log.start_offset + round(share * (log.end_offset - log.start_offset))
        self.wanderer.play(lambda: self.history.move_start(tp, offset))

    @rule(tp=TPS, back=st.integers(1, 3))
    def truncate(self, tp: TopicPartition, back: int) -> None:
        self.wanderer.play(lambda: self.history.truncate(tp, back))

    @rule(seconds=st.sampled_from((0.5, 3.0)))
    def advance(self, seconds: float) -> None:
        self.wanderer.play(lambda: self.history.advance(seconds))

    @rule(days=st.integers(1, 3))
    def retention(self, days: int) -> None:
        """With a topic's retention.ms of a day, closed segments go; and the active one is closed before."""
        self.history.scene.topic = {"retention.ms": "86400000", "segment.ms": "3600000"}
        self.wanderer.play(lambda: self.history.retain(days * 86400))

    @rule()
    def kill(self) -> None:
        self.wanderer.play(self.wanderer.kill)

    @rule()
    def cut(self) -> None:
        self.wanderer.play(self.wanderer.cut)

    @rule()
    def restart(self) -> None:
        self.wanderer.play(self.wanderer.restart)

    @rule(calls=st.integers(1, 30))
    def cut_soon(self, calls: int) -> None:
        self.wanderer.plan_cut(calls)

    @rule(calls=st.integers(1, 30))
    def kill_soon(self, calls: int) -> None:
        self.wanderer.plan_kill(calls)

    @rule(
        error=st.sampled_from((errno.EIO, errno.ENOSPC)),
        kind=st.sampled_from((None, "append", "datasync", "sync", "rename")),
        nth=st.integers(1, 3),
    )
    def fail(self, error: int, kind: str | None, nth: int) -> None:
        self.wanderer.fail(error, kind, nth)

    @rule(tp=TPS, records=st.integers(1, 3))
    def sync_fails_then_cut(self, tp: TopicPartition, records: int) -> None:
        self.wanderer.play(lambda: self.wanderer.sync_fails_then_cut(tp, records))

    def teardown(self) -> None:
        """Every life ends with a power cut."""
        if hasattr(self, "wanderer"):
            self.wanderer.play(self.history.turn)
            self.wanderer.play(self.wanderer.cut)


class AnyLife(SynchronousTestCase):
    def test_no_life_breaks_a_promise(self) -> None:
        """Appends, reads, rolls, epochs, retention, truncation, faults, kills, power cuts and restarts in any order."""
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=30,
                deadline=None,
                derandomize="FLUX_TEST_EXAMPLES" not in os.environ,
                suppress_health_check=list(HealthCheck),
            ),
        )
        self.flushLoggedErrors()
