"""The group family, through a whole broker."""

import json
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase

from tests.commands.scene import Scene

# What deployed clients are answered, one connection each: the request, and the id with the payload or the code.
A_GROUPS_LIFE = [
    (b"1 PRODUCE orders user1:a", b"1 partition=2 offset=0"),
    (b"2 JOIN g1 orders c1", b"2 generation=2 assigned=[0 1 2]"),
    (b"3 JOIN g1 orders c1", b"3 generation=2 assigned=[0 1 2]"),
    (b"4 SYNC g1 orders c1 2", b"4 generation=2 assigned=[0 1 2]"),
    (b"5 HEARTBEAT g1 orders c1 2", b"5 heartbeat=ok"),
    (b"6 OFFSET g1 orders 0", b"6 offset=0 committed=false"),
    (b"7 COMMIT g1 orders c1 2 2 1", b"7 committed=true"),
    (b"8 OFFSET g1 orders 2", b"8 offset=1 committed=true"),
    (b"9 JOIN g1 orders c2", b"9 generation=3 assigned=[1]"),
    (b"10 HEARTBEAT g1 orders c1 2", b"10 GENERATION_MISMATCH"),
    (b"11 JOIN g1 orders c1", b"11 generation=3 assigned=[0 2]"),
    (b"12 COMMIT g1 orders c1 2 0 1", b"12 GENERATION_MISMATCH"),
    (b"13 COMMIT g1 orders c1 3 1 1", b"13 GENERATION_MISMATCH"),
    (b"14 LEAVE g1 orders c1 3", b"14 left=true"),
    (b"15 JOIN g1 orders c2", b"15 generation=4 assigned=[0 1 2]"),
    (b"16 LEAVE g1 orders c2 4", b"16 left=true"),
    (b"17 JOIN g1 orders c9", b"17 generation=6 assigned=[0 1 2]"),
]
ERRORS = [
    (b"1 JOIN g orders c1", b"1 generation=2 assigned=[0 1 2]"),
    (b"2 SYNC g orders c1 1", b"2 GENERATION_MISMATCH"),
    (b"3 SYNC g orders c1 3", b"3 GENERATION_MISMATCH"),
    (b"4 SYNC g orders c1 x", b"4 BAD_REQUEST"),
    (b"5 SYNC g other c1 2", b"5 GENERATION_MISMATCH"),
    (b"6 SYNC nogroup orders c1 2", b"6 GENERATION_MISMATCH"),
    (b"7 HEARTBEAT g orders ghost 2", b"7 GENERATION_MISMATCH"),
    (b"8 COMMIT g orders c1 2 9 5", b"8 GENERATION_MISMATCH"),
    (b"9 COMMIT g orders c1 2 0 -3", b"9 BAD_REQUEST"),
    (b"10 JOIN g orders c1 assignor=sticky", b"10 BAD_REQUEST"),
    (b"11 JOIN g", b"11 BAD_REQUEST"),
    (b"12 GROUP_DESCRIBE nogroup", b"12 BAD_REQUEST"),
    (b"13 EXPLAIN_GROUP nogroup", b"13 BAD_REQUEST"),
    (b"14 GROUP_RESET nogroup orders to=latest", b"14 BAD_REQUEST"),
    (b"15 OFFSET g orders 9", b"15 BAD_REQUEST"),
    (b"16 JOIN g __consumer_offsets c1", b"16 BAD_REQUEST"),
    (b"17 GROUP_RESET g __consumer_offsets to=latest", b"17 BAD_REQUEST"),
]
RANGE = [
    (b"2 JOIN g wide c2 assignor=range", b"2 generation=2 assigned=[0 1 2 3 4]"),
    (b"3 JOIN g wide c1 assignor=range", b"3 generation=3 assigned=[0 1 2]"),
    (b"4 JOIN g wide c2 assignor=range", b"4 generation=3 assigned=[3 4]"),
    (b"5 JOIN g wide c2 assignor=round_robin", b"5 generation=4 assigned=[1 3]"),
]


def without_watermark(answer: bytes) -> bytes:
    return answer.partition(b" hw=")[0]


class GroupFamilyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def answer(self, request: bytes) -> bytes:
        (answer,) = self.scene.ask(request)
        return answer

    def json_of(self, request: bytes) -> Any:
        return json.loads(unquote(self.answer(request).partition(b" json=")[2].decode()))

    def test_deployed_clients_are_answered_as_they_expect(self) -> None:
        """A group's life, what is refused, and ranges over the topic's own partitions."""
        for script in (A_GROUPS_LIFE, ERRORS, RANGE):
            self.setUp()
            self.scene.create("wide", 5)
            for request, expected in script:
                self.assertEqual(without_watermark(self.answer(request)), expected, request)

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        """Each starts when the one before it is answered, so a commit sees the generation of the join before it."""
        self.assertEqual(
            self.scene.ask(
                b"1 JOIN g t c1", b"2 COMMIT g t c1 2 0 5", b"3 OFFSET g t 0", b"4 LEAVE g t c1 2", b"5 SYNC g t c1 3"
            ),
            [
                b"1 generation=2 assigned=[0 1 2]",
                b"2 committed=true",
                b"3 offset=5 committed=true",
                b"4 left=true",
                b"5 GENERATION_MISMATCH",
            ],
        )

    def test_offset_of_what_nobody_committed_is_the_logs_start(self) -> None:
        """Also for a group and a topic nobody has heard of."""
        self.assertEqual(self.answer(b"1 OFFSET g new 0"), b"1 offset=0 committed=false")
        for _ in range(3):
            self.scene.ask(b"1 PRODUCE new user1:a")
        self.scene.partition("new", 2).log.move_start(2)
        self.scene.settle()
        self.assertEqual(self.answer(b"1 OFFSET g new 2"), b"1 offset=2 committed=false")

    def test_a_session_may_be_short(self) -> None:
        """The member is gone when it is over, and not before."""
        self.scene.ask(b"1 JOIN g t c1 session_ms=500")
        self.scene.clock.advance(0.499)
        self.assertEqual(self.answer(b"2 HEARTBEAT g t c1 2"), b"2 heartbeat=ok")
        self.scene.clock.advance(0.5)
        self.assertEqual(self.answer(b"3 HEARTBEAT g t c1 2"), b"3 GENERATION_MISMATCH")

    def test_people_see_groups_members_lag_and_reasons(self) -> None:
        """GROUP_LIST, GROUP_DESCRIBE, EXPLAIN_GROUP."""
        for _ in range(3):
            self.scene.ask(b"1 PRODUCE t user1:a")  # partition 2
        self.scene.ask(b"1 JOIN g t c1", b"2 JOIN h t c1", b"3 COMMIT g t c1 2 2 1")
        self.scene.clock.advance(5)
        self.assertTrue(self.answer(b"1 GROUP_LIST").startswith(b"1 groups=[g h] json="))
        self.assertEqual([one["members"] for one in self.json_of(b"1 GROUP_LIST")], [1, 1])
        self.assertTrue(self.answer(b"1 GROUP_DESCRIBE g").startswith(b"1 group=g state=stable members=1 lag=2 json="))
        third = self.json_of(b"1 GROUP_DESCRIBE g")["topics"][0]["partitions"][2]
        self.assertEqual((third["committed"], third["lag"], third["lag_seconds"]), (1, 2, 5.0))
        self.scene.clock.advance(5)
        self.assertEqual([event["cause"] for event in self.json_of(b"1 EXPLAIN_GROUP g")], ["joined", "expired"])

    def test_a_reset_fences_whoever_reads(self) -> None:
        """Dry first; then the consumer is refused, joins again and goes on from there."""
        self.scene.ask(b"1 PRODUCE t user1:a", b"2 JOIN g t c1", b"3 COMMIT g t c1 2 1 1")
        self.assertEqual(
            self.answer(b"1 GROUP_RESET g t to=earliest dry_run=1"),
            b"1 group=g topic=t generation=2 dry_run=true before=[none 1 none] after=[0 0 0]",
        )
        self.assertEqual(self.answer(b"1 HEARTBEAT g t c1 2"), b"1 heartbeat=ok")
        self.assertEqual(
            self.answer(b"1 GROUP_RESET g t to=earliest"),
            b"1 group=g topic=t generation=3 dry_run=false before=[none 1 none] after=[0 0 0]",
        )
        self.assertEqual(self.answer(b"1 COMMIT g t c1 2 1 1"), b"1 GENERATION_MISMATCH")
        self.assertEqual(self.answer(b"1 JOIN g t c1"), b"1 generation=3 assigned=[0 1 2]")
        self.assertEqual(self.answer(b"1 OFFSET g t 1"), b"1 offset=0 committed=true")
