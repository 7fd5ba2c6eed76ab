"""Power cuts and kills at every single call of a workload, and under Hypothesis, in all three fsync modes."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import FsyncMode, TopicPartition
from flux.testing import Stopped
from tests.storage.history import History
from tests.storage.scene import Scene

EXAMPLES = int(os.environ.get("FLUX_TEST_EXAMPLES", "60"))
ORDERS, EVENTS = TopicPartition("orders", 0), TopicPartition("events", 1)
SMALL = {"segment_max_bytes": 700, "index_interval_bytes": 150, "checkpoint_interval_ms": 3000, "flush_interval_ms": 500}


def scene_for(mode: FsyncMode, seed: int, **settings: Any) -> Scene:
    return Scene(mode, seed, tps=(ORDERS, EVENTS), **{**SMALL, **settings})


def workload(history: History) -> Iterator[Callable[[], None]]:
    """Everything a log does, over three lives: each step in turn."""
    yield history.start
    for number in range(4):
        yield lambda: history.produce(ORDERS)
        yield lambda n=number: history.produce(EVENTS, records=n + 1, size=60)  # type: ignore[misc]  # bound now, not later
        yield history.turn
    yield lambda: history.produce(ORDERS, records=5, size=100)  # rolls
    yield lambda: history.produce(ORDERS, records=2, size=200)  # again, in the same turn
    yield lambda: history.produce(ORDERS)
    yield history.turn
    yield lambda: history.consume(ORDERS)
    yield lambda: history.begin_epoch(ORDERS)
    yield lambda: history.produce(ORDERS, records=3)
    yield lambda: history.flush(ORDERS)
    yield history.turn
    yield lambda: history.advance(3)  # recovery points
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


def calls_of(mode: FsyncMode, **settings: Any) -> int:
    """How many calls of the disk the workload makes."""
    history = History(scene_for(mode, 0, **settings))
    for step in workload(history):
        step()
    return history.scene.disk.calls


class EveryCall(SynchronousTestCase):
    """The process ends at call number n of the workload, for every n; then a new one starts, and ends again as it does so."""

    def ended_at(self, call: int, mode: FsyncMode, *, lost_power: bool, **settings: Any) -> History:
        history = History(scene_for(mode, call, **settings))
        disk = history.scene.disk
        disk.cut_at(call) if lost_power else disk.kill_at(call)
        try:
            for step in workload(history):
                step()
        except Stopped:
            pass
        history.was_stopped(lost_power=lost_power)
        try:
            again = 1 + call % 40  # the start has about so many calls
            disk.cut_at(disk.calls + again) if lost_power else disk.kill_at(disk.calls + again)
            history.start()
            history.produce(ORDERS)
            history.turn()
            history.die()
        except Stopped:
            history.was_stopped(lost_power=lost_power)
        history.start()
        history.produce(EVENTS)
        history.turn()
        history.lose_power()
        history.start()
        self.flushLoggedErrors(Stopped)
        return history

    def test_a_power_cut_at_any_call_keeps_what_was_promised(self) -> None:
        """In all three modes; what is promised differs, see History."""
        for mode in FsyncMode:
            for call in range(1, calls_of(mode) + 1):
                with self.at(mode, call):
                    self.ended_at(call, mode, lost_power=True)

    def test_a_kill_at_any_call_loses_nothing(self) -> None:
        """In no mode: what was written is in the kernel's hands."""
        for mode in FsyncMode:
            for call in range(1, calls_of(mode) + 1):
                with self.at(mode, call):
                    self.ended_at(call, mode, lost_power=False)
