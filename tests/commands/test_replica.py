"""REPLICA_FETCH, SET_PARTITION_ROLE, EXPLAIN_PARTITION, through a whole broker."""

import json
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase

from flux.config import Config, ReplicationConfig
from tests.commands.scene import Scene

# What deployed clients are answered: the request, and the id with the payload or the code.
ROLES = [
    (b"1 PRODUCE orders user1:a", b"1 partition=2 offset=0 hw=0"),
    (b"2 SET_PARTITION_ROLE orders 2 follower", b"2 topic=orders partition=2 role=follower hw=0"),
    (b"3 PRODUCE orders user1:b", b"3 NOT_LEADER"),
    (b"4 REPLICA_FETCH orders 2 1 0", b"4 BAD_REQUEST"),
    (b"5 SET_PARTITION_ROLE orders 2 leader", b"5 topic=orders partition=2 role=leader hw=0"),
    (b"6 PRODUCE orders user1:b", b"6 partition=2 offset=1 hw=1"),
    (b"7 SET_PARTITION_ROLE orders 2 boss", b"7 BAD_REQUEST"),
    (b"8 SET_PARTITION_ROLE orders 99 leader", b"8 BAD_REQUEST"),
]
REFUSED = [
    (b"1 REPLICA_FETCH nowhere 0 1 0", b"1 UNKNOWN_TOPIC"),
    (b"2 SET_PARTITION_ROLE nowhere 0 leader", b"2 UNKNOWN_TOPIC"),
    (b"3 EXPLAIN_PARTITION nowhere 0", b"3 UNKNOWN_TOPIC"),
    (b"4 REPLICA_FETCH t 3 1 0", b"4 BAD_REQUEST"),
    (b"5 EXPLAIN_PARTITION t 3", b"5 BAD_REQUEST"),
    (b"6 REPLICA_FETCH t 0 0 0", b"6 BAD_REQUEST"),
    (b"7 REPLICA_FETCH t 0 3 0", b"7 BAD_REQUEST"),
    (b"8 REPLICA_FETCH t 0 1 -2", b"8 BAD_REQUEST"),
    (b"9 EXPLAIN_PARTITION __consumer_offsets 0", b"9 BAD_REQUEST"),
]


def explained(answer: bytes) -> dict[str, Any]:
    """The JSON of an answer to EXPLAIN_PARTITION."""
    found: dict[str, Any] = json.loads(unquote(answer.partition(b" json=")[2].decode()))
    return found


class RoleTests(SynchronousTestCase):
    def test_roles_change_what_a_partition_answers(self) -> None:
        """As deployed clients know it."""
        scene = Scene()
        for request, answer in ROLES:
            self.assertEqual(scene.ask(request), [answer])

    def test_a_role_stays_over_a_restart(self) -> None:
        """Until it is changed; the records of before are there."""
        scene = Scene()
        scene.ask(b"1 PRODUCE orders user1:a", b"2 SET_PARTITION_ROLE orders 2 follower")
        scene.restart()
        self.assertEqual(scene.ask(b"3 PRODUCE orders user1:b"), [b"3 NOT_LEADER"])
        self.assertEqual(scene.ask(b"4 ADMIN_ELECT_TOPIC_LEADERS orders"), [b"4 topic=orders elected_changes=0"])
        self.assertEqual(
            scene.ask(b"5 SET_PARTITION_ROLE orders 2 leader"), [b"5 topic=orders partition=2 role=leader hw=0"]
        )
        self.assertEqual(scene.ask(b"6 PRODUCE orders user1:b"), [b"6 partition=2 offset=1 hw=1"])

    def test_what_waits_for_a_leader_that_was_taken_away_is_told(self) -> None:
        """An acks=all under way fails at once, not by its timeout: appended, and whether it stays is unknown."""
        scene = Scene()
        scene.create("t", partitions=1, replicas=2)
        scene.client.send(b"1 PRODUCE t k:v acks=all")
        scene.settle()
        self.assertEqual(scene.client.answers(), [])
        scene.connect().ask(b"1 SET_PARTITION_ROLE t 0 follower")
        self.assertEqual(scene.client.answers(), [b"1 REPLICATION_TIMEOUT"])


class ReportTests(SynchronousTestCase):
    """One partition with the replicas 0, 1 and 2, of which two must be in sync."""

    def setUp(self) -> None:
        self.scene = Scene(Config(replication=ReplicationConfig(min_isr=2, replica_max_lag=3)))
        self.scene.create("t", partitions=1, replicas=3)

    def test_a_report_is_answered_with_where_the_partition_stands(self) -> None:
        """The offset as it was sent, even one past the end, which counts as the last there is."""
        self.scene.ask(b"1 PRODUCE t k:a", b"2 PRODUCE t k:b")
        self.assertEqual(
            self.scene.ask(b"1 REPLICA_FETCH t 0 1 99", b"2 REPLICA_FETCH t 0 2 0", b"3 REPLICA_FETCH t 0 2 -1"),
            [
                b"1 replica=1 acked_offset=99 hw=-1 isr=[0 1 2] under_replicated=false",
                b"2 replica=2 acked_offset=0 hw=0 isr=[0 1 2] under_replicated=false",
                b"3 replica=2 acked_offset=-1 hw=0 isr=[0 1 2] under_replicated=false",
            ],
        )

    def test_acks_all_waits_for_reports(self) -> None:
        """And is answered by the last one it needs."""
        self.scene.client.send(b"1 PRODUCE t k:a acks=all")
        follower = self.scene.connect()
        follower.ask(b"1 REPLICA_FETCH t 0 1 0")
        self.assertEqual(self.scene.client.answers(), [])
        follower.ask(b"2 REPLICA_FETCH t 0 2 0")
        self.assertEqual(self.scene.client.answers(), [b"1 partition=0 offset=0 hw=0"])

    def test_a_report_that_changes_the_isr_is_answered_when_that_is_stored(self) -> None:
        """Until then nothing is promised."""
        self.scene.clock.pump([0.5] * 20)
        self.scene.settle()
        self.scene.client.send(b"1 REPLICA_FETCH t 0 1 -1")
        self.assertEqual(self.scene.client.answers(), [])
        self.scene.settle()
        self.assertEqual(
            self.scene.client.answers(), [b"1 replica=1 acked_offset=-1 hw=-1 isr=[0 1] under_replicated=true"]
        )

    def test_what_cannot_be_is_refused(self) -> None:
        """By name; nothing is created."""
        self.scene.create("other", partitions=1)
        for request, answer in REFUSED:
            self.assertEqual(self.scene.ask(request), [answer])
        self.assertEqual(self.scene.ask(b"1 REPLICA_FETCH other 0 1 0"), [b"1 BAD_REQUEST"])
        self.assertNotIn("nowhere", self.scene.broker.controller.image.topics)


class ExplanationTests(SynchronousTestCase):
    def explain(self, scene: Scene) -> dict[str, Any]:
        (answer,) = scene.ask(b"1 EXPLAIN_PARTITION t 0")
        self.assertTrue(answer.startswith(b"1 topic=t partition=0 json="), answer)
        return explained(answer)

    def test_it_names_who_holds_the_watermark_back(self) -> None:
        """Each replica with its offset, its lag, its silence, and why it is in or out."""
        scene = Scene(Config(replication=ReplicationConfig(min_isr=2)))
        scene.create("t", partitions=1, replicas=3)
        scene.ask(b"1 PRODUCE t k:a", b"2 PRODUCE t k:b", b"3 REPLICA_FETCH t 0 1 1")
        scene.clock.advance(1.5)
        found = self.explain(scene)
        self.assertIn("replicas [2] are in sync and have not confirmed", found["why"])
        self.assertEqual(
            {name: found[name] for name in ("role", "hw", "log_start", "log_end", "promised_end", "min_isr", "isr")},
            {
                "role": "leader",
                "hw": -1,
                "log_start": 0,
                "log_end": 2,
                "promised_end": 2,
                "min_isr": 2,
                "isr": [0, 1, 2],
            },
        )
        self.assertEqual(
            [(each["replica"], each["end_offset"], each["lag"], each["silent_ms"]) for each in found["replicas"]],
            [(0, 2, 0, 0), (1, 2, 0, 1500), (2, 0, 2, None)],
        )
        scene.clock.pump([0.5] * 20)
        scene.settle()
        found = self.explain(scene)
        self.assertEqual((found["isr"], found["under_replicated"]), ([0], True))
        self.assertIn("the watermark moves from 2 on", found["why"])
        self.assertEqual([each["in_sync"] for each in found["replicas"]], [True, False, False])
        self.assertRegex(found["replicas"][1]["why"], r"silent for \d+\.\d+ s")

    def test_it_tells_the_last_leaders_and_what_made_them(self) -> None:
        """Oldest first; a follower's account has no replicas."""
        scene = Scene()
        scene.create("t", partitions=1)
        scene.ask(b"1 SET_PARTITION_ROLE t 0 follower")
        found = self.explain(scene)
        self.assertEqual((found["role"], found["replicas"]), ("follower", []))
        self.assertIn("has no leader", found["why"])
        self.assertEqual(
            [(change["leader_epoch"], change["leader"], change["cause"]) for change in found["leadership"]],
            [(0, 0, "created"), (1, None, "role set to follower by an operator")],
        )
        self.assertTrue(all(change["at_ms"] >= 1_700_000_000_000 for change in found["leadership"]))

    def test_all_is_well(self) -> None:
        """Then it says so."""
        scene = Scene()
        scene.create("t", partitions=1)
        self.assertEqual(self.explain(scene)["why"], "every record is committed")
