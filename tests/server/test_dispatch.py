"""Requests → answers: what a fault costs, and what it does not."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.server.suggestions import Suggestions
from tests.server.scene import Scene


class ErrorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_an_unreadable_request_is_a_bad_request(self) -> None:
        """With the decoder's own words; its neighbours are answered."""
        self.scene.lines(b"1 SAY a", b"2 SAY unreadable", b"3 SAY b")
        self.assertIn(
            b"V1|2|ERR|BAD_REQUEST|text: 'unreadable' cannot be read; use another word\n", self.scene.transport.value()
        )
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 BAD_REQUEST", b"3 b"])

    def test_a_line_that_is_no_frame_is_told_why(self) -> None:
        """Under id 0, and the connection lives."""
        self.scene.send(b"V2|1|SAY|a\nV1|2|SAY|b\n")
        self.assertRegex(self.scene.transport.value(), rb"^V1\|0\|ERR\|BAD_REQUEST\|version: .*V2.*\n")
        self.assertEqual(self.scene.answers(), [b"0 BAD_REQUEST", b"2 b"])

    def test_an_unforeseen_exception_costs_its_own_request_only(self) -> None:
        """INTERNAL_ERROR, without its text; the log has the traceback under the correlation id, and the connection lives."""
        self.scene.lines(b"1 SAY a", b"42 FAIL secret", b"3 SAY b")
        self.assertNotIn(b"secret", self.scene.transport.value())
        self.assertEqual(self.scene.answers(), [b"1 a", b"42 INTERNAL_ERROR", b"3 b"])
        (failure,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(failure.value.args, (b"secret",))

    def test_a_deferred_that_fails_costs_its_own_request_only(self) -> None:
        """A FluxError is the answer; anything else is INTERNAL_ERROR, and logged."""
        self.scene.lines(b"1 HOLD a", b"2 HOLD b", b"3 APPEND c", b"4 APPEND d", b"5 SAY e")
        self.scene.family.held.pop(b"a").errback(StorageError("the disk failed"))
        self.assertIn(b"V1|1|ERR|STORAGE_ERROR|the disk failed\n", self.scene.transport.value())
        self.scene.family.held.pop(b"b").errback(ZeroDivisionError())
        self.scene.clock.advance(0)
        self.scene.family.held.pop(b"c").errback(ZeroDivisionError())
        self.assertEqual(
            self.scene.answers(),
            [b"1 STORAGE_ERROR", b"2 INTERNAL_ERROR", b"3 INTERNAL_ERROR", b"4 INTERNAL_ERROR", b"5 e"],
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_run_may_answer_some_with_errors(self) -> None:
        """What a run handler renders leaves as it is."""
        self.scene.lines(b"1 APPEND a", b"2 APPEND bad")
        self.scene.family.release(b"a")
        self.assertEqual(self.scene.answers(), [b"1 done=a", b"2 BAD_REQUEST"])

    def test_a_handler_that_fails_after_it_was_given_up_is_only_logged(self) -> None:
        """Its request was answered already."""
        scene = Scene(request_timeout_ms=1000)
        stubborn: Deferred[None] = Deferred(lambda deferred: deferred.errback(ZeroDivisionError()))
        scene.family.next_wait = stubborn
        scene.lines(b"1 HOLD a")
        scene.pass_time(2)
        self.assertEqual(scene.answers(), [b"1 INTERNAL_ERROR"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class UnknownCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scene = Scene()

    def test_an_unknown_command_is_named_with_what_is_near(self) -> None:
        """A letter too few or too many, wrong or swapped; or the list is where to look."""
        self.scene.lines(b"1 APEND a", b"2 HOLDD a", b"3 SAW a", b"4 LSEEP a", b"5 XYZZY a")
        one, two, three, four, five = self.scene.transport.value().splitlines()
        self.assertEqual(one, b"V1|1|ERR|UNKNOWN_COMMAND|command: APEND is not known here; did you mean APPEND?")
        for line, near in ((two, b"HOLD?"), (three, b"SAY?"), (four, b"SLEEP?"), (five, b"HELP lists the commands")):
            self.assertTrue(line.endswith(near), line)

    def test_part_of_a_name_is_near(self) -> None:
        """CREATE_TOPIC is what people try."""
        suggestions = Suggestions(["ADMIN_CREATE_TOPIC", "CONSUME", "ADMIN_DELETE_TOPIC"])
        self.assertEqual(suggestions.near("CREATE_TOPIC"), ["ADMIN_CREATE_TOPIC"])
        self.assertEqual(suggestions.near("TOPIC"), ["ADMIN_CREATE_TOPIC", "ADMIN_DELETE_TOPIC"])

    def test_a_very_long_name_is_near_nothing(self) -> None:
        """Nor is it repeated in full."""
        self.assertEqual(Suggestions(["SAY"]).near("SAY" * 1000), [])
        self.scene.lines(b"1 " + b"SAY" * 1000)
        self.assertLess(len(self.scene.transport.value()), 200)

    def test_commands_ignore_case(self) -> None:
        """As PROTOCOL says of all names."""
        self.scene.lines(b"1 say a", b"2 Say b")
        self.assertEqual(self.scene.answers(), [b"1 a", b"2 b"])


class CountTests(SynchronousTestCase):
    def test_requests_are_counted_by_command(self) -> None:
        """Those of known commands."""
        scene = Scene()
        scene.lines(b"1 SAY a", b"2 SAY unreadable", b"3 NOPE", b"4 APPEND now")
        self.assertEqual(scene.dispatch.requests, {"SAY": 2, "APPEND": 1})
