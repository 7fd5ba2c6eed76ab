"""PRODUCE."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.batch import decode, walk
from flux.commands.produce import Producing
from flux.config import ClusterConfig, Config
from flux.interfaces import Pending
from flux.model import Record, Role, TopicPartition
from flux.server.session import Session
from flux.wire.produce import ProduceRun
from tests.commands.scene import Scene


class ProduceTests(SynchronousTestCase):
    """user1's and user2's records go to partition 2 of 3, those of the empty key to 1, user-42's to 0."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.create("t")

    def test_a_record_is_answered_with_its_place(self) -> None:
        """Partition, offset and the last committed offset at the time of the answer."""
        self.assertEqual(
            self.scene.ask(b"1 PRODUCE t user1:a", b"2 PRODUCE t :b", b"3 PRODUCE t user2:c"),
            [b"1 partition=2 offset=0 hw=1", b"2 partition=1 offset=0 hw=0", b"3 partition=2 offset=1 hw=1"],
        )

    def test_a_run_makes_one_batch_a_partition(self) -> None:
        """However many records it has: that is what makes it fast."""
        self.scene.ask(*[b"%d PRODUCE t user%d:a" % (number, number % 2 + 1) for number in range(100)])
        fetched = self.successResultOf(self.scene.partition("t", 2).fetch(0, 1 << 20, 0, 1))
        self.assertEqual([header.count for header, _ in walk(fetched.data)], [100])

    def test_records_keep_their_order_within_a_partition(self) -> None:
        """Whatever acks they ask for, and whatever else the run holds."""
        self.scene.ask(
            b"1 PRODUCE t user1:a acks=1",
            b"2 PRODUCE t :x acks=1",
            b"3 PRODUCE t user1:b acks=all",
            b"4 PRODUCE u user1:y acks=1",
            b"5 PRODUCE t user1:c acks=1",
            b"6 PRODUCE t user1:d acks=0",
            b"7 PRODUCE t user1:e acks=1",
        )
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 0"), [b"1 messages=0:a,1:b,2:c,3:d,4:e hw=4 next=5 log_start=0"]
        )

    def test_records_without_a_key_are_spread(self) -> None:
        """Round robin."""
        answers = self.scene.ask(*[b"%d PRODUCE t :a key=null" % number for number in range(6)])
        self.assertEqual(
            sorted(answer.split()[1] for answer in answers), sorted([b"partition=%d" % n for n in (0, 1, 2)] * 2)
        )

    def test_timestamps_are_kept(self) -> None:
        """Those given; others are the broker's time."""
        self.scene.ask(b"1 PRODUCE t user1:a ts=5", b"2 PRODUCE t user1:b")
        self.assertEqual(
            self.scene.ask(b"1 OFFSETS t 2 at=0", b"2 OFFSETS t 2 at=6"),
            [b"1 offset=0 timestamp=5", b"2 offset=1 timestamp=1700000000000"],
        )

    def test_an_error_is_its_own_record_s(self) -> None:
        """Its neighbours in the run are appended, at dense offsets."""
        self.assertEqual(
            self.scene.ask(
                b"1 PRODUCE t user1:a", b"2 PRODUCE t", b"3 PRODUCE t user1:b acks=2", b"4 PRODUCE t user1:c"
            ),
            [b"1 partition=2 offset=0 hw=1", b"2 BAD_REQUEST", b"3 BAD_REQUEST", b"4 partition=2 offset=1 hw=1"],
        )

    def test_a_partition_that_refuses_costs_its_own_records_only(self) -> None:
        """NOT_LEADER for one, the others as ever."""
        self.scene.broker.controller.set_role(TopicPartition("t", 1), Role.FOLLOWER)
        self.scene.settle()
        self.assertEqual(
            self.scene.ask(b"1 PRODUCE t user1:a", b"2 PRODUCE t :b", b"3 PRODUCE t user1:c"),
            [b"1 partition=2 offset=0 hw=1", b"2 NOT_LEADER", b"3 partition=2 offset=1 hw=1"],
        )

    def test_a_record_over_the_topic_s_limit_is_refused(self) -> None:
        """max.message.bytes counts key and value; its neighbours are appended."""
        self.scene.create("small", 1, config={"max.message.bytes": "10"})
        self.scene.client.send(b"1 PRODUCE small k:123456789", b"2 PRODUCE small k:1234567890", b"3 PRODUCE small k:")
        self.scene.settle()
        first, second, third = self.scene.client.lines()
        self.assertEqual(first, b"V1|1|OK|partition=0 offset=0 hw=1")
        self.assertRegex(second, rb"^V1\|2\|ERR\|MESSAGE_TOO_LARGE\|.* 11 .* 10")
        self.assertEqual(third, b"V1|3|OK|partition=0 offset=1 hw=1")


class AcksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.create("t")

    def test_acks_0_waits_for_nothing(self) -> None:
        """It is answered before the disk did anything."""
        self.scene.client.send(b"1 PRODUCE t user1:a acks=0")
        self.assertEqual(self.scene.client.answers(), [b"1 partition=2 offset=0 hw=-1"])

    def test_acks_1_waits_for_the_disk(self) -> None:
        """As fsync_mode=always promises."""
        self.scene.client.send(b"1 PRODUCE t user1:a")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.client.answers(), [])
        self.scene.settle()
        self.assertEqual(self.scene.client.answers(), [b"1 partition=2 offset=0 hw=0"])

    def test_runs_are_appended_before_the_runs_before_them_are_durable(self) -> None:
        """Consecutive PRODUCEs overlap: nothing is awaited before an append, and arrival is the order."""
        other = self.scene.connect()
        self.scene.client.send(b"1 PRODUCE t user1:a")
        other.send(b"1 PRODUCE t user1:b")
        self.scene.client.send(b"2 PRODUCE t user1:c acks=all")
        self.scene.client.send(b"3 PRODUCE t user1:d acks=0")
        self.assertEqual(self.scene.partition("t", 2).log_end, 4)
        self.assertEqual(self.scene.client.answers(), [])
        self.scene.settle()
        offsets = [answer.split()[2] for answer in self.scene.client.answers()]
        self.assertEqual(offsets, [b"offset=0", b"offset=2", b"offset=3"])
        self.assertEqual(other.answers(), [b"1 partition=2 offset=1 hw=3"])

    def test_acks_all_that_is_not_confirmed_says_what_is_where(self) -> None:
        """REPLICATION_TIMEOUT for each record, naming its own offset; acks=1 beside it is not concerned."""
        self.scene.create("r", 1, 3)
        self.scene.client.send(b"1 PRODUCE r a:a acks=all", b"2 PRODUCE r a:b acks=all")
        other = self.scene.connect()
        other.send(b"1 PRODUCE r a:c acks=1")
        self.scene.settle()
        self.assertEqual([line[:5] for line in other.lines()], [b"V1|1|"])
        self.assertEqual(self.scene.client.lines(), [])
        self.scene.clock.advance(2)
        first, second = self.scene.client.lines()
        self.assertRegex(first, rb"^V1\|1\|ERR\|REPLICATION_TIMEOUT\|partition r-0, offset 0: appended")
        self.assertRegex(second, rb"^V1\|2\|ERR\|REPLICATION_TIMEOUT\|partition r-0, offset 1: appended")

    def test_a_lost_connection_forgets_its_waits(self) -> None:
        """The records stay; nobody is answered, nothing is logged."""
        self.scene.client.send(b"1 PRODUCE t user1:a", b"2 PRODUCE t :b")
        self.scene.client.protocol.connectionLost()
        self.scene.settle()
        self.assertEqual(self.scene.client.answers(), [])
        self.assertEqual(self.scene.partition("t", 2).high_watermark, 1)
        self.assertEqual(self.flushLoggedErrors(), [])


class NewTopicTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.create("t")

    def test_a_topic_is_created_on_first_use(self) -> None:
        """With the default number of partitions."""
        self.assertEqual(self.scene.ask(b"1 PRODUCE new user1:a"), [b"1 partition=2 offset=0 hw=0"])
        self.assertEqual(len(self.scene.broker.controller.image.topics["new"].partitions), 3)

    def test_records_for_other_topics_do_not_wait_for_it(self) -> None:
        """They are appended at once, though answered in their turn."""
        self.scene.client.send(b"1 PRODUCE new user1:a", b"2 PRODUCE t user1:b")
        self.assertEqual(self.scene.partition("t", 2).log_end, 1)
        self.scene.settle()
        self.assertEqual(self.scene.client.answers(), [b"1 partition=2 offset=0 hw=0", b"2 partition=2 offset=0 hw=0"])

    def test_runs_that_wait_for_one_topic_keep_their_order(self) -> None:
        """Who came first is appended first, from whichever connection."""
        other = self.scene.connect()
        self.scene.client.send(b"1 PRODUCE new user1:a acks=0")
        other.send(b"1 PRODUCE new user1:b acks=all")
        self.scene.client.send(b"2 PRODUCE new user1:c", b"3 PRODUCE new user1:d acks=0")
        self.scene.settle()
        self.assertEqual(
            self.scene.ask(b"9 CONSUME new 2 0"),
            [
                b"1 partition=2 offset=0 hw=-1",
                b"2 partition=2 offset=2 hw=3",
                b"3 partition=2 offset=3 hw=3",
                b"9 messages=0:a,1:b,2:c,3:d hw=3 next=4 log_start=0",
            ],
        )

    def test_what_comes_while_the_line_is_served_joins_its_end(self) -> None:
        """An answer to the first in line may start another run, which must not pass those behind."""
        handler = Producing(self.scene.broker)
        answered: list[str] = []

        def produce(value: str, then: str = "") -> None:
            def answer(replies: Any) -> None:
                answered.append(f"{value}={replies.offsets[0]}")
                if then:
                    produce(then)

            run = ProduceRun.decode_run([b"new user1:%b acks=0" % value.encode()])
            result = handler.produce(run, Session("a test"))
            assert isinstance(result, Pending), "it queued"
            ((wait, positions),) = result.waits
            wait.addCallback(lambda _: answer(result.replies(positions)))

        produce("a", then="c")
        produce("b")
        self.scene.settle()
        self.assertEqual(answered, ["a=0", "b=1", "c=2"])

    def test_a_topic_that_is_not_created_refuses_its_own_records_only(self) -> None:
        """UNKNOWN_TOPIC, where auto_create_topics is off."""
        scene = Scene(Config(cluster=ClusterConfig(auto_create_topics=False)))
        scene.create("t")
        self.assertEqual(
            scene.ask(b"1 PRODUCE new user1:a", b"2 PRODUCE t user1:b", b"3 PRODUCE new user1:c"),
            [b"1 UNKNOWN_TOPIC", b"2 partition=2 offset=0 hw=0", b"3 UNKNOWN_TOPIC"],
        )

    def test_a_lost_connection_takes_its_place_in_line_along(self) -> None:
        """What nobody waits for any more is not appended; those behind it are."""
        self.scene.client.send(b"1 PRODUCE new user1:a")
        other = self.scene.connect()
        other.send(b"1 PRODUCE new user1:b")
        self.scene.client.protocol.connectionLost()
        self.scene.settle()
        self.assertEqual(other.answers(), [b"1 partition=2 offset=0 hw=0"])
        self.assertEqual(self.flushLoggedErrors(), [])


class Broken:
    """An IPartitions whose partitions have a fault nobody foresaw."""

    def __init__(self, scene: Scene) -> None:
        self._partitions = scene.broker.partitions

    def routes(self, topic: str) -> Any:
        return self._partitions.routes(topic)

    def get(self, tp: TopicPartition) -> Any:
        if tp.partition == 1:
            raise ZeroDivisionError("a fault nobody foresaw")
        return self._partitions.get(tp)


class FaultTests(SynchronousTestCase):
    def test_an_unforeseen_fault_costs_its_own_records_only(self) -> None:
        """INTERNAL_ERROR for them, logged with its traceback; the rest of the run is answered as it went."""
        scene = Scene()
        scene.create("t")
        scene.broker.partitions = Broken(scene)  # type: ignore[assignment]  # it keeps the part of the promise that is used
        self.assertEqual(
            scene.ask(b"1 PRODUCE t user1:a", b"2 PRODUCE t :b", b"3 PRODUCE t user1:c"),
            [b"1 partition=2 offset=0 hw=1", b"2 INTERNAL_ERROR", b"3 partition=2 offset=1 hw=1"],
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


_WORDS = st.sampled_from([b"", b"a", b"user1", b"user2", b"k3", b"x=y", b"a b", b"acks=1", b"100%", b"%41"])
_LINES = st.builds(
    lambda topic, key, value, options: b"%b %b:%b%b" % (topic, key, value, options),
    st.sampled_from([b"t", b"t", b"u", b"new", b"../evil"]),
    _WORDS,
    _WORDS,
    st.sampled_from(
        [b"", b" acks=0", b" acks=1", b" acks=all", b" acks=2", b" enc=pct", b" enc=b64", b" null=1", b" ts=7"]
    ),
) | st.sampled_from([b"", b"t", b"t user1"])


class EqualityTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(_LINES, max_size=12))
    def test_a_run_is_answered_as_its_requests_would_be(self, lines: list[bytes]) -> None:
        """One run, or each request alone when the one before is answered: the same places, the same errors, the same logs.

        All but hw, which says how far the log got until the answer.
        """
        requests = [b"%d PRODUCE %b" % (number, line) for number, line in enumerate(lines)]
        together, alone = self.fresh(), self.fresh()
        as_run = together.ask(*requests)
        one_by_one = [answer for request in requests for answer in alone.ask(request)]
        self.assertEqual(*(list(map(_without_hw, answers)) for answers in (as_run, one_by_one)))
        self.assertEqual(self.contents(together), self.contents(alone))

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(_LINES, min_size=1, max_size=5), min_size=2, max_size=4))
    def test_connections_of_one_turn_are_answered_as_each_alone(self, chunks: list[list[bytes]]) -> None:
        """Their requests make one run together: each gets its own answers, in its own order."""
        together, alone = self.fresh(), self.fresh()
        requests = [[b"%d PRODUCE %b" % (number, line) for number, line in enumerate(lines)] for lines in chunks]
        connections = [together.connect() for _ in chunks]
        for connection, some in zip(connections, requests, strict=True):
            connection.arrive(*some)
        together.settle()
        for connection, some in zip(connections, requests, strict=True):
            expected = [_without_hw(answer) for request in some for answer in alone.ask(request)]
            self.assertEqual([_without_hw(answer) for answer in connection.answers()], expected)
        self.assertEqual(self.contents(together), self.contents(alone))

    def fresh(self) -> Scene:
        scene = Scene()
        scene.create("t")
        scene.create("u", 1)
        return scene

    def contents(self, scene: Scene) -> Mapping[str, Sequence[Record]]:
        return {
            f"{name}-{number}": decode(b"".join(scene.partition(name, number).log.scan(0)))
            for name, topic in scene.broker.controller.image.topics.items()
            for number in range(len(topic.partitions))
        }


def _without_hw(answer: bytes) -> bytes:
    return answer.partition(b" hw=")[0]
