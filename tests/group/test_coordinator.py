from typing import Any

from twisted.internet.defer import Deferred

from flux.errors import BadRequest, GenerationMismatch, ShuttingDown, Throttled
from flux.group.limits import MAX_NAME, MAX_SESSION_MS
from flux.interfaces import Assignment
from flux.testing import QueuedThread
from tests.group.scene import GroupTestCase, Scene


class MembershipTests(GroupTestCase):
    def test_a_groups_life(self) -> None:
        """Join, share, commit, leave, come again: generations rise by one at each change and only then."""
        scene, groups = self.scene, self.scene.groups
        self.assertEqual(scene.join("c1"), Assignment(2, (0, 1, 2)))
        self.assertEqual(scene.join("c1"), Assignment(2, (0, 1, 2)))
        self.assertEqual(scene.done(groups.sync("g", "orders", "c1", 2)), Assignment(2, (0, 1, 2)))
        self.assertIsNone(scene.done(groups.heartbeat("g", "orders", "c1", 2)))
        self.assertIsNone(scene.committed(0))
        scene.commit("c1", 2, 2, 1)
        self.assertEqual(scene.committed(2), 1)
        self.assertEqual(scene.join("c2"), Assignment(3, (1,)))
        self.refused(GenerationMismatch, groups.heartbeat("g", "orders", "c1", 2))
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 2)))
        self.refused(GenerationMismatch, groups.commit("g", "orders", "c1", 2, 0, 1))
        self.refused(GenerationMismatch, groups.commit("g", "orders", "c1", 3, 1, 1))
        self.assertIsNone(scene.done(groups.leave("g", "orders", "c1", 3)))
        self.assertEqual(scene.join("c2"), Assignment(4, (0, 1, 2)))
        self.assertIsNone(scene.done(groups.leave("g", "orders", "c2", 4)))
        self.assertEqual(scene.join("c9"), Assignment(6, (0, 1, 2)))
        self.assertEqual(scene.events(), [("joined", 2), ("joined", 3), ("left", 4), ("left", 5), ("joined", 6)])

    def test_a_refusal_names_what_is_wrong(self) -> None:
        """Group, topic, generation, member, partition."""
        scene, groups = self.scene, self.scene.groups
        scene.join("c1")
        table: list[tuple[Deferred[Any], str]] = [
            (groups.sync("g", "orders", "c1", 1), "generation: 1 is not the current"),
            (groups.sync("g", "orders", "c1", 3), "which is 2"),
            (groups.sync("g", "other", "c1", 2), "topic: group 'g' is not on topic 'other'"),
            (groups.sync("nogroup", "orders", "c1", 2), "group: there is no group 'nogroup'"),
            (groups.heartbeat("g", "orders", "ghost", 2), "consumer id: 'ghost' is not a member"),
            (groups.leave("g", "orders", "ghost", 2), "consumer id: 'ghost' is not a member"),
            (groups.commit("g", "orders", "c1", 2, 9, 5), "partition: 9 of topic 'orders' is not assigned to 'c1'"),
        ]
        for asked, text in table:
            self.assertIn(text, self.refused(GenerationMismatch, asked))
        self.assertEqual(scene.join("c1").generation, 2)

    def test_bad_arguments_change_nothing(self) -> None:
        """Names that are too long, reserved topics, sessions without end, unknown assignors, negative offsets."""
        scene, groups = self.scene, self.scene.groups
        long = "x" * (MAX_NAME + 1)
        table: list[Deferred[Any]] = [
            groups.join(long, "orders", "c1", None, None),
            groups.join("g", "orders", long, None, None),
            groups.join("g", "orders", "", None, None),
            groups.join("g", "__consumer_offsets", "c1", None, None),
            groups.join("g", "a/b", "c1", None, None),
            groups.join("g", "orders", "c1", "sticky", None),
            groups.join("g", "orders", "c1", None, 0),
            groups.join("g", "orders", "c1", None, MAX_SESSION_MS + 1),
            groups.commit("g", "orders", "c1", 2, 0, -3),
            groups.describe("g"),
            groups.explain("g"),
        ]
        for asked in table:
            self.refused(BadRequest, asked)
        self.assertEqual((scene.done(groups.groups()), scene.log.end_offset, scene.topics.image.topics), ([], 0, {}))

    def test_assignors_are_the_groups_choice(self) -> None:
        """Range over the topic's own partitions, then round robin; a new assignor is a new generation."""
        scene = self.scene
        scene.topics.create_topic("wide", 5, 1, {})
        self.assertEqual(scene.join("c2", topic="wide", assignor="range"), Assignment(2, (0, 1, 2, 3, 4)))
        self.assertEqual(scene.join("c1", topic="wide", assignor="range"), Assignment(3, (0, 1, 2)))
        self.assertEqual(scene.join("c2", topic="wide", assignor="range"), Assignment(3, (3, 4)))
        self.assertEqual(scene.join("c2", topic="wide", assignor="round_robin"), Assignment(4, (1, 3)))
        self.assertEqual(scene.join("c2", topic="wide"), Assignment(4, (1, 3)))
        self.assertEqual(scene.join("c3", topic="wide", assignor="range"), Assignment(6, (4,)))

    def test_members_on_another_topic_are_not_disturbed(self) -> None:
        """Neither by a join, nor by a leave, nor by an expiry there; each topic counts its own generations."""
        scene, groups = self.scene, self.scene.groups
        scene.join("c1")
        self.assertEqual(scene.join("c1", topic="payments", session_ms=1000), Assignment(2, (0, 1, 2)))
        self.assertEqual(scene.join("c2", topic="payments", session_ms=1000), Assignment(3, (1,)))
        scene.done(groups.leave("g", "payments", "c2", 3))
        scene.clock.advance(1)
        self.assertEqual(scene.done(groups.sync("g", "orders", "c1", 2)), Assignment(2, (0, 1, 2)))
        self.assertEqual(scene.join("c3", topic="payments"), Assignment(6, (0, 1, 2)))

    def test_offsets_are_the_groups_own(self) -> None:
        """Another group on the same topic knows nothing of them; an offset may move backwards."""
        scene, groups = self.scene, self.scene.groups
        scene.join("c1")
        scene.join("c1", group="h")
        for offset in (10, 3):
            scene.commit("c1", 2, 0, offset)
            self.assertEqual(scene.committed(0), offset)
        self.assertIsNone(scene.done(groups.committed("h", "orders", 0)))
        self.assertIsNone(scene.done(groups.committed("nogroup", "orders", 0)))

    def test_limits_are_refused_and_nothing_is_done(self) -> None:
        """A known member passes: it takes no more room."""
        scene = Scene(max_groups=2, max_group_members=2).start()
        groups = scene.groups
        for group in ("g", "h"):
            for member in ("c1", "c2"):
                scene.join(member, group=group)
        with self.assertRaises(Throttled):
            scene.join("c1", group="i")
        with self.assertRaises(Throttled):
            scene.join("c3")
        with self.assertRaises(Throttled):
            scene.join("c1", topic="payments")
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 2)))
        self.assertEqual([one["members"] for one in scene.done(groups.groups())], [2, 2])

    def test_a_missing_topic_is_awaited_when_it_may_not_be_created(self) -> None:
        """Nothing to own, until it appears."""
        scene = self.scene
        scene.topics.auto_create = False
        self.assertEqual(scene.join("c1"), Assignment(2, ()))
        scene.topics.create_topic("orders", 2, 1, {})
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 1)))

    def test_before_the_start_and_after_the_stop_everything_is_refused(self) -> None:
        """SHUTTING_DOWN, and the log is left alone."""
        scene, groups = self.scene, self.scene.groups
        scene.join("c1")
        scene.stop()
        end = scene.log.end_offset
        asked: list[Deferred[Any]] = [
            groups.join("g", "orders", "c1", None, None),
            groups.commit("g", "orders", "c1", 2, 0, 1),
            groups.committed("g", "orders", 0),
            groups.groups(),
            groups.explain("g"),
        ]
        for one in asked:
            self.refused(ShuttingDown, one)
        self.assertEqual(scene.log.end_offset, end)
        self.assertEqual([call for call in scene.clock.getDelayedCalls() if call.active()], [])


class DurabilityTests(GroupTestCase):
    def test_nothing_is_answered_before_it_is_durable(self) -> None:
        """Not the join, nor what others are told on the strength of it, not even a refusal."""
        thread = QueuedThread()
        scene = Scene(in_thread=thread).start()
        groups = scene.groups
        scene.turn()
        thread.perform_all()
        asked: list[Deferred[Any]] = [
            groups.join("g", "orders", "c1", None, None),
            groups.heartbeat("g", "orders", "c1", 2),
            groups.heartbeat("g", "orders", "c1", 1),
            groups.commit("g", "orders", "c1", 2, 0, 7),
            groups.committed("g", "orders", 0),
            groups.explain("g"),
        ]
        order: list[object] = []
        for one in asked:
            one.addErrback(lambda failure: failure.type).addCallback(order.append)
        scene.turn()
        self.assertEqual(order, [])
        for _ in range(10):
            thread.perform_all()
            scene.turn()
        self.assertEqual(order[:3], [Assignment(2, (0, 1, 2)), None, GenerationMismatch])
        self.assertEqual(order[3:5], [None, 7])
        self.assertEqual(len(order), 6)

    def test_a_waiting_client_may_go_away(self) -> None:
        """Its wait ends, what it asked for is done all the same, and nobody else notices."""
        thread = QueuedThread()
        scene = Scene(in_thread=thread).start()
        gone = scene.groups.join("g", "orders", "c1", None, None)
        stays = scene.groups.join("g", "orders", "c1", None, None)
        gone.cancel()
        gone.addErrback(lambda failure: None)
        for _ in range(10):
            thread.perform_all()
            scene.turn()
        self.assertEqual(self.successResultOf(stays), Assignment(2, (0, 1, 2)))
