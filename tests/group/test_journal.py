import errno
from collections.abc import Callable
from typing import Any

from flux.errors import DiskFull, GenerationMismatch, NotLeader, StorageError
from flux.interfaces import Assignment
from flux.model import FsyncMode
from flux.testing import QueuedThread
from tests.group.scene import GroupTestCase, Scene

LOG_FILE = f"__consumer_offsets-0/{0:020d}.log"


def only(*names: str) -> Callable[[str], bool]:
    return lambda path: any(name in path for name in names)


class StartTests(GroupTestCase):
    """What a start makes of what it finds."""

    def setUp(self) -> None:
        self.scene = Scene(group_snapshot_records=10**9, group_snapshot_interval_ms=10**9).start()

    def test_without_any_snapshot_the_log_tells_everything(self) -> None:
        """Generations, members, events, offsets."""
        scene = self.scene
        scene.join("c1")
        scene.join("c2")
        scene.commit("c2", 3, 1, 8)
        events = scene.events()
        scene.cut()
        self.assertEqual((scene.committed(1), scene.events()), (8, events))
        self.assertEqual(scene.done(scene.groups.sync("g", "orders", "c2", 3)), Assignment(3, (1,)))

    def test_a_snapshot_and_the_tail_of_the_log_tell_everything(self) -> None:
        """What came after the snapshot counts; what came before it is not replayed over it."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 5)
        scene.restart()
        scene.commit("c1", 2, 0, 6)
        scene.commit("c1", 2, 1, 7)
        scene.join("c2")
        scene.cut()
        self.assertEqual((scene.committed(0), scene.committed(1)), (6, 7))
        self.assertEqual(scene.events(), [("joined", 2), ("joined", 3)])

    def test_a_group_that_everybody_has_left_is_remembered(self) -> None:
        """By the snapshot alone: its generation goes on, its state is empty."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 5)
        scene.clock.advance(10)
        scene.restart()
        self.assertEqual(scene.done(scene.groups.groups())[0]["state"], "empty")
        self.assertEqual((scene.committed(0), scene.join("c1")), (5, Assignment(4, (0, 1, 2))))

    def test_a_lost_snapshot_is_rebuilt_from_the_log_that_reaches_back(self) -> None:
        """Either file, both, and with or without its predecessor."""
        for lost in (["offsets.json"], ["groups.json"], ["offsets.json", "groups.json"]):
            scene = self.with_two_snapshots()
            for name in lost:
                scene.disk.lose(name)
            self.assertEqual((scene.kill().committed(0), scene.events()[-1]), (3, ("joined", 4)))
            scene = self.with_two_snapshots()
            for name in lost:
                scene.disk.lose(name)
                scene.disk.lose(name + ".prev")
            self.assertEqual((scene.kill().committed(0), scene.events()[-1]), (3, ("joined", 4)))

    def test_a_damaged_snapshot_is_made_good_from_its_predecessor_and_the_log(self) -> None:
        """And when both are damaged, from a log that reaches back to the beginning."""
        for name in ("offsets.json", "groups.json"):
            scene = self.with_two_snapshots()
            scene.disk.flip_byte(name, 120)
            self.assertEqual((scene.kill().committed(0), scene.events()[-1]), (3, ("joined", 4)))
            scene.disk.flip_byte(name + ".prev", 120)
            self.assertEqual((scene.kill().committed(0), scene.events()[-1]), (3, ("joined", 4)))

    def test_where_neither_can_be_used_the_start_refuses_and_names_the_file(self) -> None:
        """The log was cut behind the snapshots, and then one of them is lost or damaged with its predecessor: never *no offsets*."""
        for name in ("offsets.json", "groups.json"):
            for harm in ("lose", "flip"):
                scene = Scene(group_snapshot_records=20, group_snapshot_interval_ms=10**9, kept_log_bytes=0).start()
                scene.join("c1", session_ms=10**7)
                for offset in range(300):
                    scene.commit("c1", 2, 0, offset)
                self.assertGreater(scene.log.start_offset, 0)
                for victim in (name, name + ".prev"):
                    if harm == "lose":
                        scene.disk.lose(victim)
                    else:
                        scene.disk.flip_byte(victim, 120)
                with self.assertRaises(StorageError) as caught:
                    scene.kill()
                self.assertIn(name, str(caught.exception))
                self.assertIn("backup", str(caught.exception))

    def test_one_of_another_form_is_refused_by_name(self) -> None:
        """Whole, but written by a version that means something else by it."""
        scene = self.scene
        scene.stop()
        forms: list[dict[str, Any]] = [
            {"log_offset": 0, "offsets": []},
            {"offsets": {}},
            {"log_offset": 0, "offsets": {"g": 7}},
        ]
        for data in forms:
            scene.checkpoint("offsets.json").save_now(data)
            with self.assertRaises(StorageError) as caught:
                scene.kill()
            self.assertIn("offsets.json", str(caught.exception))

    def test_a_log_that_somebody_removed_does_not_take_the_offsets_with_it(self) -> None:
        """Both snapshots are complete: the start goes on from them, and what is committed then is not hidden by them later."""
        scene = self.with_two_snapshots(tail=False)
        for entry in scene.disk.root.child("__consumer_offsets-0").list():
            scene.disk.lose(f"__consumer_offsets-0/{entry.name}")
        scene.disk.lose("__consumer_offsets-0")
        for entry in scene.disk.root.list():
            if entry.name.startswith("recovery-points"):
                scene.disk.lose(entry.name)
        scene.kill()
        self.assertEqual((scene.log.end_offset, scene.committed(0)), (0, 3))
        scene.commit("c1", 4, 0, 4)
        self.assertEqual(scene.cut().committed(0), 4)
        scene.disk.lose("offsets.json")
        self.assertEqual(scene.kill().committed(0), 4)

    def test_a_log_that_begins_after_the_snapshot_is_damaged_and_says_so(self) -> None:
        """Its first segment is gone: what is left counts, and every generation is fenced."""
        scene = Scene(group_snapshot_records=10**9, group_snapshot_interval_ms=10**9, segment_bytes=400).start()
        scene.join("c1")
        scene.restart()
        for offset in range(9):
            scene.commit("c1", 2, 0, offset)
        files = [
            entry.name for entry in scene.disk.root.child("__consumer_offsets-0").list() if entry.name.endswith(".log")
        ]
        for name in files[:2]:
            scene.disk.lose(f"__consumer_offsets-0/{name}")
        scene.kill()
        self.assertEqual((scene.committed(0), scene.events()[-1][0]), (8, "log_damaged"))
        self.refused(GenerationMismatch, scene.groups.commit("g", "orders", "c1", 2, 0, 9))

    def test_a_log_cut_behind_one_snapshot_only_is_refused(self) -> None:
        """Between the two, records are missing that nobody else has."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 5)
        scene.stop()
        scene.checkpoint("groups.json").save_now({"log_offset": 9, "groups": {}})
        with self.assertRaises(StorageError) as caught:
            scene.kill()
        self.assertIn(
            "offsets.json includes the group log up to offset 2, the other snapshot up to 9", str(caught.exception)
        )

    def test_damage_in_the_log_is_reported_and_no_generation_is_used_again(self) -> None:
        """What the damaged record said is lost; what came after it holds, and every generation is fenced."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 5)
        position = scene.log.size_bytes
        scene.commit("c1", 2, 0, 6)
        scene.commit("c1", 2, 1, 7)
        scene.disk.flip_byte(LOG_FILE, position + 70)
        scene.kill()
        self.assertEqual((scene.committed(0), scene.committed(1)), (5, 7))
        self.assertEqual(scene.events(), [("joined", 2), ("log_damaged", 4)])
        self.refused(GenerationMismatch, scene.groups.commit("g", "orders", "c1", 2, 0, 8))
        self.assertEqual(scene.join("c1").generation, 4)

    def test_a_torn_tail_is_no_loss(self) -> None:
        """Nobody was told of what a power cut tore: no generation is fenced, now or at a later start."""
        for seed in range(8):
            scene = Scene(seed, group_snapshot_records=10**9, group_snapshot_interval_ms=10**9).start()
            scene.join("c1")
            if seed % 2:
                scene.restart()  # the torn batch is the first one after the snapshot
            for _ in range(3):
                for offset in range(3):
                    scene.groups.commit("g", "orders", "c1", 2, 0, offset).addErrback(lambda failure: None)
                scene.cut()
                scene.commit("c1", 2, 1, seed)
            self.assertEqual((scene.events(), scene.committed(1)), ([("joined", 2)], seed))

    def test_a_record_of_an_unknown_kind_stops_the_start(self) -> None:
        """A newer version wrote it: passing it over would forget what it says."""
        scene = self.scene
        scene.join("c1")
        scene.append_to_group_log(b'["transaction","g"]', b"{}")
        with self.assertRaises(StorageError) as caught:
            scene.kill()
        self.assertIn("kind 'transaction'", str(caught.exception))

    def with_two_snapshots(self, tail: bool = True) -> Scene:
        scene = Scene(group_snapshot_records=10**9, group_snapshot_interval_ms=10**9).start()
        scene.join("c1")
        scene.commit("c1", 2, 0, 1)
        scene.restart()
        scene.join("c2")
        scene.restart()
        scene.join("c3")
        if not tail:
            scene.commit("c1", 4, 0, 3)
            scene.restart()
            return scene
        scene.commit("c1", 4, 0, 3)
        return scene


class FailureTests(GroupTestCase):
    def test_a_refused_write_changes_nothing(self) -> None:
        """A full disk: the join and the commit are refused, and work when there is space again."""
        scene = Scene(capacity=20_000).start()
        scene.join("c1", session_ms=10**7)
        scene.commit("c1", 2, 0, 1)
        scene.disk.capacity = scene.disk.used
        self.refused(DiskFull, scene.groups.commit("g", "orders", "c1", 2, 0, 2))
        self.refused(DiskFull, scene.groups.join("g", "orders", "c2", None, None))
        self.refused(DiskFull, scene.groups.leave("g", "orders", "c1", 2))
        self.assertEqual((scene.committed(0), scene.events()), (1, [("joined", 2)]))
        scene.disk.capacity = None
        scene.commit("c1", 2, 0, 2)
        self.assertEqual(scene.join("c2"), Assignment(3, (1,)))
        self.assertEqual(scene.kill().committed(0), 2)

    def test_an_expiry_the_disk_refuses_is_tried_again(self) -> None:
        """The member keeps its place meanwhile: nobody else has its partitions."""
        scene = Scene(capacity=10**6).start()
        scene.join("c1")
        scene.disk.capacity = scene.disk.used
        scene.clock.advance(10)
        self.assertEqual(scene.events(), [("joined", 2)])
        scene.clock.advance(1)
        scene.disk.capacity = None
        scene.clock.advance(1)
        self.assertEqual(scene.events(), [("joined", 2), ("expired", 3)])

    def test_after_a_failed_sync_everything_is_refused_until_a_restart(self) -> None:
        """What was applied may be gone: nothing is built on it, and no timer acts on it. A restart finds what is there."""
        scene = self.scene
        scene.join("c1")
        scene.commit("c1", 2, 0, 1)
        scene.disk.fail(errno.EIO, "datasync", where=only("__consumer_offsets"))
        self.refused(StorageError, scene.groups.commit("g", "orders", "c1", 2, 0, 2))
        for asked in (
            scene.groups.join("g", "orders", "c1", None, None),
            scene.groups.heartbeat("g", "orders", "c1", 2),
            scene.groups.committed("g", "orders", 0),
            scene.groups.describe("g"),
        ):
            self.refused(StorageError, asked)
        scene.clock.advance(100)
        scene.topics.create_topic("orders", 9, 1, {})
        scene.topics = type(scene.topics)()
        scene.topics.create_topic("orders", 3, 1, {})
        self.assertEqual(scene.cut().committed(0), 1)
        self.assertEqual(scene.join("c1").generation, 2)

    def test_a_lost_leadership_is_no_lost_state(self) -> None:
        """Who waits is told NOT_LEADER, who asks meanwhile too; when the broker leads again it goes on from what the log says."""
        thread = QueuedThread()
        scene = Scene(in_thread=thread)
        scene.start()
        joined = scene.groups.join("g", "orders", "c1", None, None)
        commit = scene.groups.commit("g", "orders", "c1", 2, 0, 7)
        scene.partition.follow(5, "is led by broker 1")
        self.failureResultOf(joined, NotLeader)
        self.failureResultOf(commit, NotLeader)
        self.failureResultOf(scene.groups.commit("g", "orders", "c1", 2, 0, 8), NotLeader)
        asked = scene.groups.committed("g", "orders", 0)
        self.assertNoResult(asked)
        scene.partition.lead(6, 1, (0,))
        for _ in range(10):
            thread.perform_all()
            scene.turn()
        self.assertEqual(self.successResultOf(asked), 7)
        again = scene.groups.join("g", "orders", "c1", None, None)
        self.assertEqual(self.successResultOf(again), Assignment(2, (0, 1, 2)))

    def test_the_other_fsync_modes_promise_what_they_say(self) -> None:
        """Nothing waits for the disk, a killed process loses nothing, and a snapshot never knows more than the log."""
        for mode in (FsyncMode.INTERVAL, FsyncMode.NEVER):
            scene = Scene(mode=mode, group_snapshot_records=7).start()
            scene.join("c1", session_ms=10**7)
            for offset in range(20):
                asked = scene.groups.commit("g", "orders", "c1", 2, 0, offset)
                self.assertIsNone(self.successResultOf(asked))
            scene.turn()
            self.assertEqual(scene.kill().committed(0), 19)
            for _ in range(5):
                scene.cut()
                scene.join("c1", session_ms=10**7)
                generation = scene.join("c1", session_ms=10**7).generation
                for offset in range(20, 30):
                    scene.commit("c1", generation, 0, offset)
                self.assertEqual(scene.kill().committed(0), 29)
