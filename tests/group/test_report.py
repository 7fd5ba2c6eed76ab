from collections.abc import Mapping
from typing import Any

from flux.model import TopicPartition
from tests.group.scene import GroupTestCase


class DescribeTests(GroupTestCase):
    def describe_(self) -> dict[str, Any]:
        described: Mapping[str, Any] = self.scene.done(self.scene.groups.describe("g"))
        return dict(described)

    def test_members_are_shown_with_what_they_own_and_when_they_were_heard(self) -> None:
        """And whether they know the generation yet."""
        scene = self.scene
        scene.join("c2")
        scene.clock.advance(3)
        scene.join("c1", session_ms=5000)
        scene.clock.advance(1)
        described = self.describe_()
        self.assertEqual(
            {name: described[name] for name in ("group", "state", "members")},
            {"group": "g", "state": "rebalancing", "members": 2},
        )
        (topic,) = described["topics"]
        self.assertEqual(
            {name: topic[name] for name in ("topic", "generation", "state", "assignor")},
            {"topic": "orders", "generation": 3, "state": "rebalancing", "assignor": "round_robin"},
        )
        self.assertEqual(
            topic["members"],
            [
                {"member": "c1", "assigned": [0, 2], "session_ms": 5000, "silent_ms": 1000, "knows_generation": True},
                {"member": "c2", "assigned": [1], "session_ms": 10000, "silent_ms": 4000, "knows_generation": False},
            ],
        )
        self.assertEqual([partition["member"] for partition in topic["partitions"]], ["c1", "c2", "c1"])

    def test_lag_is_counted_in_records_and_in_seconds(self) -> None:
        """From the next offset to read; from the log's start where nothing was committed; nothing behind, nothing old."""
        scene = self.scene
        scene.join("c1", session_ms=10**7)
        for partition, count in ((0, 4), (1, 2)):
            scene.produce(TopicPartition("orders", partition), count)
        scene.clock.advance(10)
        scene.produce(TopicPartition("orders", 0), 3)
        scene.clock.advance(5)
        for offset, lag, seconds in ((0, 7, 15.0), (3, 4, 15.0), (4, 3, 5.0), (6, 1, 5.0), (7, 0, 0.0), (9, 0, 0.0)):
            scene.commit("c1", 2, 0, offset)
            first, second, third = self.describe_()["topics"][0]["partitions"]
            self.assertEqual(
                first,
                {
                    "partition": 0,
                    "member": "c1",
                    "committed": offset,
                    "log_start": 0,
                    "log_end": 7,
                    "lag": lag,
                    "lag_seconds": seconds,
                },
            )
            self.assertEqual((second["committed"], second["lag"], second["lag_seconds"]), (None, 2, 15.0))
            self.assertEqual((third["committed"], third["lag"], third["lag_seconds"]), (None, 0, 0.0))

    def test_what_was_committed_below_the_logs_start_lags_from_there(self) -> None:
        """The records between are gone: nobody can be behind by them."""
        scene = self.scene
        scene.join("c1")
        tp = TopicPartition("orders", 0)
        scene.commit("c1", 2, 0, 2)
        scene.produce(tp, 10)
        scene.done(scene.manager.open(tp, {}).move_start(6))
        first = self.describe_()["topics"][0]["partitions"][0]
        self.assertEqual((first["committed"], first["log_start"], first["log_end"], first["lag"]), (2, 6, 10, 4))

    def test_a_deleted_topic_is_shown_without_numbers(self) -> None:
        """Nobody can tell, and nothing breaks."""
        scene = self.scene
        scene.join("c1")
        scene.join("c1", topic="payments")
        scene.topics.delete("payments")
        orders, payments = self.describe_()["topics"]
        self.assertEqual((len(orders["partitions"]), payments["partitions"]), (3, []))
        self.assertEqual(payments["members"][0]["assigned"], [])

    def test_the_list_shows_every_group_by_name(self) -> None:
        """State, members, topics."""
        scene = self.scene
        scene.join("c1", group="h")
        scene.join("c1", session_ms=1000)
        scene.join("c1", topic="payments", session_ms=1000)
        scene.clock.advance(1)
        self.assertEqual(
            scene.done(scene.groups.groups()),
            [
                {"group": "g", "state": "empty", "members": 0, "topics": ["orders", "payments"]},
                {"group": "h", "state": "stable", "members": 1, "topics": ["orders"]},
            ],
        )
