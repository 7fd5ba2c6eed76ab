"""Runs of many connections, put together."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.interfaces import Pending
from flux.server.answer import Answer
from flux.server.dispatch import MAX_JOINT_BYTES, TURN_S
from flux.server.joint import Joint
from flux.wire.v1 import MAX_CUT
from tests.server.scene import Scene, Transport, shown


class TurnTests(SynchronousTestCase):
    """What connections ask in one reactor turn."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.transports = [Transport() for _ in range(3)]
        self.protocols = [self.scene.connect(transport) for transport in self.transports]

    def arrive(self, at: int, *texts: bytes) -> None:
        """APPENDs on connection *at*; the turn goes on."""
        data = b"".join(b"V1|%d|APPEND|%b\n" % (number, text) for number, text in enumerate(texts))
        self.protocols[at].dataReceived(data)

    def answers(self, at: int) -> list[bytes]:
        return [shown(line) for line in self.transports[at].value().splitlines()]

    def test_it_is_one_run(self) -> None:
        """Of all connections, in the order in which they were read; each is answered on its own."""
        runs: list[Sequence[bytes]] = []
        self.scene.family.watch = runs.append
        self.arrive(1, b"a", b"bad")
        self.arrive(0, b"c")
        self.arrive(2, b"d", b"e")
        self.assertEqual(runs, [])
        self.scene.clock.advance(0)
        self.assertEqual(runs, [[b"a", b"bad", b"c", b"d", b"e"]])
        self.scene.family.release(b"a")
        self.assertEqual(self.answers(1), [b"0 done=a", b"1 BAD_REQUEST"])
        self.assertEqual(self.answers(0), [b"0 done=c"])
        self.assertEqual(self.answers(2), [b"0 done=d", b"1 done=e"])

    def test_principals_do_not_share_one(self) -> None:
        """A handler is told one session, and may look at whose it is."""
        runs: list[Sequence[bytes]] = []
        self.scene.family.watch = runs.append
        self.protocols[1].session.principal = "alice"
        for at in range(3):
            self.arrive(at, b"%d" % at)
        self.scene.clock.advance(0)
        self.assertEqual(runs, [[b"0", b"2"], [b"1"]])

    def test_whoever_is_gone_by_then_has_asked_nothing(self) -> None:
        """The others' requests are executed."""
        for at in range(3):
            self.arrive(at, b"%d" % at)
        self.scene.lose(self.protocols[0])
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.family.started, [b"1", b"2"])

    def test_it_is_cancelled_when_nobody_is_left(self) -> None:
        """Not before."""
        for at in range(3):
            self.arrive(at, b"%d" % at)
        self.scene.clock.advance(0)
        self.scene.lose(self.protocols[0])
        self.scene.lose(self.protocols[2])
        self.assertEqual(self.scene.family.cancelled, [])
        self.scene.lose(self.protocols[1])
        self.assertEqual(self.scene.family.cancelled, [b"0"])

    def test_a_handler_that_fails_fails_all(self) -> None:
        """Each gets an answer for each of its requests; the reason is logged."""
        self.arrive(0, b"fail", b"x")
        self.arrive(1, b"y")
        self.scene.clock.advance(0)
        self.assertEqual(self.answers(0), [b"0 INTERNAL_ERROR", b"1 INTERNAL_ERROR"])
        self.assertEqual(self.answers(1), [b"0 INTERNAL_ERROR"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_run_has_its_limit(self) -> None:
        """What does not fit is the next run; a connection's part is never torn."""
        sizes: list[int] = []
        self.scene.family.watch = lambda texts: sizes.append(len(texts))
        for at, count in enumerate((MAX_CUT - 2, 3, 2)):
            self.arrive(at, *[b"%d" % at] * count)
        self.scene.clock.advance(0)
        self.assertEqual(sizes, [MAX_CUT - 2, 5])

    def test_a_run_has_its_limit_in_bytes(self) -> None:
        """It becomes one batch, which a consumer reads whole; a part that is more by itself goes alone."""
        sizes: list[int] = []
        self.scene.family.watch = lambda texts: sizes.append(sum(map(len, texts)))
        half = MAX_JOINT_BYTES // 2
        for at, size in enumerate((half, half, 1, 2 * half - 100, 100, 1)):
            self.arrive(at % 3, b"x" * size)
        self.scene.clock.advance(0)
        self.assertEqual(sizes, [2 * half, 2 * half - 99, 101])

    def test_a_connections_commands_keep_their_order(self) -> None:
        """Whatever others ask in the same turn: only runs of one command overlap."""
        self.arrive(1, b"another's")
        self.protocols[0].dataReceived(b"V1|1|STORE|first\nV1|2|APPEND|second\n")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.family.started, [b"another's", b"first"])
        self.scene.family.release(b"first")
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.family.started, [b"another's", b"first", b"second"])

    def test_a_principal_that_asks_for_much_keeps_no_other_waiting(self) -> None:
        """They take turns, run by run, however much more of the one's comes in."""
        runs: list[bytes] = []
        clock = self.scene.clock

        def work(texts: Sequence[bytes]) -> None:
            runs.append(texts[0])
            clock.rightNow += TURN_S
            if len(runs) < 4:
                self.arrive(2, b"more of the one")

        self.scene.family.watch = work
        self.protocols[1].session.principal = "alice"
        for text in (b"first of the one", b"second of the one"):
            self.arrive(0, *[text] * MAX_CUT)
        self.arrive(1, b"the other")
        clock.advance(0)
        self.assertEqual(runs[:3], [b"first of the one", b"the other", b"second of the one"])

    def test_a_connection_that_cannot_be_written_to_harms_no_other(self) -> None:
        """Whether the handler answers at once, later or not at all; what was joined behind it is executed."""

        def refuse(data: bytes) -> None:
            raise ZeroDivisionError

        self.protocols[0].session.principal = self.protocols[1].session.principal = "alice"
        for text, outcome in ((b"now", b"0 done=now"), (b"later", b"0 done=later"), (b"fail", b"0 INTERNAL_ERROR")):
            with self.subTest(text):
                self.setUp()
                self.transports[0].write = refuse  # type: ignore[method-assign]
                for at in range(2):
                    self.arrive(at, text)
                self.protocols[2].session.principal = "bob"
                self.arrive(2, b"now")
                self.scene.clock.advance(0)
                if text in self.scene.family.held:
                    self.scene.family.release(text)
                self.assertEqual((self.answers(1), self.answers(2)), ([outcome], [b"0 done=now"]))
        self.flushLoggedErrors(ZeroDivisionError)


class Replies:
    """Says which positions it was asked for."""

    def __init__(self, positions: Sequence[int]) -> None:
        self._positions = positions

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        return b"".join(b"%b@%d\n" % each for each in zip(correlation_ids, self._positions, strict=True))


class WaitTests(SynchronousTestCase):
    """Who is told when."""

    def setUp(self) -> None:
        ids = [[b"a", b"b"], [b"c"], [b"d", b"e"], [b"f"]]
        self.members = [Answer("APPEND", some, True) for some in ids]
        self.failures: list[BaseException] = []
        self.joint = Joint(self.members, self.failed)
        self.waits: list[Deferred[Any]] = [Deferred() for _ in range(3)]

    def failed(self, answer: Answer, error: BaseException) -> bytes:
        self.failures.append(error)
        return b"failed\n" * len(answer.correlation_ids)

    def told(self) -> list[bytes | None]:
        return [member.lines for member in self.members]

    def test_nobody_waits_for_what_others_wait_for(self) -> None:
        """A member is told when all that its own requests wait for has come; one that waits for nothing, at once."""
        first, second, third = self.waits
        self.joint.settle(Pending([(first, [0, 3]), (second, [1]), (third, [2])], Replies))
        self.assertEqual(self.told(), [None, None, None, b"f@5\n"])
        first.callback(None)
        self.assertEqual(self.told(), [None, None, b"d@3\ne@4\n", b"f@5\n"])
        third.callback(None)
        self.assertEqual(self.told()[1], b"c@2\n")
        second.callback(None)
        self.assertEqual(self.told()[0], b"a@0\nb@1\n")

    def test_those_who_wait_for_the_same_are_told_together(self) -> None:
        """The replies are asked for once."""
        asked: list[Sequence[int]] = []

        def replies(positions: Sequence[int]) -> Replies:
            asked.append(list(positions))
            return Replies(positions)

        self.joint.settle(Pending([(self.waits[0], [0, 2, 4]), (self.waits[1], [5])], replies))
        self.waits[0].callback(None)
        self.assertEqual(asked, [[0, 1, 2, 3, 4]])
        self.waits[1].callback(None)
        self.assertEqual(self.told(), [b"a@0\nb@1\n", b"c@2\n", b"d@3\ne@4\n", b"f@5\n"])

    def test_replies_that_fail_are_answered(self) -> None:
        """Nobody waits for ever."""

        def replies(positions: Sequence[int]) -> Replies:
            raise ZeroDivisionError

        self.joint.settle(Pending([(self.waits[0], range(6))], replies))
        self.waits[0].callback(None)
        self.assertEqual(self.told(), [b"failed\nfailed\n", b"failed\n", b"failed\nfailed\n", b"failed\n"])
        self.assertIsInstance(self.failures[0], ZeroDivisionError)

    def test_waits_are_cancelled_when_all_are_told_or_gone(self) -> None:
        """What the last one waited for is of no use to those who have their answer."""
        cancelled: list[int] = []

        def forget(number: int) -> Callable[[Deferred[Any]], None]:
            return lambda wait: cancelled.append(number) or wait.callback(None)  # type: ignore[func-returns-value]

        waits: list[Deferred[Any]] = [Deferred(forget(number)) for number in range(2)]
        self.joint.settle(Pending([(waits[0], [0, 3]), (waits[1], [2])], Replies))  # the last member waits for nothing
        waits[0].callback(None)
        self.assertEqual(self.told(), [b"a@0\nb@1\n", None, b"d@3\ne@4\n", b"f@5\n"])
        self.members[1].abandon()
        self.assertEqual(cancelled, [1])

    def test_a_deferred_of_replies_is_for_all(self) -> None:
        """And so is its failure, but for those already given up."""
        for outcome, expected in ((Replies(range(6)), b"c@2\n"), (StorageError("no"), b"failed\n")):
            self.setUp()
            result: Deferred[Any] = Deferred()
            self.joint.settle(result)
            self.members[0].abandon()
            if isinstance(outcome, Replies):
                result.callback(outcome)
            else:
                result.errback(outcome)
            self.assertEqual(self.told()[:2], [None, expected])
