"""The order of one connection."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.server.scene import Scene


class SlowClock(Clock):
    """A millisecond passes whenever somebody looks."""

    def seconds(self) -> float:
        self.rightNow += 0.001
        return super().seconds()


class OrderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_answers_at_hand_leave_in_one_write(self) -> None:
        """What is ready within a chunk is one transport.write."""
        self.scene.lines(b"1 SAY a", b"2 NOPE", b"3 SAY b")
        self.assertEqual(len(self.scene.transport.writes), 1)
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 UNKNOWN_COMMAND", b"3 b"])

    def test_a_request_starts_when_all_before_it_are_answered(self) -> None:
        """A plain request behind one that waits is not even started."""
        self.scene.lines(b"1 HOLD a", b"2 SAY b", b"3 HOLD c", b"4 SAY d")
        self.assertEqual(self.scene.family.started, [b"a"])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.family.started, [b"a", b"b", b"c"])
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])
        self.scene.family.release(b"c")
        self.assertEqual(self.scene.answers(), [b"3 c", b"4 d"])

    def test_a_coroutine_waits_like_a_deferred(self) -> None:
        """An async handler is started at once, and what is behind it waits."""
        self.scene.lines(b"1 SLEEP a", b"2 SAY b")
        self.assertEqual(self.scene.family.started, [b"a"])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])

    def test_requests_read_later_wait_as_well(self) -> None:
        """The order holds across reads."""
        self.scene.lines(b"1 HOLD a")
        self.scene.lines(b"2 SAY b")
        self.assertEqual(self.scene.family.started, [b"a"])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])

    def test_a_line_that_is_no_request_is_answered_in_its_place(self) -> None:
        """An error keeps the order too, and the connection."""
        self.scene.send(b"V1|1|HOLD|a\nnonsense\n\nV1|2|SAY|b\n")
        self.assertEqual(self.scene.answers(), [])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 a", b"0 BAD_REQUEST", b"0 BAD_REQUEST", b"2 b"])


class OverlapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_runs_that_overlap_are_all_started(self) -> None:
        """A run need not wait for the run before it; the answers leave in order all the same."""
        self.scene.lines(b"1 APPEND a", b"2 APPEND b")
        self.scene.lines(b"3 APPEND c")
        self.assertEqual(self.scene.family.started, [b"a", b"b", b"c"])
        self.scene.family.release(b"c")
        self.assertEqual(self.scene.answers(), [])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 done=a", b"2 done=b", b"3 done=c"])

    def test_a_run_answered_at_once_waits_for_its_turn_to_leave(self) -> None:
        """An acks=0 run behind an acks=1 run is started, and answered after it."""
        self.scene.lines(b"1 APPEND a")
        self.scene.lines(b"2 APPEND now")
        self.assertEqual(self.scene.family.started, [b"a", b"now"])
        self.assertEqual(self.scene.answers(), [])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 done=a", b"2 done=now"])

    def test_anything_else_waits_for_all_runs_before_it(self) -> None:
        """Only runs that may overlap do: a reader behind them sees what they wrote."""
        self.scene.lines(b"1 APPEND a")
        self.scene.lines(b"2 APPEND b", b"3 SAY c", b"4 APPEND d")
        self.scene.family.release(b"b")
        self.assertEqual(self.scene.family.started, [b"a", b"b"])
        self.scene.family.release(b"a")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.family.started, [b"a", b"b", b"c", b"d"])
        self.assertEqual(self.scene.answers(), [b"1 done=a", b"2 done=b", b"3 c"])

    def test_a_run_behind_anything_else_waits(self) -> None:
        """A run overlaps runs, not a plain request."""
        self.scene.lines(b"1 HOLD a", b"2 APPEND b")
        self.assertEqual(self.scene.family.started, [b"a"])
        self.scene.family.release(b"a")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.family.started, [b"a", b"b"])


class OvertakingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_what_may_be_overtaken_holds_nobody_up(self) -> None:
        """order=any: later requests are answered first, and its answer comes when it is there."""
        self.scene.lines(b"1 HOLD a order=any", b"2 SAY b", b"3 HOLD c", b"4 SAY d")
        self.assertEqual(self.scene.answers(), [b"2 b"])
        self.scene.family.release(b"a order=any")
        self.assertEqual(self.scene.answers(), [b"1 a order=any"])
        self.scene.family.release(b"c")
        self.assertEqual(self.scene.answers(), [b"3 c", b"4 d"])

    def test_it_starts_only_when_its_turn_comes(self) -> None:
        """order=any lets others pass; it does not itself pass anybody."""
        self.scene.lines(b"1 APPEND a", b"2 HOLD b order=any")
        self.assertEqual(self.scene.family.started, [b"a"])
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.family.started, [b"a", b"b order=any"])

    def test_one_too_many_is_waited_for(self) -> None:
        """How many are parked at once is bounded: the next one holds up what is behind it, until it or one of them is answered."""
        parked = [b"%d HOLD p%d order=any" % (number, number) for number in range(65)]
        self.scene.lines(*parked, b"99 SAY b")
        self.assertEqual(self.scene.answers(), [])
        self.scene.family.release(b"p64 order=any")
        self.assertEqual(self.scene.answers(), [b"64 p64 order=any", b"99 b"])


class TurnTests(SynchronousTestCase):
    def test_many_requests_are_spread_over_turns(self) -> None:
        """A connection with much to do lets others have their turn, and goes on by itself."""
        scene = Scene(SlowClock())
        scene.protocol.dataReceived(b"".join(b"V1|%d|SAY|a\n" % number for number in range(100)))
        first = len(scene.answers())
        self.assertGreater(first, 0)
        self.assertLess(first, 100)
        rest = 0
        for _ in range(100):
            scene.clock.advance(0)
            rest += len(scene.answers())
        self.assertEqual(first + rest, 100)

    def test_a_read_full_of_blank_lines_is_answered_line_by_line(self) -> None:
        """Far more lines than one cut takes, none of them a request."""
        scene = Scene()
        scene.send(b"\n" * 10_000)
        self.assertEqual(scene.answers(), [b"0 BAD_REQUEST"] * 10_000)
        self.assertTrue(scene.protocol.pipeline.is_empty)
        self.assertEqual(scene.protocol.pipeline.bytes, 0)
