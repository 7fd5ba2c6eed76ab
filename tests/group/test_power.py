"""Power cuts at every write of the group log and of its snapshots."""

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import FluxError, GenerationMismatch
from flux.interfaces import Assignment
from flux.model import FsyncMode
from flux.testing import Stopped
from tests.group.scene import Scene

FAR = 10**6
SESSION_MS = 5000


class Story:
    """A group's history as its consumers know it: what was acknowledged, and what was asked and never answered."""

    def __init__(self, seed: int, mode: FsyncMode = FsyncMode.ALWAYS) -> None:
        self.scene = Scene(
            seed, mode, group_snapshot_records=6, group_snapshot_interval_ms=FAR, kept_log_bytes=0, segment_bytes=1024
        )
        self.generation = 1
        self.offsets: dict[int, int | None] = {0: None, 1: None, 2: None}
        self.maybe: dict[int, set[int | None]] = {0: set(), 1: set(), 2: set()}
        self.acknowledged = 0

    def steps(self) -> Iterator[Callable[[], None]]:
        """Everything a group does, over three lives, with snapshots, segments rolled and the log cut on the way."""
        yield self.start
        yield lambda: self.join("c1")
        for offset in range(4):
            for partition in range(3):
                yield lambda p=partition, o=offset: self.commit("c1", p, o)  # type: ignore[misc]  # bound now, not later
        yield lambda: self.join("c2")
        yield lambda: self.commit("c1", 0, 7)
        yield lambda: self.commit("c2", 1, 8)
        yield lambda: self.leave("c2")
        yield self.restart
        yield lambda: self.join("c1")
        yield lambda: self.commit("c1", 0, 3)
        yield lambda: self.commit("c1", 2, 9)
        yield lambda: self.scene.clock.advance(SESSION_MS / 1000)
        yield lambda: self.join("c3")
        yield lambda: self.commit("c3", 2, 10)
        yield self.restart
        yield lambda: self.join("c3")
        yield lambda: self.commit("c3", 1, 11)

    def start(self) -> None:
        self.scene.start()

    def restart(self) -> None:
        self.scene.restart()

    def join(self, member: str) -> None:
        joined = self.scene.groups.join("g", "orders", member, None, SESSION_MS)
        joined.addCallback(lambda assignment: self._rose(assignment.generation))
        self.answered(joined)

    def leave(self, member: str) -> None:
        left = self.scene.groups.leave("g", "orders", member, self.generation)
        self.answered(left.addCallback(lambda _: self._rose(self.generation + 1)))

    def commit(self, member: str, partition: int, offset: int) -> None:
        self.maybe[partition].add(offset)
        committed = self.scene.groups.commit("g", "orders", member, self.generation, partition, offset)
        self.answered(committed.addCallback(lambda _: self._committed(partition, offset)))

    def answered(self, asked: "Deferred[Any]") -> None:
        """An answer counts from the moment it leaves, whatever happens next."""
        failed: list[Failure] = []
        asked.addErrback(failed.append)
        self.scene.turn()
        if failed:
            failed[0].raiseException()

    def check(self, case: SynchronousTestCase) -> None:
        """On a started broker: no acknowledged commit is missing or older, no generation falls, old generations are fenced."""
        scene = self.scene
        for partition, offset in self.offsets.items():
            case.assertIn(scene.committed(partition), {offset, *self.maybe[partition]}, (partition, self.acknowledged))
        assignment = scene.join("x")
        case.assertGreater(assignment.generation, self.generation)
        zombie = scene.groups.commit("g", "orders", "c1", self.generation, 0, 999)
        with case.assertRaises(GenerationMismatch):
            scene.done(zombie)
        scene.commit("x", assignment.generation, assignment.partitions[0], 77)
        case.assertEqual(scene.kill().join("x"), assignment)
        case.assertEqual(scene.committed(assignment.partitions[0]), 77)

    def _rose(self, generation: int) -> None:
        if generation < self.generation:
            raise ValueError(f"generation {self.generation} fell to {generation}")
        self.generation = generation

    def _committed(self, partition: int, offset: int) -> None:
        self.offsets[partition] = offset
        self.maybe[partition] = set()
        self.acknowledged += 1


class PowerTests(SynchronousTestCase):
    def test_a_power_cut_at_any_call_loses_nothing_acknowledged(self) -> None:
        """Every call of the whole story, of its starts and stops too; then a second cut while it recovers."""
        calls = self.calls_of_the_story()
        self.assertGreater(calls, 200)
        for call in range(1, calls + 1):
            story = self.cut_short(Story(call), call)
            if call % 3 == 0:
                story.scene.disk.cut_at(story.scene.disk.calls + 1 + call % 29)
            self.revived(story).check(self)
            self.flushLoggedErrors()

    def test_a_kill_at_any_call_loses_nothing_acknowledged(self) -> None:
        """What was written survives a kill: so it is enough to look at every third call."""
        for call in range(1, self.calls_of_the_story() + 1, 3):
            story = self.cut_short(Story(call), call, kill=True)
            self.revived(story).check(self)
            self.flushLoggedErrors()

    def test_without_sync_a_power_cut_may_lose_commits_but_never_makes_any_up(self) -> None:
        """fsync_mode=never promises no more; the start always succeeds, with offsets that were once committed."""
        for call in range(5, self.calls_of_the_story(FsyncMode.NEVER), 5):
            story = self.cut_short(Story(call, FsyncMode.NEVER), call)
            scene = self.revived(story).scene
            for partition in range(3):
                self.assertIn(scene.committed(partition), {None, *range(12)})
            self.assertIsInstance(scene.join("x"), Assignment)
            self.flushLoggedErrors()

    def calls_of_the_story(self, mode: FsyncMode = FsyncMode.ALWAYS) -> int:
        story = Story(0, mode)
        for step in story.steps():
            step()
        scene = story.scene
        self.assertEqual([scene.committed(partition) for partition in range(3)], [3, 11, 10])
        self.assertGreater(scene.log.start_offset, 0)
        return scene.disk.calls

    def cut_short(self, story: Story, call: int, kill: bool = False) -> Story:
        disk = story.scene.disk
        disk.kill_at(call) if kill else disk.cut_at(call)
        try:
            for step in story.steps():
                step()
        except (Stopped, FluxError, AssertionError):
            pass
        return story

    def revived(self, story: Story) -> Story:
        for _ in range(3):
            try:
                story.scene.revive()
                return story
            except Stopped:
                pass
        raise AssertionError("the broker does not start any more")
