"""One connection: back-pressure, limits, loss, timeouts."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.server.scene import Scene, request_line


class BackPressureTests(SynchronousTestCase):
    def test_a_peer_that_does_not_read_is_not_read(self) -> None:
        """Reading pauses when the transport's buffer is full, and goes on when it is empty."""
        scene = Scene()
        scene.transport.peer_reads = False
        scene.lines(b"1 BIG 1000000")
        self.assertEqual(scene.transport.producerState, "paused")
        scene.transport.drained()
        self.assertEqual(scene.transport.producerState, "producing")

    def test_nothing_more_is_started_for_a_peer_that_does_not_read(self) -> None:
        """A chunk can hold thousands of requests for a mebibyte each: memory holds about one answer at a time."""
        scene = Scene()
        scene.transport.peer_reads = False
        scene.lines(*[b"%d BIG 1000000" % number for number in range(50)])
        for answered in range(1, 20):
            self.assertEqual(len(scene.family.started), answered)
            self.assertLess(scene.transport.unsent, 1_100_000)
            scene.transport.drained()
        scene.transport.peer_reads = True
        scene.transport.drained()
        self.assertEqual(len(scene.family.started), 50)

    def test_requests_in_flight_are_bounded(self) -> None:
        """At the cap reading pauses; it goes on when half of them are answered."""
        scene = Scene(max_in_flight_requests=4)
        scene.lines(b"1 HOLD a", b"2 HOLD b", b"3 HOLD c")
        self.assertEqual(scene.transport.producerState, "producing")
        scene.lines(b"4 SAY d")
        self.assertEqual(scene.transport.producerState, "paused")
        scene.family.release(b"a")
        self.assertEqual(scene.transport.producerState, "paused")
        scene.family.release(b"b")
        self.assertEqual(scene.transport.producerState, "producing")

    def test_bytes_in_flight_are_bounded(self) -> None:
        """The same in bytes; what is parked where it can be overtaken does not count."""
        scene = Scene(max_in_flight_bytes=4096)
        scene.lines(b"1 HOLD a " + b"x" * 3000, b"2 HOLD b order=any")
        self.assertEqual(scene.transport.producerState, "producing")
        scene.lines(b"3 SAY " + b"x" * 2000)
        self.assertEqual(scene.transport.producerState, "paused")
        scene.family.release(b"a " + b"x" * 3000)
        self.assertEqual(scene.transport.producerState, "producing")
        self.assertEqual((scene.protocol.pipeline.requests, scene.protocol.pipeline.bytes), (1, 0))

    def test_every_reason_must_pass(self) -> None:
        """A second reason to pause outlives the first."""
        scene = Scene(max_in_flight_requests=2)
        scene.transport.peer_reads = False
        scene.lines(b"1 BIG 1000000", b"2 HOLD a", b"3 HOLD b")
        self.assertEqual(scene.transport.producerState, "paused")
        scene.transport.drained()
        self.assertEqual(scene.transport.producerState, "paused")
        scene.family.release(b"a")
        self.assertEqual(scene.transport.producerState, "producing")

    def test_an_answer_already_begun_leaves_all_the_same(self) -> None:
        """While the peer does not read, what was started is answered; it is bounded by what was started."""
        scene = Scene()
        scene.lines(b"1 HOLD a order=any", b"2 HOLD b order=any")
        scene.transport.peer_reads = False
        scene.lines(b"3 BIG 300000", b"4 SAY c")
        scene.family.release(b"b order=any")
        self.assertEqual(scene.answers()[-1], b"2 b order=any")
        self.assertNotIn(b"c", scene.family.started)


class LossTests(SynchronousTestCase):
    def test_a_lost_connection_cancels_what_it_asked_for(self) -> None:
        """Parked, in flight or queued: nothing of it stays, nothing is written."""
        scene = Scene()
        scene.lines(b"1 HOLD a order=any", b"2 HOLD b", b"3 SAY c")
        scene.lose()
        self.assertEqual(sorted(scene.family.cancelled), [b"a order=any", b"b"])
        self.assertEqual(scene.family.started, [b"a order=any", b"b"])
        self.assertEqual(scene.transport.value(), b"")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_answer_that_a_cancellation_brings_is_not_written(self) -> None:
        """Giving one up may release another of the same connection; by then there is no connection."""
        scene = Scene()
        scene.lines(b"1 HOLD a order=any")
        scene.family.next_wait = Deferred(lambda _: scene.family.release(b"a order=any"))
        scene.lines(b"2 HOLD b")
        scene.lose()
        self.assertEqual(scene.transport.value(), b"")

    def test_a_lost_connection_cancels_coroutines(self) -> None:
        """The wait inside an async handler is cancelled."""
        scene = Scene()
        scene.lines(b"1 SLEEP a")
        scene.lose()
        self.assertEqual(scene.family.cancelled, [b"a"])
        self.assertEqual(self.flushLoggedErrors(), [])


class TimeoutTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene(partial_line_timeout_ms=3000, idle_timeout_ms=10_000, request_timeout_ms=5000)

    def test_a_line_begun_and_not_ended_closes_the_connection(self) -> None:
        """It is told so first."""
        self.scene.send(b"V1|1|SAY|a\nV1|2|S")
        self.scene.pass_time(3)
        self.assertEqual(self.scene.answers(), [b"1 a"])
        self.scene.pass_time(1)
        self.assertEqual(self.scene.answers(), [b"0 BAD_REQUEST"])
        self.assertTrue(self.scene.transport.disconnecting)

    def test_a_byte_now_and_then_does_not_keep_a_line_alive(self) -> None:
        """Only a complete line starts the time anew."""
        for _ in range(8):
            self.scene.send(b"x")
            self.scene.pass_time(0.5)
        self.assertEqual(self.scene.answers(), [b"0 BAD_REQUEST"])

    def test_a_connection_that_ends_its_lines_lives(self) -> None:
        """However long it has been between two of them a line begun."""
        for _ in range(10):
            self.scene.send(b"Y|a\nV1|1|SA")
            self.scene.pass_time(2)
        self.assertFalse(self.scene.transport.disconnecting)

    def test_a_silent_connection_is_closed(self) -> None:
        """After idle_timeout_ms without a line."""
        self.scene.lines(b"1 SAY a")
        self.scene.pass_time(10)
        self.assertFalse(self.scene.transport.disconnecting)
        self.scene.pass_time(2.75)
        self.assertTrue(self.scene.transport.disconnecting)

    def test_a_connection_that_waits_for_an_answer_is_not_silent(self) -> None:
        """A long poll may outlast idle_timeout_ms."""
        self.scene.lines(b"1 HOLD wait")
        self.scene.pass_time(20)
        self.assertFalse(self.scene.transport.disconnecting)

    def test_a_request_not_answered_in_time_fails(self) -> None:
        """It alone: it is cancelled and answered with an error, and those behind it have their turn."""
        self.scene.lines(b"1 HOLD a", b"2 SAY b", b"3 APPEND c", b"4 APPEND d")
        self.scene.pass_time(6.5)
        self.assertEqual(self.scene.answers(), [b"1 INTERNAL_ERROR", b"2 b"])
        self.assertEqual(self.scene.family.cancelled, [b"a"])
        self.scene.pass_time(6.5)
        self.assertEqual(self.scene.answers(), [b"3 INTERNAL_ERROR", b"4 INTERNAL_ERROR"])
        self.assertFalse(self.scene.transport.disconnecting)

    def test_a_handler_that_answers_when_it_is_cancelled_is_too_late(self) -> None:
        """There is one answer to a request."""
        self.scene.family.next_wait = Deferred(lambda deferred: deferred.callback(None))
        self.scene.lines(b"1 HOLD a", b"2 SAY b")
        self.scene.pass_time(6.5)
        self.assertEqual(self.scene.answers(), [b"1 INTERNAL_ERROR", b"2 b"])

    def test_cancelling_one_may_bring_another_s_answer(self) -> None:
        """While a request is being given up, others on its connection may be answered."""
        self.scene.lines(b"1 HOLD a order=any")
        self.scene.family.next_wait = Deferred(lambda _: self.scene.family.release(b"a order=any"))
        self.scene.lines(b"2 HOLD b")
        self.scene.pass_time(6.5)
        self.assertEqual(sorted(self.scene.answers()), [b"1 a order=any", b"2 INTERNAL_ERROR"])

    def test_the_wait_a_request_asked_for_is_granted(self) -> None:
        """Its deadline is request_timeout_ms beyond it."""
        self.scene.lines(b"1 HOLD wait order=any")
        self.scene.pass_time(64)
        self.assertEqual(self.scene.answers(), [])
        self.scene.pass_time(2.5)
        self.assertEqual(self.scene.answers(), [b"1 INTERNAL_ERROR"])

    def test_no_wait_moves_a_deadline_for_ever(self) -> None:
        """An hour at most, whatever the request says."""
        scene = Scene(idle_timeout_ms=10_000_000)
        scene.lines(b"1 HOLD for ever")
        for _ in range(3632):
            scene.clock.advance(1)
        self.assertEqual(scene.answers(), [b"1 INTERNAL_ERROR"])

    def test_a_peer_that_never_reads_is_cut_off(self) -> None:
        """After idle_timeout_ms without a byte leaving, memory is given back."""
        self.scene.transport.peer_reads = False
        self.scene.lines(b"1 BIG 1000000", b"2 SAY a")
        self.scene.pass_time(10)
        self.assertFalse(self.scene.transport.disconnected)
        self.scene.pass_time(2.75)
        self.assertTrue(self.scene.transport.disconnected)

    def test_a_line_begun_before_reading_was_paused_is_not_held_against_the_peer(self) -> None:
        """It cannot end what we do not read."""
        scene = Scene(partial_line_timeout_ms=3000, max_in_flight_requests=1)
        scene.send(request_line(b"1 HOLD wait") + b"V1|2|SA")
        scene.pass_time(10)
        scene.family.release(b"wait")
        scene.send(b"Y|b\n")
        self.assertEqual(scene.answers(), [b"1 wait", b"2 b"])
