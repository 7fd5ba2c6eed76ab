"""What a client decides: when to dial whom, what to send, and what became of it."""

from twisted.trial.unittest import SynchronousTestCase

from flux.client.calls import Call, consume, ping, produce
from flux.client.errors import BadReply, ClientClosed, NoBroker, NotSent, OutcomeUnknown
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.errors import BadRequest, FluxError, NotLeader, ShuttingDown, Throttled, UnknownTopic
from flux.wire.produce import Produced
from flux.wire.session import Pong, Welcome
from tests.client.scene import Scene

THREE = "a:1,b:2,c:3"


def _error(exchange: Exchange[Pong] | Exchange[Produced]) -> FluxError:
    assert exchange.error is not None, "it failed"
    return exchange.error


class Connecting(SynchronousTestCase):
    """To whom, and when."""

    def test_nobody_is_dialled_before_there_is_something_to_send(self) -> None:
        """Making a client costs nothing."""
        scene = Scene()
        self.assertIsNone(scene.dialled)
        self.assertIsNone(scene.core.wake_at_s)
        scene.ask(ping())
        self.assertEqual(scene.dialled, "a:1")

    def test_nothing_is_sent_before_the_broker_welcomed(self) -> None:
        """HELLO first; then all that waits, in order."""
        scene = Scene()
        scene.ask(ping())
        self.assertEqual(scene.sent(), [])
        scene.connect()
        ((_, command, _),) = scene.sent()
        self.assertEqual(command, "HELLO")
        scene.ask(produce("t", "k", "v"))
        self.assertEqual(scene.sent(), [])
        scene = Scene()
        scene.ask(ping())
        scene.ask(produce("t", "k", "v"))
        scene.open()
        self.assertEqual([command for _, command, _ in scene.sent()], ["PING", "PRODUCE"])

    def test_brokers_are_tried_in_order(self) -> None:
        """Whatever keeps one from welcoming: refused, closed, silent, not a broker, or not willing."""
        scene = Scene("a:1,b:2,c:3,d:4,e:5,f:6", ClientSettings(timeout_s=60, connect_timeout_s=5))
        answered = scene.ask(ping())
        scene.lose("connection refused")
        self.assertEqual(scene.dialled, "b:2")
        scene.connect()
        scene.lose("closed")
        self.assertEqual(scene.dialled, "c:3")
        scene.advance(5)
        self.assertEqual(scene.dialled, "d:4")
        scene.connect()
        scene.advance(5)
        self.assertEqual(scene.dialled, "e:5")
        scene.connect()
        scene.receive(b"HTTP/1.1 400 Bad Request\n")
        self.assertEqual(scene.dialled, "f:6")
        scene.open()
        (request,) = scene.sent()
        scene.answer(request)
        self.assertEqual(answered.result(), Pong())

    def test_a_round_without_any_broker_fails_what_waits(self) -> None:
        """With every reason. The next call begins the next round."""
        scene = Scene("a:1,b:2")
        answered = scene.ask(ping())
        scene.lose("connection refused")
        scene.connect()
        scene.receive(b"V1|0|ERR|SHUTTING_DOWN|later\n")
        self.assertIsInstance(_error(answered), NoBroker)
        self.assertIn("a:1: connection refused; b:2: SHUTTING_DOWN: later", str(answered.error))
        self.assertEqual(scene.finished(), [answered])
        self.assertIsNone(scene.dialled)
        scene.ask(ping())
        self.assertEqual(scene.dialled, "a:1")
        scene.open()
        self.assertEqual(len(scene.sent()), 1)

    def test_nobody_is_dialled_for_nobody(self) -> None:
        """When whoever waited gave up meanwhile, the round ends."""
        scene = Scene("a:1,b:2")
        answered = scene.ask(ping())
        scene.give_up(answered)
        scene.lose("connection refused")
        self.assertIsNone(scene.dialled)
        self.assertEqual(scene.finished(), [])

    def test_a_lost_connection_is_replaced_when_it_is_needed(self) -> None:
        """By the next broker; the lost one is tried last."""
        scene = Scene(THREE)
        scene.ask(ping())
        scene.open()
        (request,) = scene.sent()
        scene.answer(request)
        scene.lose()
        self.assertIsNone(scene.dialled)
        scene.ask(ping())
        self.assertEqual(scene.dialled, "b:2")
        scene.lose("refused")
        self.assertEqual(scene.dialled, "c:3")
        scene.lose("refused")
        self.assertEqual(scene.dialled, "a:1")
        scene.open()
        self.assertEqual(len(scene.sent()), 1)

    def test_an_old_connections_word_is_not_heeded(self) -> None:
        """It may still say something while it is being hung up."""
        scene = Scene("a:1,b:2")
        answered = scene.ask(ping())
        old = scene.conversation
        scene.lose("refused")
        new = scene.conversation
        scene.core.connected(old, scene.now_s)
        scene.core.received(old, b"V1|1|OK|pong=true\n", scene.now_s)
        scene.core.lost(old, "again", scene.now_s)
        self.assertIs(scene.core.conversation, new)
        self.assertFalse(answered.is_done)

    def test_a_connection_that_was_idle_for_long_is_not_trusted(self) -> None:
        """The broker may be closing it; a request sent now would be lost to it."""
        scene = Scene("a:1", ClientSettings(max_idle_s=300))
        for idle_s, dials in [(299, False), (301, True)]:
            scene.ask(ping())
            if scene.conversation.stage.name != "OPEN":
                scene.open()
            (request,) = scene.sent()
            scene.answer(request)
            before = scene.conversation
            scene.advance(idle_s)
            scene.ask(ping())
            self.assertEqual(scene.conversation is not before, dials)
            self.assertEqual(scene.dialled, "a:1")
            if not dials:
                (request,) = scene.sent()
                scene.answer(request)


class Outcomes(SynchronousTestCase):
    """What became of a call."""

    def setUp(self) -> None:
        self.scene = Scene(THREE)
        self.scene.ask(ping())
        self.scene.open()
        (request,) = self.scene.sent()
        self.scene.answer(request)
        self.scene.finished()

    def test_an_answer_is_read_by_its_call(self) -> None:
        """The typed reply."""
        produced = self.scene.ask(produce("t", "k", "v"))
        (request,) = self.scene.sent()
        self.assertEqual(request[1:], ("PRODUCE", b"t k:v acks=1"))
        self.scene.answer(request, b"partition=2 offset=7 hw=7")
        self.assertEqual(produced.result(), Produced(2, 7, 7))
        self.assertEqual(produced.outcome(), Produced(2, 7, 7))
        self.assertEqual(self.scene.finished(), [produced])

    def test_an_error_is_raised_by_its_class(self) -> None:
        """And returned as a value where that is asked for."""
        produced = self.scene.ask(produce("t", "k", "v"))
        (request,) = self.scene.sent()
        self.scene.refuse(request, "UNKNOWN_TOPIC", "topic: t does not exist")
        self.assertIs(produced.outcome(), produced.error)
        with self.assertRaises(UnknownTopic) as raised:
            produced.result()
        self.assertEqual(str(raised.exception), "topic: t does not exist")

    def test_an_unreadable_answer_fails_its_own_call_only(self) -> None:
        """Even if whoever wrote the call's reader did not foresee it."""

        def surprised(payload: bytes) -> Pong:
            raise KeyError("surprise")

        answers = [self.scene.ask(ping()), self.scene.ask(Call(ping().request, surprised)), self.scene.ask(ping())]
        requests = self.scene.sent()
        for request, payload in zip(requests, (b"pong=maybe", b"pong=true", b"pong=true"), strict=True):
            self.scene.answer(request, payload)
        self.assertIsInstance(answers[0].error, BadReply)
        self.assertIsInstance(answers[1].error, BadReply)
        self.assertEqual(answers[2].result(), Pong())

    def test_what_cannot_be_encoded_is_not_sent(self) -> None:
        """It fails at once."""
        produced = self.scene.ask(produce("no topic", "k", "v"))
        self.assertIsInstance(produced.error, BadRequest)
        self.assertEqual((self.scene.sent(), self.scene.finished()), ([], [produced]))

    def test_what_was_sent_and_lost_has_an_unknown_outcome(self) -> None:
        """It is not sent again; what was not sent goes to the next broker."""
        scene = Scene(THREE, ClientSettings(max_in_flight=2))
        calls = [scene.ask(produce("t", "k", str(number))) for number in range(4)]
        scene.open()
        self.assertEqual([arguments for _, _, arguments in scene.sent()], [b"t k:0 acks=1", b"t k:1 acks=1"])
        scene.lose("reset by peer")
        for call in calls[:2]:
            self.assertIsInstance(call.error, OutcomeUnknown)
            self.assertEqual(str(call.error), "PRODUCE: it may have been executed by a:1: reset by peer")
        self.assertEqual(scene.finished(), calls[:2])
        self.assertEqual(scene.dialled, "b:2")
        scene.open()
        self.assertEqual([arguments for _, _, arguments in scene.sent()], [b"t k:2 acks=1", b"t k:3 acks=1"])

    def test_garbage_ends_the_connection_and_leaves_outcomes_unknown(self) -> None:
        """What was answered before it keeps its answer."""
        first, second = self.scene.ask(ping()), self.scene.ask(ping())
        requests = self.scene.sent()
        self.scene.receive(b"V1|%b|OK|pong=true\nrubbish\n" % requests[0][0])
        self.assertEqual(first.result(), Pong())
        self.assertIsInstance(second.error, OutcomeUnknown)
        self.assertIn("rubbish", str(second.error))
        self.assertIsNone(self.scene.dialled)

    def test_nobody_is_told_what_he_gave_up(self) -> None:
        """Not yet sent, it is not sent; sent, its answer is dropped and the connection stays in step."""
        scene = Scene("a:1", ClientSettings(max_in_flight=1))
        first, second, third = (scene.ask(ping()) for _ in range(3))
        scene.open()
        (request,) = scene.sent()
        scene.give_up(first)
        scene.give_up(second)
        scene.give_up(second)
        scene.answer(request)
        (request,) = scene.sent()
        scene.answer(request)
        self.assertEqual(third.result(), Pong())
        self.assertEqual(scene.finished(), [third])
        self.assertIsInstance(first.error, OutcomeUnknown)

    def test_closing_ends_everything(self) -> None:
        """Sent: unknown. Not sent: not done. Asked later: refused."""
        scene = Scene("a:1", ClientSettings(max_in_flight=1))
        sent, waiting = scene.ask(ping()), scene.ask(ping())
        scene.open()
        scene.sent()
        scene.core.close()
        late = scene.ask(ping())
        self.assertIsInstance(sent.error, OutcomeUnknown)
        self.assertIsInstance(waiting.error, ClientClosed)
        self.assertIsInstance(late.error, ClientClosed)
        self.assertEqual(scene.finished(), [sent, waiting, late])
        self.assertIsNone(scene.dialled)
        self.assertIsNone(scene.core.wake_at_s)
        scene.core.close()
        self.assertEqual(scene.finished(), [])


class Limits(SynchronousTestCase):
    """Not too much at once."""

    def test_so_many_are_in_flight_and_the_others_wait_in_order(self) -> None:
        """An answer lets the next one go."""
        scene = Scene("a:1", ClientSettings(max_in_flight=2))
        for number in range(4):
            scene.ask(produce("t", "k", str(number)))
        scene.open()
        first, second = scene.sent()
        self.assertEqual((first[2], second[2]), (b"t k:0 acks=1", b"t k:1 acks=1"))
        scene.answer(second, b"partition=0 offset=1 hw=1")
        (third,) = scene.sent()
        self.assertEqual(third[2], b"t k:2 acks=1")
        scene.answer(first, b"partition=0 offset=0 hw=1")
        self.assertEqual([arguments for _, _, arguments in scene.sent()], [b"t k:3 acks=1"])

    def test_past_the_most_that_may_wait_a_call_is_refused(self) -> None:
        """As throttled: nothing was done, try again later."""
        scene = Scene("a:1", ClientSettings(max_waiting=2))
        accepted = [scene.ask(ping()), scene.ask(ping())]
        refused = scene.ask(ping())
        self.assertIsInstance(refused.error, Throttled)
        self.assertFalse(any(exchange.is_done for exchange in accepted))
        scene.open()
        self.assertEqual(len(scene.sent()), 2)
        self.assertFalse(scene.ask(ping()).is_done)

    def test_a_request_too_long_for_the_broker_is_not_sent(self) -> None:
        """It is told its own code, and nobody else anything."""
        scene = Scene()
        long = scene.ask(produce("t", "k", "v" * 100))
        short = scene.ask(ping())
        scene.open(Welcome("flux/1", "V1", 0, 64, ()))
        ((_, command, _),) = scene.sent()
        self.assertEqual(command, "PING")
        self.assertEqual(scene.finished(), [long])
        self.assertEqual(_error(long).code, "MESSAGE_TOO_LARGE")
        self.assertFalse(short.is_done)


class Time(SynchronousTestCase):
    """Everything has an end."""

    def test_a_call_that_does_not_leave_in_time_was_not_done(self) -> None:
        """Whether there is no connection, or no room; it says which."""
        scene = Scene(THREE, ClientSettings(timeout_s=3, connect_timeout_s=100))
        waiting = scene.ask(ping())
        scene.lose("refused")
        scene.advance(2.9)
        self.assertFalse(waiting.is_done)
        scene.advance(0.2)
        self.assertIsInstance(waiting.error, NotSent)
        self.assertIn("a:1: refused; b:2: still connecting", str(waiting.error))
        scene = Scene("a:1", ClientSettings(timeout_s=3, max_in_flight=1))
        sent = scene.ask(ping(timeout_s=10))
        waiting = scene.ask(ping())
        scene.open()
        scene.sent()
        scene.advance(3.1)
        self.assertIsInstance(waiting.error, NotSent)
        self.assertIn("1 others were not answered yet", str(waiting.error))
        self.assertFalse(sent.is_done)
        self.assertEqual(scene.finished(), [waiting])

    def test_a_call_that_is_not_answered_in_time_has_an_unknown_outcome(self) -> None:
        """Its late answer is dropped, and the connection goes on."""
        scene = Scene("a:1", ClientSettings(timeout_s=10))
        slow, other = scene.ask(ping(timeout_s=0.5)), scene.ask(ping())
        scene.open()
        requests = scene.sent()
        scene.advance(0.6)
        self.assertIsInstance(slow.error, OutcomeUnknown)
        self.assertEqual(str(slow.error), "PING: it may have been executed by a:1: no answer came in time")
        for request in requests:
            scene.answer(request)
        self.assertEqual(other.result(), Pong())
        self.assertEqual(scene.finished(), [slow, other])

    def test_a_long_poll_has_its_wait_on_top(self) -> None:
        """The broker may use all of it."""
        scene = Scene("a:1", ClientSettings(timeout_s=10))
        page = scene.ask(consume("t", 0, 0, wait_ms=30_000))
        scene.open()
        scene.sent()
        scene.advance(39.9)
        self.assertFalse(page.is_done)
        scene.advance(0.2)
        self.assertIsInstance(page.error, OutcomeUnknown)

    def test_a_silent_connection_is_given_up(self) -> None:
        """When nothing at all was heard for as long as a call may take; the next broker is asked."""
        scene = Scene("a:1,b:2", ClientSettings(timeout_s=10, max_in_flight=2))
        calls = [scene.ask(ping(timeout_s=timeout_s)) for timeout_s in (1, 30, 30)]
        scene.open()
        scene.sent()
        scene.advance(9.9)
        self.assertIsInstance(calls[0].error, OutcomeUnknown)
        self.assertEqual(scene.dialled, "a:1")
        scene.advance(0.1)
        self.assertIsInstance(calls[1].error, OutcomeUnknown)
        self.assertIn("nothing was heard for 10.0 s", str(calls[1].error))
        self.assertEqual(scene.dialled, "b:2")
        scene.open()
        self.assertEqual(len(scene.sent()), 1)

    def test_a_broker_that_is_slow_but_talks_is_kept(self) -> None:
        """Whatever is heard from it counts."""
        scene = Scene("a:1,b:2", ClientSettings(timeout_s=10))
        slow = scene.ask(ping())
        page = scene.ask(consume("t", 0, 0, wait_ms=5000))
        scene.open()
        _, poll = scene.sent()
        scene.advance(5)
        scene.answer(poll, b"messages= hw=-1 next=0 log_start=0")
        scene.advance(5.1)
        self.assertTrue(slow.is_done and page.is_done)
        self.assertEqual(scene.dialled, "a:1")

    def test_the_core_is_woken_rarely(self) -> None:
        """A thousand calls that time out one after the other do not wake it a thousand times."""
        scene = Scene("a:1", ClientSettings(connect_timeout_s=100))
        calls = [scene.ask(ping(timeout_s=1 + number / 10_000)) for number in range(1000)]
        wakes = 0
        for _ in range(1000):
            if not any(not call.is_done for call in calls):
                break
            assert scene.core.wake_at_s is not None
            scene.now_s = scene.core.wake_at_s
            scene.core.tick(scene.now_s)
            wakes += 1
        self.assertLess(wakes, 20)


class Moving(SynchronousTestCase):
    """From a broker that does not lead, or stops, to another."""

    def test_the_leader_that_is_named_is_asked(self) -> None:
        """As soon as nothing is awaited any more from the other; calls keep their order, and stay with the leader."""
        scene = Scene("a:1,b:2", ClientSettings(max_in_flight=3))
        calls = [scene.ask(produce("t", "k", str(number))) for number in range(4)]
        scene.open()
        first, second, third = scene.sent()
        scene.refuse(first, "NOT_LEADER", "t-0 is led by broker 7, leader=x:7; this broker only follows")
        self.assertEqual((scene.sent(), scene.dialled), ([], "a:1"))
        scene.refuse(second, "NOT_LEADER", "leader=x:7")
        scene.answer(third, b"partition=1 offset=0 hw=0")
        self.assertEqual(scene.dialled, "x:7")
        scene.open()
        sent = scene.sent()
        self.assertEqual([arguments for _, _, arguments in sent], [f"t k:{n} acks=1".encode() for n in (0, 1, 3)])
        for request in sent:
            scene.answer(request, b"partition=0 offset=0 hw=0")
        self.assertEqual([call.error for call in calls], [None] * 4)
        self.assertEqual(scene.dialled, "x:7")

    def test_without_a_name_the_next_broker_is_asked(self) -> None:
        """Each once; then the last one's word is the answer."""
        for code in ("NOT_LEADER", "SHUTTING_DOWN"):
            scene = Scene(THREE)
            call = scene.ask(ping())
            asked = []
            for _ in range(3):
                asked.append(scene.dialled)
                scene.open()
                (request,) = scene.sent()
                scene.refuse(request, code, f"says {scene.dialled}")
            self.assertEqual(asked, ["a:1", "b:2", "c:3"])
            self.assertIn(type(call.error), (NotLeader, ShuttingDown))
            self.assertEqual(str(call.error), "says c:3")

    def test_the_only_brokers_refusal_is_the_answer(self) -> None:
        """Asking it again at once would not help; and nor would asking the one that names itself."""
        for message in ("no leader yet", "leader=a:1"):
            scene = Scene("a:1")
            call = scene.ask(ping())
            scene.open()
            (request,) = scene.sent()
            scene.refuse(request, "NOT_LEADER", message)
            self.assertIsInstance(call.error, NotLeader)
            self.assertEqual(scene.dialled, "a:1")

    def test_brokers_that_name_each_other_get_an_end(self) -> None:
        """The caller is told."""
        scene = Scene("a:1,b:2")
        call = scene.ask(ping())
        moves = 0
        for _ in range(100):
            scene.open()
            (request,) = scene.sent()
            scene.refuse(request, "NOT_LEADER", "leader=b:2" if scene.dialled == "a:1" else "leader=a:1")
            if call.is_done:
                break
            moves += 1
        self.assertIsInstance(call.error, NotLeader)
        self.assertEqual(moves, 5)

    def test_other_errors_are_not_taken_elsewhere(self) -> None:
        """However retriable: whether to repeat is the caller's decision."""
        scene = Scene(THREE)
        call = scene.ask(ping())
        scene.open()
        (request,) = scene.sent()
        scene.refuse(request, "THROTTLED")
        self.assertIsInstance(call.error, Throttled)
        self.assertEqual(scene.dialled, "a:1")

    def test_a_connection_lost_while_it_is_left_is_left(self) -> None:
        """What was still awaited has an unknown outcome, what is to be repeated is."""
        scene = Scene(THREE)
        refused, lost = scene.ask(ping()), scene.ask(ping())
        scene.open()
        first, _ = scene.sent()
        scene.refuse(first, "SHUTTING_DOWN")
        scene.lose()
        self.assertIsInstance(lost.error, OutcomeUnknown)
        self.assertFalse(refused.is_done)
        self.assertEqual(scene.dialled, "b:2")

    def test_what_is_given_up_holds_nobody_back(self) -> None:
        """Leaving waits only for answers that somebody waits for."""
        scene = Scene("a:1,b:2")
        scene.ask(ping())
        poll = scene.ask(consume("t", 0, 0, wait_ms=60_000))
        scene.open()
        first, _ = scene.sent()
        scene.refuse(first, "NOT_LEADER")
        self.assertEqual(scene.dialled, "a:1")
        scene.give_up(poll)
        self.assertEqual(scene.dialled, "b:2")
