from flux.errors import GenerationMismatch
from flux.group.group import GroupState
from flux.interfaces import Assignment
from tests.group.scene import GroupTestCase


class SessionTests(GroupTestCase):
    def test_a_silent_member_is_expelled_by_the_timer_alone(self) -> None:
        """Nobody calls. Its partitions move, the generation rises, and the event names it with its age."""
        scene = self.scene
        scene.join("c1")
        scene.join("c2")
        for _ in range(8):
            scene.clock.advance(1)
            scene.done(scene.groups.heartbeat("g", "orders", "c1", 3))
        end = scene.log.end_offset
        scene.clock.advance(1.999)
        self.assertEqual(scene.log.end_offset, end)
        scene.clock.advance(0.001)
        self.assertEqual(scene.log.end_offset, end + 1)
        self.assertEqual(scene.join("c1"), Assignment(4, (0, 1, 2)))
        event = scene.done(scene.groups.explain("g"))[-1]
        self.assertEqual(
            (event["cause"], event["members"], event["before"]["generation"], event["after"]["generation"]),
            ("expired", [{"member": "c2", "silent_ms": 10_000}], 3, 4),
        )

    def test_join_sync_heartbeat_and_commit_are_signs_of_life(self) -> None:
        """Each alone keeps a member for another session."""
        scene, groups = self.scene, self.scene.groups
        generation = scene.join("c1").generation
        signs = [
            lambda: scene.done(groups.sync("g", "orders", "c1", generation)),
            lambda: scene.done(groups.heartbeat("g", "orders", "c1", generation)),
            lambda: scene.done(groups.commit("g", "orders", "c1", generation, 0, 1)),
            lambda: scene.join("c1"),
            lambda: self.refused(GenerationMismatch, groups.commit("g", "orders", "c1", generation, 99, 1)),
        ]
        for sign in signs:
            scene.clock.advance(9.5)
            sign()
        scene.clock.advance(9.5)
        self.assertEqual(scene.join("c1").generation, generation)
        scene.clock.advance(10)
        self.assertEqual(scene.join("c1").generation, generation + 2)

    def test_a_stale_generation_is_no_sign_of_life(self) -> None:
        """A member that does not notice the rebalance loses its place."""
        scene, groups = self.scene, self.scene.groups
        scene.join("c1")
        scene.join("c2", session_ms=60_000)
        for _ in range(10):
            scene.clock.advance(1)
            self.refused(GenerationMismatch, groups.heartbeat("g", "orders", "c1", 2))
        self.assertEqual(scene.join("c2"), Assignment(4, (0, 1, 2)))

    def test_a_sweep_raises_by_one_however_many_it_takes(self) -> None:
        """Three fell silent together."""
        scene = self.scene
        for member in ("c1", "c2", "c3"):
            scene.join(member)
        scene.clock.advance(10)
        self.assertEqual(scene.join("c4"), Assignment(6, (0, 1, 2)))
        self.assertEqual(scene.events()[-2:], [("expired", 5), ("joined", 6)])

    def test_a_member_may_ask_for_its_own_session(self) -> None:
        """And change it by joining again."""
        scene = self.scene
        scene.join("c1", session_ms=60_000)
        scene.join("c2", session_ms=500)
        scene.clock.advance(0.5)
        self.assertEqual(scene.join("c1", session_ms=200), Assignment(4, (0, 1, 2)))
        scene.clock.advance(0.2)
        self.assertEqual(scene.events()[-1], ("expired", 5))

    def test_a_late_timer_does_not_let_a_silent_member_speak_first(self) -> None:
        """The deadline is compared when it asks: after a pause of ours it is refused, and owns nothing."""
        scene = self.scene
        scene.join("c1")
        scene.clock.rightNow += 10  # a paused process: time has passed, no timer has run
        self.assertIn(
            "not the current", self.refused(GenerationMismatch, scene.groups.commit("g", "orders", "c1", 2, 0, 1))
        )
        self.assertIsNone(scene.committed(0))

    def test_a_zombie_cannot_commit(self) -> None:
        """Paused over its session, then committing: refused by name, and the offset stays the new owner's."""
        scene, groups = self.scene, self.scene.groups
        zombie = scene.join("c1")
        scene.commit("c1", zombie.generation, 0, 5)
        scene.clock.advance(10)
        owner = scene.join("c2")
        scene.commit("c2", owner.generation, 0, 9)
        text = self.refused(GenerationMismatch, groups.commit("g", "orders", "c1", zombie.generation, 0, 6))
        self.assertIn(f"{zombie.generation} is not the current generation", text)
        text = self.refused(GenerationMismatch, groups.commit("g", "orders", "c1", owner.generation, 0, 6))
        self.assertIn("'c1' is not a member", text)
        self.assertEqual(scene.committed(0), 9)
        self.assertEqual(scene.kill().committed(0), 9)

    def test_after_a_restart_every_member_has_a_full_session(self) -> None:
        """Not one from when it was last heard: nobody could speak meanwhile."""
        scene = self.scene
        scene.join("c1")
        scene.clock.advance(9)
        scene.kill()
        scene.clock.advance(9.9)
        self.assertEqual(scene.join("c1").generation, 2)
        scene.kill().clock.advance(10)
        self.assertEqual(scene.events()[-1], ("expired", 3))

    def test_there_is_one_timer_however_many_members(self) -> None:
        """And none when nobody is there."""
        scene = self.scene
        without = len(scene.clock.getDelayedCalls())
        for number in range(50):
            scene.join(f"c{number}", session_ms=60_000 - number)
        scene.turn()
        self.assertEqual(len(scene.clock.getDelayedCalls()), without + 1)
        scene.clock.advance(60)
        scene.turn()
        self.assertEqual(len(scene.clock.getDelayedCalls()), without)

    def test_a_group_is_stable_when_everybody_knows_the_generation(self) -> None:
        """Whoever joined knows it; the others must be heard of first."""
        scene, groups = self.scene, self.scene.groups

        def state() -> str:
            return str(scene.done(groups.groups())[0]["state"])

        scene.join("c1")
        self.assertEqual(state(), GroupState.STABLE.value)
        scene.join("c2")
        self.assertEqual(state(), GroupState.REBALANCING.value)
        scene.join("c1")
        self.assertEqual(state(), GroupState.STABLE.value)
        scene.clock.advance(10)
        self.assertEqual(state(), GroupState.EMPTY.value)
