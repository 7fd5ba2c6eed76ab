import errno
import json
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from flux.storage.checkpoint import read_file
from tests.group.scene import GroupTestCase, Scene


def only(*names: str) -> Callable[[str], bool]:
    return lambda path: any(name in path for name in names)


class SlowClock(Clock):
    """Every look at it takes 3 ms; a turn makes the calls that were due when it began, as a reactor's does."""

    def seconds(self) -> float:
        self.rightNow += 0.003
        return self.rightNow

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.calls if call.getTime() <= self.rightNow]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


class SnapshotTests(GroupTestCase):
    def test_both_files_are_readable_and_name_the_offset_they_include(self) -> None:
        """What a person sees in the data directory after a clean stop."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 17)
        scene.stop()
        offsets, groups = self.content("offsets.json"), self.content("groups.json")
        self.assertEqual(offsets, {"log_offset": 2, "offsets": {"g": {"orders": {"0": 17}}}})
        self.assertEqual(groups["log_offset"], 2)
        self.assertEqual(
            groups["groups"]["g"]["topics"],
            {
                "orders": {
                    "generation": 2,
                    "assignor": "round_robin",
                    "partitions": 3,
                    "members": {"c1": {"session_ms": 10_000, "assigned": [0, 1, 2]}},
                }
            },
        )

    def test_they_are_taken_by_count_and_by_time(self) -> None:
        """Every so many records, and after a while whatever has changed; nothing changed, nothing is written."""
        scene = Scene(group_snapshot_records=5, group_snapshot_interval_ms=1000).start()
        scene.join("c1", session_ms=60_000)
        for offset in range(3):
            scene.commit("c1", 2, 0, offset)
        self.assertEqual(self.content("offsets.json", scene)["log_offset"], 0)
        scene.commit("c1", 2, 0, 3)
        scene.turn()
        self.assertEqual(self.content("offsets.json", scene)["log_offset"], 5)
        scene.commit("c1", 2, 0, 4)
        scene.clock.advance(1)
        scene.turn()
        self.assertEqual(self.content("groups.json", scene)["log_offset"], 6)
        calls = scene.disk.calls
        scene.clock.advance(1)
        scene.turn()
        self.assertEqual([call for call in scene.disk.log[calls:] if "json" in call.path], [])

    def test_a_large_state_is_not_written_again_for_every_few_records(self) -> None:
        """As many records as there are entries come between two snapshots: so each pays the same, however large the state."""
        scene = Scene(group_snapshot_records=5, group_snapshot_interval_ms=10**9).start()
        scene.topics.create_topic("orders", 200, 1, {})
        scene.join("c1", session_ms=10**7)
        for round_ in range(6):
            for partition in range(200):
                scene.commit("c1", 2, partition, round_)
        saves = [call for call in scene.disk.log if call.kind == "rename" and call.path.endswith("/offsets.json")]
        self.assertLess(len(saves), 14)
        self.assertGreater(len(saves), 4)

    def test_the_log_is_cut_to_what_a_snapshot_and_its_predecessor_include(self) -> None:
        """It stays small however much is committed, and never begins after what ``.prev`` names."""
        scene = Scene(group_snapshot_records=20, group_snapshot_interval_ms=10**9, kept_log_bytes=0).start()
        scene.join("c1", session_ms=10**7)
        largest = 0
        for offset in range(600):
            scene.commit("c1", 2, 0, offset)
            largest = max(largest, scene.log.size_bytes)
            for name in ("offsets.json.prev", "groups.json.prev") if offset > 40 else ():
                self.assertLessEqual(scene.log.start_offset, self.content(name, scene)["log_offset"])
        self.assertGreater(scene.log.start_offset, 500)
        self.assertLess(largest, 12_000)
        self.assertEqual(scene.cut().committed(0), 599)

    def test_a_snapshot_that_cannot_be_written_loses_nothing(self) -> None:
        """ENOSPC at each of its calls: commits go on, the log is not cut, and the next snapshot mends it."""
        for kind in ("create", "append", "datasync", "rename", "sync"):
            for name in ("offsets.json", "groups.json"):
                scene = Scene(group_snapshot_records=4, group_snapshot_interval_ms=1000).start()
                scene.join("c1", session_ms=10**7)
                about = (lambda path: path == "/") if kind == "sync" else only(name)
                for offset in range(4):
                    scene.commit("c1", 2, 0, offset)
                scene.disk.fail(errno.ENOSPC, kind, where=about, times=None)
                with capturedLogs() as events:
                    for offset in range(4, 10):
                        scene.commit("c1", 2, 0, offset)
                lines = [formatEvent(event) for event in events]
                self.assertTrue(any("snapshots are not saved" in line and "No space" in line for line in lines), lines)
                scene.disk.heal()
                again = scene.kill() if kind == "append" else scene.cut()
                self.assertEqual(again.committed(0), 9, (kind, name))
                again.restart()
                self.assertEqual(self.content("offsets.json", again)["log_offset"], again.log.end_offset)
                self.assertEqual(again.committed(0), 9, (kind, name))

    def test_a_large_snapshot_lets_others_in_between(self) -> None:
        """It is made a slice at a time; what is committed meanwhile is answered, and is not in it."""
        scene = Scene(group_snapshot_records=10**9, group_snapshot_interval_ms=1000)
        scene.clock = SlowClock()
        scene.start()
        for number in range(20):
            scene.join("c1", group=f"g{number:02}", session_ms=10**7)
        scene.join("c1", session_ms=10**7)
        scene.commit("c1", 2, 0, 1)
        end = scene.log.end_offset
        scene.clock.advance(1)
        committed = scene.groups.commit("g", "orders", "c1", 2, 0, 2)
        turns = answered_after = 0
        while self.content("groups.json", scene)["log_offset"] < end and turns < 100:
            scene.turn(1)
            turns += 1
            answered_after = answered_after or (turns if committed.called else 0)
        self.assertTrue(0 < answered_after < 8 < turns < 100, (answered_after, turns))
        self.assertEqual(
            [self.content(name, scene)["log_offset"] for name in ("offsets.json", "groups.json")], [end, end]
        )
        self.assertEqual(self.content("offsets.json", scene)["offsets"], {"g": {"orders": {"0": 1}}})
        self.assertEqual(len(self.content("groups.json", scene)["groups"]), 21)
        self.assertEqual(scene.kill().committed(0), 2)

    def content(self, name: str, scene: Scene | None = None) -> dict[str, Any]:
        data = read_file((scene or self.scene).disk.root, name)
        assert data is not None, name
        content: dict[str, Any] = json.loads(data)["data"]
        return content
