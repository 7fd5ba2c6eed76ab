"""CONSUME and OFFSETS."""

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import EncodedBatch, encode
from flux.commands.page import MAX_FETCH_BYTES, MAX_WAIT_S
from flux.config import ClusterConfig, Config
from flux.crc32c import crc32c
from flux.errors import ShuttingDown
from flux.model import Acks, Role, TopicPartition
from tests.commands.scene import Scene


class ConsumeTests(SynchronousTestCase):
    """user1's records go to partition 2 of 3."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.ask(
            *[b"%d PRODUCE t user1:%s" % (number, letter) for number, letter in enumerate((b"a", b"b", b"c"))]
        )

    def test_records_from_an_offset_on(self) -> None:
        """With the last committed offset, where to go on, and where the log begins."""
        self.assertEqual(self.scene.ask(b"1 CONSUME t 2 1"), [b"1 messages=1:b,2:c hw=2 next=3 log_start=0"])

    def test_the_end_is_empty(self) -> None:
        """Nothing to show is no error, and there is nothing to skip."""
        self.assertEqual(self.scene.ask(b"1 CONSUME t 2 3"), [b"1 messages= hw=2 next=3 log_start=0"])

    def test_an_empty_partition_has_no_last_committed_record(self) -> None:
        """hw is -1."""
        self.assertEqual(self.scene.ask(b"1 CONSUME t 0 0"), [b"1 messages= hw=-1 next=0 log_start=0"])

    def test_max_records_bounds_the_answer(self) -> None:
        """next says where the rest begins."""
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 0 max_records=2"), [b"1 messages=0:a,1:b hw=2 next=2 log_start=0"]
        )

    def test_max_bytes_bounds_the_answer_but_for_one_record(self) -> None:
        """However large that is."""
        self.scene.ask(b"1 PRODUCE t user1:" + b"x" * 100)
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 0 max_bytes=2", b"2 CONSUME t 2 3 max_bytes=2"),
            [
                b"1 messages=0:a,1:b hw=3 next=2 log_start=0",
                b"2 messages=3:" + b"x" * 100 + b" hw=3 next=4 log_start=0",
            ],
        )

    def test_records_far_larger_than_usual_are_read_all_the_same(self) -> None:
        """What is read for so many records at first is an estimate; they are all shown, if they fit."""
        for number in range(60):
            self.scene.ask(b"1 PRODUCE u user1:%d" % number)
        for number in range(3):
            self.scene.ask(b"1 PRODUCE u user1:%d%s" % (number, b"x" * 300_000))
        offset, seen = 0, 0
        while offset < 63:
            (line,) = self.scene.ask(b"1 CONSUME u 2 %d max_records=2" % offset)
            found = line.split(b" hw=")[0].count(b",") + 1
            self.assertEqual(found, min(2, 63 - offset))
            offset, seen = int(line.split(b" next=")[1].split(b" ")[0]), seen + found
        self.assertEqual((offset, seen), (63, 63))

    def test_a_page_is_full_wherever_it_begins(self) -> None:
        """In the middle of large batches too; max_bytes bounds it all the same."""
        self.scene.ask(*[b"%d PRODUCE u user1:%03d" % (number, number) for number in range(500)])
        for number in range(500, 520):
            self.scene.ask(b"1 PRODUCE u user1:%03d" % number)
        for offset in (0, 1, 250, 490, 499, 500, 510):
            (line,) = self.scene.ask(b"1 CONSUME u 2 %d max_records=20" % offset)
            values = [b"%d:%03d" % (each, each) for each in range(offset, min(offset + 20, 520))]
            self.assertTrue(line.startswith(b"1 messages=%b hw=" % b",".join(values)), line)
            (line,) = self.scene.ask(b"1 CONSUME u 2 %d max_records=20 max_bytes=10" % offset)
            shown = line.removeprefix(b"1 messages=").split(b" hw=")[0].split(b",")
            self.assertIn(len(shown), (1, 2, 3))
            self.assertEqual(shown, values[: len(shown)])

    def test_max_bytes_is_clamped(self) -> None:
        """Nobody may ask for an answer that does not fit into memory."""
        value = b"x" * 1_000_000
        for number in range(6):
            self.scene.ask(b"1 PRODUCE big user1:%d%s" % (number, value))
        (line,) = self.scene.ask(b"1 CONSUME big 2 0 max_bytes=1000000000000")
        self.assertLess(len(line), MAX_FETCH_BYTES + 1000)
        self.assertIn(b" next=4 ", line)

    def test_the_answer_is_encoded_as_asked(self) -> None:
        """enc= is the client's choice for each answer."""
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 0 enc=b64"), [b"1 messages=0:YQ==,1:Yg==,2:Yw== hw=2 next=3 log_start=0"]
        )

    def test_keys_timestamps_and_tombstones_are_shown_to_who_asks(self) -> None:
        """Behind everything deployed clients read."""
        self.scene.ask(b"1 PRODUCE f user1:a ts=7", b"2 PRODUCE f user1: null=1 ts=8", b"3 PRODUCE f user1: ts=9")
        plain = b"messages=0:a,1:,2: hw=2 next=3 log_start=0"
        self.assertEqual(
            self.scene.ask(b"1 CONSUME f 2 0", b"2 CONSUME f 2 0 fields=tombstones,keys,timestamps"),
            [b"1 " + plain, b"2 " + plain + b" keys=0:user1,1:user1,2:user1 timestamps=7,8,9 tombstones=[1]"],
        )

    def test_what_is_not_committed_is_not_shown(self) -> None:
        """Between the watermark and the log's end there is nothing, and no error."""
        self.scene.client.send(
            b"1 PRODUCE t user1:d acks=0", b"2 CONSUME t 2 2", b"3 CONSUME t 2 4", b"4 OFFSETS t 2 at=latest"
        )
        self.scene.threads.queues[1].perform_all()  # the reader's; nothing is synced
        self.assertEqual(
            self.scene.client.answers(),
            [
                b"1 partition=2 offset=3 hw=2",
                b"2 messages=2:c hw=2 next=3 log_start=0",
                b"3 messages= hw=2 next=4 log_start=0",
                b"4 offset=3 timestamp=-1",
            ],
        )


class OutOfRangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.ask(
            *[b"%d PRODUCE t user1:%s" % (number, letter) for number, letter in enumerate((b"a", b"b", b"c"))]
        )
        self.scene.partition("t", 2).delete_records(1)
        self.scene.settle()

    def test_an_offset_outside_the_log_is_refused(self) -> None:
        """The message names both ends."""
        self.scene.client.send(b"1 CONSUME t 2 0", b"2 CONSUME t 2 4")
        self.scene.settle()
        for line in self.scene.client.lines():
            self.assertRegex(line, rb"\|ERR\|OFFSET_OUT_OF_RANGE\|.* 1 .* 3")

    def test_reset_says_where_to_go_instead(self) -> None:
        """earliest is the log's start, latest the watermark."""
        self.assertEqual(
            self.scene.ask(
                b"1 CONSUME t 2 0 reset=earliest", b"2 CONSUME t 2 9 reset=earliest", b"3 CONSUME t 2 9 reset=latest"
            ),
            [
                b"1 messages=1:b,2:c hw=2 next=3 log_start=1",
                b"2 messages=1:b,2:c hw=2 next=3 log_start=1",
                b"3 messages= hw=2 next=3 log_start=1",
            ],
        )

    def test_reset_changes_nothing_for_an_offset_that_is_there(self) -> None:
        """It is for the others."""
        self.assertEqual(self.scene.ask(b"1 CONSUME t 2 2 reset=earliest"), [b"1 messages=2:c hw=2 next=3 log_start=1"])

    def test_reset_latest_waits_for_what_comes(self) -> None:
        """Where to go and how long to wait are two questions."""
        self.scene.client.send(b"1 CONSUME t 2 9 reset=latest wait_ms=5000")
        self.scene.settle()
        self.assertEqual(self.scene.client.answers(), [])
        other = self.scene.connect()
        other.ask(b"1 PRODUCE t user1:d")
        self.assertEqual(self.scene.client.answers(), [b"1 messages=3:d hw=3 next=4 log_start=1"])


class UnknownTests(SynchronousTestCase):
    def test_a_topic_is_created_on_first_use(self) -> None:
        """As PRODUCE would."""
        scene = Scene()
        self.assertEqual(
            scene.ask(b"1 CONSUME new 0 0", b"2 OFFSETS newer 0 at=latest"),
            [b"1 messages= hw=-1 next=0 log_start=0", b"2 offset=0 timestamp=-1"],
        )
        self.assertGreaterEqual(set(scene.broker.controller.image.topics), {"new", "newer"})

    def test_an_unknown_topic_is_refused_where_none_is_created(self) -> None:
        """auto_create_topics says so."""
        scene = Scene(Config(cluster=ClusterConfig(auto_create_topics=False)))
        self.assertEqual(
            scene.ask(b"1 CONSUME new 0 0", b"2 OFFSETS new 0 at=latest"), [b"1 UNKNOWN_TOPIC", b"2 UNKNOWN_TOPIC"]
        )

    def test_a_partition_the_topic_does_not_have_is_a_bad_request(self) -> None:
        """Known topic or new."""
        self.assertEqual(
            Scene().ask(b"1 CONSUME t 3 0", b"2 CONSUME t 3 0", b"3 OFFSETS t 3 at=latest", b"4 CONSUME t 0 -1"),
            [b"1 BAD_REQUEST", b"2 BAD_REQUEST", b"3 BAD_REQUEST", b"4 BAD_REQUEST"],
        )


class WaitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.create("t")

    def test_a_parked_fetch_is_woken_by_the_append(self) -> None:
        """As soon as the record is committed."""
        self.scene.client.send(b"1 CONSUME t 2 0 wait_ms=1000")
        self.scene.settle()
        other = self.scene.connect()
        other.ask(b"1 PRODUCE t user1:a")
        self.assertEqual(self.scene.client.answers(), [b"1 messages=0:a hw=0 next=1 log_start=0"])

    def test_it_is_answered_empty_when_its_time_is_over(self) -> None:
        """Neither sooner nor with an error."""
        self.scene.client.send(b"1 CONSUME t 2 0 wait_ms=1000")
        self.scene.clock.advance(0.9)
        self.assertEqual(self.scene.client.answers(), [])
        self.scene.clock.advance(0.1)
        self.assertEqual(self.scene.client.answers(), [b"1 messages= hw=-1 next=0 log_start=0"])

    def test_a_wait_has_an_end(self) -> None:
        """However long it was to be."""
        self.scene.client.send(b"1 CONSUME t 2 0 wait_ms=9000000000000000000")
        self.scene.clock.advance(MAX_WAIT_S)
        self.assertEqual(self.scene.client.answers(), [b"1 messages= hw=-1 next=0 log_start=0"])

    def test_it_holds_up_its_own_connection_only(self) -> None:
        """Unless it says order=any."""
        self.scene.client.send(b"1 CONSUME t 2 0 wait_ms=1000", b"2 PING")
        other = self.scene.connect()
        other.send(b"1 CONSUME t 2 0 wait_ms=1000 order=any", b"2 PING")
        self.assertEqual(self.scene.client.answers(), [])
        self.assertEqual(other.answers(), [b"2 pong=true"])

    def test_a_lost_connection_takes_its_parked_fetch_along(self) -> None:
        """Nobody is woken for it later, whatever it waits for."""
        other = self.scene.connect()
        timers = len(self.scene.clock.getDelayedCalls())
        for options in (b"", b" order=any", b" reset=latest", b" min_bytes=1000"):
            offset = 9 if b"reset" in options else 0
            client = self.scene.connect()
            client.send(b"1 CONSUME t 2 %d wait_ms=1000%b" % (offset, options))
            self.assertEqual(len(self.scene.clock.getDelayedCalls()), timers + 1)
            client.protocol.connectionLost()
            self.assertEqual(len(self.scene.clock.getDelayedCalls()), timers)
            self.assertEqual(client.answers(), [])
        self.assertEqual(other.ask(b"1 PRODUCE t user1:a"), [b"1 partition=2 offset=0 hw=0"])
        self.assertEqual(client.answers(), [])

    def test_a_stop_answers_whoever_is_parked(self) -> None:
        """And whoever would be, but not with silence."""
        self.scene.client.send(
            b"1 CONSUME t 2 0 wait_ms=1000 order=any", b"2 CONSUME t 2 9 wait_ms=1000 reset=latest order=any"
        )
        self.scene.broker.partitions.release_waits(ShuttingDown("bye"))
        self.assertEqual(self.scene.client.answers(), [b"1 SHUTTING_DOWN", b"2 SHUTTING_DOWN"])
        self.assertEqual(self.scene.ask(b"3 CONSUME t 2 0 wait_ms=1000"), [b"3 SHUTTING_DOWN"])

    def test_the_next_request_of_a_connection_may_wait_too(self) -> None:
        """It is parked within the wake-up of the one before it, and misses nothing."""
        self.scene.client.send(*[b"%d CONSUME t 2 %d wait_ms=1000" % (offset, offset) for offset in range(4)])
        other = self.scene.connect()
        for number in range(3):
            other.ask(b"1 PRODUCE t user1:%d" % number)
            self.assertEqual(
                self.scene.client.answers(),
                [b"%d messages=%d:%d hw=%d next=%d log_start=0" % (number, number, number, number, number + 1)],
            )
        self.scene.clock.advance(1)
        self.assertEqual(self.scene.client.answers(), [b"3 messages= hw=2 next=3 log_start=0"])


class GapTests(SynchronousTestCase):
    """Offsets that hold no record are skipped, and a client never has to know."""

    def control(self) -> None:
        """A control batch, as transactions leave them: it takes an offset and shows nothing."""
        self.put(attributes=0x20)

    def put(self, attributes: int = 0, flipped: int = 0) -> None:
        """A batch with these attributes, the last byte of its records XORed with *flipped*, under a CRC that fits."""
        plain = encode([b""], [b""], 0)
        covered = bytes([0, attributes]) + plain.body[7:-1] + bytes([plain.body[-1] ^ flipped])
        body = plain.body[:1] + crc32c(covered).to_bytes(4, "big") + covered
        partition = self.scene.partition("t", 2)
        partition.append(EncodedBatch(body, plain.count, plain.max_timestamp_ms), Acks.NONE)
        self.scene.settle()

    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.ask(b"1 PRODUCE t user1:a")

    def test_a_page_of_nothing_is_not_an_answer_while_there_are_records(self) -> None:
        """max_bytes lets one batch through at a time, and the first ones show nothing."""
        for _ in range(5):
            self.control()
        self.scene.ask(b"1 PRODUCE t user1:b")
        self.assertEqual(self.scene.ask(b"1 CONSUME t 2 1 max_bytes=1"), [b"1 messages=6:b hw=6 next=7 log_start=0"])

    def test_a_page_ends_behind_what_shows_nothing(self) -> None:
        """next never points back into it."""
        self.control()
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 0", b"2 CONSUME t 2 1", b"3 CONSUME t 2 2"),
            [
                b"1 messages=0:a hw=1 next=2 log_start=0",
                b"2 messages= hw=1 next=2 log_start=0",
                b"3 messages= hw=1 next=2 log_start=0",
            ],
        )

    def test_good_records_before_damage_are_shown(self) -> None:
        """A page read on for more meets what is damaged and ends before it; whoever goes on there is told."""
        self.scene.ask(*[b"1 PRODUCE t user1:small"] * 199)
        for number in range(10):
            self.scene.ask(b"1 PRODUCE t user1:%d%s" % (number, b"x" * 3000))
        self.put(flipped=0x7F)
        (line,) = self.scene.ask(b"1 CONSUME t 2 200 max_records=11")
        self.assertTrue(line.startswith(b"1 messages=200:0x"), line[:60])
        next_offset = int(line.split(b" next=")[1].split(b" ")[0])
        self.assertLess(next_offset, 211)
        self.assertEqual(self.scene.ask(b"1 CONSUME t 2 210 max_records=2"), [b"1 STORAGE_ERROR"])

    def test_so_many_at_once_are_crossed_in_steps(self) -> None:
        """One request reads so often and no more; next says that it got further."""
        for _ in range(100):
            self.control()
        self.scene.ask(b"1 PRODUCE t user1:b")
        (first,) = self.scene.ask(b"1 CONSUME t 2 1 max_bytes=1")
        self.assertRegex(first, rb"^1 messages= hw=101 next=\d+ log_start=0$")
        offset = int(first.split(b"next=")[1].split()[0])
        self.assertGreater(offset, 50)
        self.assertEqual(
            self.scene.ask(b"1 CONSUME t 2 %d max_bytes=1" % offset), [b"1 messages=101:b hw=101 next=102 log_start=0"]
        )

    def test_records_that_cannot_be_read_are_named(self) -> None:
        """STORAGE_ERROR says where they are, and the connection lives; what is before them and behind them can be read."""
        self.put(flipped=1)
        self.scene.ask(b"1 PRODUCE t user1:b")
        self.scene.client.send(b"1 CONSUME t 2 1", b"2 CONSUME t 2 0 max_records=1", b"3 CONSUME t 2 2")
        self.scene.settle()
        error, before, behind = self.scene.client.lines()
        self.assertRegex(error, rb"^V1\|1\|ERR\|STORAGE_ERROR\|t-2: .* 1 ")
        self.assertEqual(before, b"V1|2|OK|messages=0:a hw=2 next=1 log_start=0")
        self.assertEqual(behind, b"V1|3|OK|messages=2:b hw=2 next=3 log_start=0")


class OffsetsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.ask(*[b"%d PRODUCE t user1:x ts=%d" % (number, 1000 * number) for number in (1, 2, 3)])

    def test_both_ends(self) -> None:
        """Of what can be read."""
        self.assertEqual(
            self.scene.ask(b"1 OFFSETS t 2 at=earliest", b"2 OFFSETS t 2 at=latest"),
            [b"1 offset=0 timestamp=-1", b"2 offset=3 timestamp=-1"],
        )

    def test_the_first_record_that_is_not_older(self) -> None:
        """And its timestamp; -1 when there is none."""
        self.assertEqual(
            self.scene.ask(b"1 OFFSETS t 2 at=1500", b"2 OFFSETS t 2 at=2000", b"3 OFFSETS t 2 at=3001"),
            [b"1 offset=1 timestamp=2000", b"2 offset=1 timestamp=2000", b"3 offset=-1 timestamp=-1"],
        )

    def test_a_follower_says_where_its_log_stands(self) -> None:
        """Reading needs no leadership."""
        self.scene.broker.controller.set_role(TopicPartition("t", 2), Role.FOLLOWER)
        self.scene.settle()
        self.assertEqual(self.scene.ask(b"1 OFFSETS t 2 at=latest"), [b"1 offset=3 timestamp=-1"])
