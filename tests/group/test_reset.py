from typing import Literal

from flux.errors import BadRequest, GenerationMismatch
from flux.interfaces import Assignment, OffsetMove, Reset, ResetTo
from flux.model import TopicPartition
from tests.group.scene import GroupTestCase

Where = Literal["earliest", "latest", "offset", "time"]


class ResetTests(GroupTestCase):
    def setUp(self) -> None:
        super().setUp()
        scene = self.scene
        scene.join("c1", session_ms=10**7)
        for partition, count in ((0, 4), (1, 2)):
            scene.produce(TopicPartition("orders", partition), count)
        scene.clock.advance(10)
        scene.produce(TopicPartition("orders", 0), 3)
        scene.commit("c1", 2, 0, 5)

    def reset(self, where: Where, value: int = 0, dry_run: bool = False) -> Reset:
        return self.scene.done(self.scene.groups.reset("g", "orders", ResetTo(where, value), dry_run))

    def test_every_target_is_found_in_every_partition(self) -> None:
        """Both ends, an offset, a time; never outside what a partition holds."""
        late = int(self.scene.now() * 1000)
        table: list[tuple[Where, int, list[int]]] = [
            ("earliest", 0, [0, 0, 0]),
            ("latest", 0, [7, 2, 0]),
            ("offset", 3, [3, 2, 0]),
            ("time", late - 20_000, [0, 0, 0]),
            ("time", late - 5_000, [4, 2, 0]),
            ("time", late + 1, [7, 2, 0]),
        ]
        for where, value, after in table:
            done = self.reset(where, value, dry_run=True)
            self.assertEqual([move.after for move in done.moves], after, (where, value))

    def test_a_dry_run_only_says_what_it_would_do(self) -> None:
        """Nothing is written, nobody is fenced."""
        end = self.scene.log.end_offset
        done = self.reset("earliest", dry_run=True)
        self.assertEqual(done, Reset(2, (OffsetMove(0, 5, 0), OffsetMove(1, None, 0), OffsetMove(2, None, 0))))
        self.assertEqual((self.scene.log.end_offset, self.scene.committed(0)), (end, 5))
        self.assertEqual(self.scene.join("c1").generation, 2)

    def test_a_live_group_is_fenced(self) -> None:
        """What a consumer commits before it knows is refused; it joins again, owns the same, and goes on from there."""
        scene, groups = self.scene, self.scene.groups
        self.assertEqual(self.reset("offset", 1).moves[0], OffsetMove(0, 5, 1))
        for asked in (groups.commit("g", "orders", "c1", 2, 0, 6), groups.heartbeat("g", "orders", "c1", 2)):
            self.assertIn("2 is not the current generation", self.refused(GenerationMismatch, asked))
        self.assertEqual(scene.join("c1"), Assignment(3, (0, 1, 2)))
        self.assertEqual([scene.committed(partition) for partition in range(3)], [1, 1, 0])
        event = scene.done(groups.explain("g"))[-1]
        self.assertEqual((event["cause"], event["detail"], event["after"]["generation"]), ("reset", "to=offset:1", 3))
        self.assertEqual([scene.cut().committed(partition) for partition in range(3)], [1, 1, 0])

    def test_an_empty_group_is_moved_without_a_new_generation(self) -> None:
        """Nobody is there to be fenced."""
        scene = self.scene
        scene.done(scene.groups.leave("g", "orders", "c1", 2))
        self.assertEqual(self.reset("latest").generation, 3)
        self.assertEqual((scene.committed(0), scene.join("c1").generation), (7, 4))

    def test_all_of_it_happens_or_nothing(self) -> None:
        """Fence and offsets are one batch: a power cut at any of its writes leaves the one or the other."""
        seen = set()
        for seed in range(12):
            self.setUp()
            scene = self.scene
            scene.disk.random.seed(seed)
            asked = scene.groups.reset("g", "orders", ResetTo("latest"), False)
            asked.addErrback(lambda failure: None)
            scene.cut()
            state = (scene.join("c1").generation, tuple(scene.committed(partition) for partition in range(3)))
            self.assertIn(state, [(2, (5, None, None)), (3, (7, 2, 0))])
            seen.add(state)
        self.assertEqual(len(seen), 2)

    def test_a_typing_error_makes_no_group(self) -> None:
        """The refusal says where the group is."""
        groups = self.scene.groups
        text = self.refused(BadRequest, groups.reset("nogroup", "orders", ResetTo("latest"), False))
        self.assertIn("there is no group 'nogroup'", text)
        text = self.refused(BadRequest, groups.reset("g", "order", ResetTo("latest"), False))
        self.assertIn("it is on orders", text)
