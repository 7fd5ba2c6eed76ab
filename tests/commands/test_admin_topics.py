"""The admin family's topics, through a whole broker."""

import errno
import json
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase

from flux.config import ClusterConfig, Config
from tests.commands.scene import Scene


class CreationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_a_produce_right_behind_it_succeeds(self) -> None:
        """In the same chunk: leaders are there when it is answered."""
        self.assertEqual(
            self.scene.ask(b"1 ADMIN_CREATE_TOPIC t 5 1", b"2 PRODUCE t k3:v acks=all"),
            [b"1 topic=t partitions=5 replication_factor=1 term=1 index=2", b"2 partition=1 offset=0 hw=0"],
        )

    def test_settings_are_part_of_the_shape(self) -> None:
        """The same settings are the same topic, others are not; unknown and bad ones are refused by name."""
        self.scene.ask(b"1 ADMIN_CREATE_TOPIC t 1 1 retention.ms=1000")
        for request, answer in (
            (
                b"2 ADMIN_CREATE_TOPIC t 1 1 retention.ms=1000",
                b"2 topic=t partitions=1 replication_factor=1 term=1 index=2",
            ),
            (b"3 ADMIN_CREATE_TOPIC t 1 1 retention.ms=2000", b"3 TOPIC_EXISTS"),
            (b"4 ADMIN_CREATE_TOPIC t 1 2 retention.ms=1000", b"4 TOPIC_EXISTS"),
            (b"5 ADMIN_CREATE_TOPIC u 1 1 retention.ms=week", b"5 BAD_REQUEST"),
            (b"6 ADMIN_CREATE_TOPIC u 1 1 retention=1", b"6 BAD_REQUEST"),
            (b"7 ADMIN_CREATE_TOPIC u 1 1 partitions=2", b"7 BAD_REQUEST"),
            (b"8 ADMIN_CREATE_TOPIC u 1 1 retention.ms=", b"8 BAD_REQUEST"),
            (b"9 ADMIN_CREATE_TOPIC u 100000 1", b"9 BAD_REQUEST"),
            (b"10 ADMIN_CREATE_TOPIC u 1 100000", b"10 BAD_REQUEST"),
        ):
            self.assertEqual(self.scene.ask(request), [answer])

    def test_the_brokers_own_topics_are_out_of_reach(self) -> None:
        """No command here touches one."""
        for command in (
            b"ADMIN_CREATE_TOPIC __consumer_offsets 1 1",
            b"ADMIN_ALTER_TOPIC __consumer_offsets partitions=2 allow_key_move=1",
            b"ADMIN_DELETE_TOPIC __consumer_offsets",
            b"ADMIN_DELETE_RECORDS __consumer_offsets 0 0",
            b"ADMIN_DESCRIBE_TOPIC __consumer_offsets",
            b"ADMIN_ELECT_TOPIC_LEADERS __consumer_offsets",
            b"ADMIN_SET_PARTITION_LEADER __consumer_offsets 0 0 0",
            b"SET_PARTITION_ROLE __consumer_offsets 0 follower",
            b"PRODUCE __consumer_offsets k:v",
        ):
            self.assertEqual(self.scene.ask(b"1 " + command), [b"1 BAD_REQUEST"], command)


class AlterationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.create("t", partitions=1)

    def test_settings_take_effect_at_once(self) -> None:
        """And are remembered; what is not named stays."""
        self.assertEqual(
            self.scene.ask(
                b"1 ADMIN_ALTER_TOPIC t max.message.bytes=4",
                b"2 PRODUCE t k:long enough",
                b"3 PRODUCE t k:v",
                b"4 ADMIN_ALTER_TOPIC t retention.ms=5 max.message.bytes=100",
                b"5 PRODUCE t k:long enough",
            ),
            [
                b"1 topic=t partitions=1 replication_factor=1 term=1 index=3",
                b"2 MESSAGE_TOO_LARGE",
                b"3 partition=0 offset=0 hw=0",
                b"4 topic=t partitions=1 replication_factor=1 term=1 index=4",
                b"5 partition=0 offset=1 hw=1",
            ],
        )
        self.assertEqual(
            dict(self.scene.broker.controller.image.topics["t"].config),
            {"max.message.bytes": "100", "retention.ms": "5"},
        )

    def test_what_will_not_do_changes_nothing(self) -> None:
        """Neither half of it."""
        before = self.scene.broker.controller.image
        for request in (
            b"1 ADMIN_ALTER_TOPIC t retention.ms=1 segment.bytes=1",
            b"1 ADMIN_ALTER_TOPIC t retention.ms=1 partitions=100000",
            b"1 ADMIN_ALTER_TOPIC t",
            b"1 ADMIN_ALTER_TOPIC t speed=1",
        ):
            self.assertEqual(self.scene.ask(request), [b"1 BAD_REQUEST"], request)
        self.assertEqual(self.scene.ask(b"1 ADMIN_ALTER_TOPIC u retention.ms=1"), [b"1 UNKNOWN_TOPIC"])
        self.assertEqual(self.scene.ask(b"1 ADMIN_ALTER_TOPIC u partitions=9"), [b"1 UNKNOWN_TOPIC"])
        self.assertIs(self.scene.broker.controller.image, before)

    def test_a_topic_without_keys_grows(self) -> None:
        """Its records stay, and the new partitions are led; it never shrinks."""
        self.scene.ask(b"1 PRODUCE t :a key=null", b"2 PRODUCE t :b key=null")
        self.assertEqual(
            self.scene.ask(b"3 ADMIN_ALTER_TOPIC t partitions=3", b"4 PRODUCE t user1:v", b"5 CONSUME t 0 0"),
            [
                b"3 topic=t partitions=3 replication_factor=1 term=1 index=3",
                b"4 partition=2 offset=0 hw=0",
                b"5 messages=0:a,1:b hw=1 next=2 log_start=0",
            ],
        )
        self.assertEqual(
            self.scene.ask(b"6 ADMIN_ALTER_TOPIC t partitions=2", b"7 ADMIN_ALTER_TOPIC t partitions=3"),
            [b"6 BAD_REQUEST", b"7 topic=t partitions=3 replication_factor=1 term=1 index=3"],
        )

    def test_a_topic_with_keys_grows_only_by_leave(self) -> None:
        """An empty key is a key; the message says how; what was asked for beside it does not happen either."""
        self.scene.ask(b"1 PRODUCE t :a key=null", b"2 PRODUCE t :b")
        self.scene.client.send(b"3 ADMIN_ALTER_TOPIC t partitions=3 retention.ms=1")
        self.scene.settle()
        (refusal,) = self.scene.client.lines()
        self.assertRegex(refusal, rb"BAD_REQUEST\|partitions: t holds keyed records.*allow_key_move=1")
        self.assertEqual(dict(self.scene.broker.controller.image.topics["t"].config), {})
        self.assertEqual(
            self.scene.ask(
                b"4 ADMIN_ALTER_TOPIC t partitions=1", b"5 ADMIN_ALTER_TOPIC t partitions=3 allow_key_move=1"
            ),
            [
                b"4 topic=t partitions=1 replication_factor=1 term=1 index=2",
                b"5 topic=t partitions=3 replication_factor=1 term=1 index=3",
            ],
        )

    def test_keys_that_are_deleted_hold_nothing_up(self) -> None:
        """What is looked at is what is there, after a restart too."""
        self.scene.ask(b"1 PRODUCE t k:a", b"2 PRODUCE t :b key=null", b"3 ADMIN_DELETE_RECORDS t 0 1")
        self.scene.restart()
        self.assertEqual(
            self.scene.ask(b"4 ADMIN_ALTER_TOPIC t partitions=2"),
            [b"4 topic=t partitions=2 replication_factor=1 term=2 index=4"],
        )


class DeletionTests(SynchronousTestCase):
    def test_a_deleted_topic_leaves_nothing(self) -> None:
        """No file, no name; one made later is another one."""
        scene = Scene(Config(cluster=ClusterConfig(auto_create_topics=False)))
        scene.create("t", partitions=2)
        scene.ask(b"1 PRODUCE t k:v")
        first = scene.broker.controller.image.topics["t"].topic_id
        self.assertEqual(scene.ask(b"2 ADMIN_DELETE_TOPIC t"), [b"2 topic=t deleted=true term=1 index=3"])
        left = [entry.name for entry in scene.disk.root.child("data").list() if entry.name.startswith("t-")]
        self.assertEqual(left, [])
        self.assertEqual(
            scene.ask(b"3 PRODUCE t k:v", b"4 CONSUME t 0 0", b"5 ADMIN_DELETE_TOPIC t", b"6 ADMIN_GET_METADATA"),
            [b"3 UNKNOWN_TOPIC", b"4 UNKNOWN_TOPIC", b"5 UNKNOWN_TOPIC", b"6 topics=[] brokers=[0] fenced=[]"],
        )
        scene.ask(b"7 ADMIN_CREATE_TOPIC t 2 1")
        self.assertNotEqual(scene.broker.controller.image.topics["t"].topic_id, first)
        self.assertEqual(scene.ask(b"8 PRODUCE t k:new"), [b"8 partition=0 offset=0 hw=0"])

    def test_whoever_waits_for_it_is_told(self) -> None:
        """A long poll, and an acks=all."""
        scene = Scene()
        scene.create("t", partitions=1, replicas=2)
        scene.client.send(b"1 CONSUME t 0 0 wait_ms=60000 order=any", b"2 PRODUCE t k:v acks=all")
        scene.connect().ask(b"1 ADMIN_DELETE_TOPIC t")
        self.assertEqual(sorted(scene.client.answers()), [b"1 UNKNOWN_TOPIC", b"2 UNKNOWN_TOPIC"])

    def test_records_are_deleted_up_to_the_watermark(self) -> None:
        """Offsets stay as they are, after a restart too."""
        scene = Scene()
        scene.create("t", partitions=1, replicas=2)
        scene.client.send(b"1 PRODUCE t k:a acks=0", b"2 PRODUCE t k:b acks=0", b"3 PRODUCE t k:c acks=0")
        scene.settle()
        scene.client.lines()
        self.assertEqual(
            scene.ask(
                b"1 REPLICA_FETCH t 0 1 1",
                b"2 ADMIN_DELETE_RECORDS t 0 3",
                b"3 ADMIN_DELETE_RECORDS t 0 2",
                b"4 ADMIN_DELETE_RECORDS t 0 1",
                b"5 CONSUME t 0 0",
                b"6 ADMIN_DELETE_RECORDS t 1 0",
                b"7 ADMIN_DELETE_RECORDS u 0 0",
            ),
            [
                b"1 replica=1 acked_offset=1 hw=1 isr=[0 1] under_replicated=false",
                b"2 OFFSET_OUT_OF_RANGE",
                b"3 topic=t partition=0 log_start=2",
                b"4 topic=t partition=0 log_start=2",
                b"5 OFFSET_OUT_OF_RANGE",
                b"6 BAD_REQUEST",
                b"7 UNKNOWN_TOPIC",
            ],
        )
        scene.restart()
        self.assertEqual(scene.ask(b"8 OFFSETS t 0 at=earliest"), [b"8 offset=2 timestamp=-1"])


class DescriptionTests(SynchronousTestCase):
    def describe(self, scene: Scene) -> dict[str, Any]:
        (answer,) = scene.ask(b"1 ADMIN_DESCRIBE_TOPIC t")
        head, _, text = answer.partition(b" json=")
        self.assertEqual(head, b"1 topic=t partitions=2 replication_factor=2")
        found: dict[str, Any] = json.loads(unquote(text.decode()))
        return found

    def test_a_topic_is_described(self) -> None:
        """Its settings, and every partition."""
        scene = Scene()
        scene.create("t", partitions=2, replicas=2, config={"retention.ms": "5000"})
        scene.ask(b"1 PRODUCE t k:a", b"2 PRODUCE t k:b", b"3 REPLICA_FETCH t 0 1 0")
        found = self.describe(scene)
        self.assertEqual(found["config"], {"retention.ms": "5000"})
        self.assertEqual(found["topic_id"], scene.broker.controller.image.topics["t"].topic_id)
        self.assertEqual(
            found["partitions"],
            [
                {
                    "partition": number,
                    "leader": 0,
                    "leader_epoch": 0,
                    "replicas": [0, 1],
                    "isr": [0, 1],
                    "log_start": 0,
                    "log_end": end,
                    "hw": hw,
                    "size_bytes": scene.partition("t", number).size_bytes,
                }
                for number, end, hw in ((0, 2, 0), (1, 0, -1))
            ],
        )
        self.assertGreater(found["partitions"][0]["size_bytes"], 70)
        self.assertEqual(scene.ask(b"1 ADMIN_DESCRIBE_TOPIC u"), [b"1 UNKNOWN_TOPIC"])

    def test_a_partition_that_cannot_be_used_is_described_with_the_reason(self) -> None:
        """The others as ever."""
        scene = Scene()
        scene.disk.fail(errno.EIO, "create", times=None, where=lambda path: "/t-0/" in path)
        scene.create("t", partitions=2, replicas=2)
        broken, well = self.describe(scene)["partitions"]
        self.assertIn("t-0", broken.pop("problem"))
        self.assertEqual({broken[name] for name in ("log_start", "log_end", "hw", "size_bytes")}, {None})
        self.assertEqual((broken["leader"], well["leader"]), (0, 0))
        self.assertEqual((well["log_end"], "problem" in well), (0, False))
        self.assertEqual(scene.ask(b"1 EXPLAIN_PARTITION t 0"), [b"1 STORAGE_ERROR"])
