"""Errors on order."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.embedded.faults import FailingDispatch
from flux.errors import StorageError, Throttled
from flux.interfaces import IBroker
from flux.server.dispatch import Dispatch
from flux.server.families import bind
from flux.server.session import Session
from flux.wire.v1 import Lines
from tests.server.scene import TestFamily

BROKER: Any = IBroker  # the family does not look at it
REFUSED = b"V1|%d|ERR|STORAGE_ERROR|no\n"


class Ordered(SynchronousTestCase):
    def setUp(self) -> None:
        self.family = TestFamily()
        self.clock = Clock()
        self.real = Dispatch(bind([self.family], BROKER), self.clock, 30.0)
        self.dispatch = FailingDispatch(self.real)
        self.session = Session(IPv4Address("TCP", "127.0.0.1", 1))

    def ask(self, command: str, *texts: bytes) -> list[bytes | None]:
        ids = [b"%d" % number for number in range(1, len(texts) + 1)]
        answers = list(self.dispatch.answers(Lines(command, ids, list(texts)), self.session))
        self.clock.advance(0)  # a run starts at the end of the turn
        return [answer.lines for answer in answers]

    def test_nothing_is_ordered(self) -> None:
        """Then it is the dispatch that it is put before."""
        self.assertEqual(self.ask("SAY", b"a", b"b"), [b"V1|1|OK|a\n", b"V1|2|OK|b\n"])
        self.assertEqual(self.ask("APPEND", b"now"), [b"V1|1|OK|done=now\n"])
        (unknown,) = self.ask("SING", b"a")
        assert unknown is not None
        self.assertIn(b"UNKNOWN_COMMAND", unknown)

    def test_the_next_one_fails(self) -> None:
        """It is not started; what follows is."""
        self.dispatch.fail_next("SAY", StorageError("no"), 1)
        self.assertEqual(self.ask("SAY", b"a", b"b"), [REFUSED % 1, b"V1|2|OK|b\n"])
        self.assertEqual(self.family.started, [b"b"])

    def test_a_run_is_parted(self) -> None:
        """Those of it that do not fail stay a run."""
        self.dispatch.fail_next("APPEND", StorageError("no"), 2)
        lines = Lines("APPEND", [b"1", b"2", b"3", b"4"], [b"a", b"b", b"c", b"d"])
        *failed, rest = self.dispatch.answers(lines, self.session)
        self.clock.advance(0)
        self.assertEqual([each.lines for each in failed], [REFUSED % 1, REFUSED % 2])
        self.assertEqual((rest.correlation_ids, self.family.started), ([b"3", b"4"], [b"c", b"d"]))
        self.assertEqual(self.ask("APPEND", b"now"), [b"V1|1|OK|done=now\n"])

    def test_a_run_can_fail_whole(self) -> None:
        """And the rest of the order is for the next one."""
        self.dispatch.fail_next("APPEND", StorageError("no"), 2)
        self.assertEqual(self.ask("APPEND", b"now"), [REFUSED % 1])
        self.assertEqual(self.ask("APPEND", b"now"), [REFUSED % 1])
        self.assertEqual(self.family.started, [])

    def test_orders_are_carried_out_in_turn(self) -> None:
        """Each command's on its own."""
        self.dispatch.fail_next("SAY", StorageError("no"), 1)
        self.dispatch.fail_next("SAY", Throttled("slowly"), 1)
        self.assertEqual(self.ask("BIG", b"2"), [b"V1|1|OK|xx\n"])
        self.assertEqual(self.ask("SAY", b"a", b"b"), [REFUSED % 1, b"V1|2|ERR|THROTTLED|slowly\n"])

    def test_a_failure_overlaps_as_its_run_would(self) -> None:
        """Or the order of answers would be another one."""
        self.dispatch.fail_next("APPEND", StorageError("no"), 1)
        answers = list(self.dispatch.answers(Lines("APPEND", [b"1", b"2"], [b"now", b"now"]), self.session))
        self.assertEqual([each.overlaps for each in answers], [True, True])
        self.assertEqual(self.dispatch.overlaps("SAY"), self.real.overlaps("SAY"))

    def test_draining_is_the_real_one_s(self) -> None:
        """Set and read."""
        self.dispatch.draining = True
        self.assertTrue(self.real.draining)
        self.assertTrue(self.dispatch.draining)
        (refused,) = self.ask("SAY", b"a")
        assert refused is not None
        self.assertIn(b"SHUTTING_DOWN", refused)

    def test_an_answer_that_takes_too_long_expires(self) -> None:
        """As ever."""
        (answer,) = self.dispatch.answers(Lines("HOLD", [b"1"], [b"a"]), self.session)
        self.dispatch.expire(answer)
        assert answer.lines is not None
        self.assertIn(b"INTERNAL_ERROR", answer.lines)
        self.assertEqual(self.family.cancelled, [b"a"])
