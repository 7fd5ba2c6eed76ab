"""The Twisted runtime: what an agent wants is done, and Deferreds fire."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.client.agent import Wanted
from flux.client.calls import Call, Record, ping
from flux.client.errors import NoBroker
from flux.client.listeners import Listeners
from flux.client.options import ConsumerOptions, ProducerOptions
from flux.client.runtime import Consumer, Producer, Runner
from flux.client.subscription import Subscription
from flux.errors import FluxError, Throttled
from flux.model import TopicPartition
from flux.wire.group import Committed, Left
from flux.wire.produce import Produced
from tests.client.agents import joined, located, page
from tests.client.agents import record as read_record


class Calls:
    """Sent and not answered, by command. After each answer the runner is given its turn."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.open: list[tuple[str, Deferred[Any]]] = []

    def send(self, call: Call[Any]) -> Deferred[Any]:
        answered: Deferred[Any] = Deferred()
        self.open.append((f"{call.request.COMMAND} {call.request.encode().decode()}", answered))
        return answered

    def answer(self, command: str, outcome: object) -> None:
        for at, (text, answered) in enumerate(self.open):
            if text.startswith(command):
                del self.open[at]
                if isinstance(outcome, FluxError):
                    answered.errback(outcome)
                else:
                    answered.callback(outcome)
                self._clock.advance(0)
                return
        raise AssertionError(f"nobody asked for {command}: {[text for text, _ in self.open]}")


class _Agent:
    """Wants what it is told to want."""

    def __init__(self) -> None:
        self.wake_at_s: float | None = None
        self.wanted: list[Wanted] = []
        self.looks: list[float] = []

    def wants(self, now_s: float) -> list[Wanted]:
        self.looks.append(now_s)
        self.wake_at_s = None
        wanted, self.wanted = self.wanted, []
        return wanted


class Runners(SynchronousTestCase):
    """Between an agent and a client."""

    def setUp(self) -> None:
        self.clock = Clock()

    def runner(self, send: Callable[[Call[Any]], Deferred[Any]]) -> Runner:
        self.agent = _Agent()
        return Runner(send, self.clock, self.agent, lambda: None)

    def test_outcomes_are_told_and_the_agent_is_asked_again(self) -> None:
        """Errors as values."""
        calls, told = Calls(self.clock), []
        runner = self.runner(calls.send)
        self.agent.wanted = [Wanted(ping(), lambda outcome, now_s: told.append(outcome))] * 2
        runner.prod()
        self.assertEqual(len(self.agent.looks), 1)
        error = NoBroker("gone")
        calls.answer("PING", "pong")
        calls.answer("PING", error)
        self.assertEqual((told, len(self.agent.looks)), (["pong", error], 3))

    def test_outcomes_that_are_there_at_once_do_no_harm(self) -> None:
        """However many follow from each other."""
        runner = self.runner(lambda call: succeed("pong"))
        left = [5000]

        def again(outcome: object, now_s: float) -> None:
            left[0] -= 1
            if left[0]:
                self.agent.wanted.append(Wanted(ping(), again))

        again("", 0.0)
        runner.prod()
        self.clock.pump([0] * 5000)
        self.assertEqual(left, [0])

    def test_it_wakes_when_the_agent_wants_to_be_asked(self) -> None:
        """And not after it was stopped."""
        runner = self.runner(Calls(self.clock).send)
        runner.prod()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.agent.wake_at_s = 5.0
        runner._set_timer()
        self.agent.wake_at_s = 3.0
        runner._set_timer()
        self.clock.advance(3)
        self.assertEqual(self.agent.looks, [0.0, 3.0])
        self.agent.wake_at_s = 9.0
        runner._set_timer()
        runner.stop()
        runner.prod()
        self.assertEqual((self.clock.getDelayedCalls(), self.agent.looks), ([], [0.0, 3.0]))

    def test_a_crowd_of_outcomes_is_one_look(self) -> None:
        """At the reactor's next turn; not if it was stopped by then."""
        calls = Calls(self.clock)
        runner = self.runner(calls.send)
        self.agent.wanted = [Wanted(ping(), lambda outcome, now_s: None)] * 10
        runner.prod()
        for _, answered in calls.open:
            answered.callback("pong")
        self.clock.advance(0)
        self.assertEqual(len(self.agent.looks), 2)
        self.agent.wanted = [Wanted(ping(), lambda outcome, now_s: None)]
        runner.prod()
        calls.open[-1][1].callback("pong")
        runner.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_agents_fault_is_logged(self) -> None:
        """It is nobody else's."""
        runner = self.runner(lambda call: succeed("pong"))
        self.agent.wanted = [Wanted(ping(), lambda outcome, now_s: 1 / 0)]  # type: ignore[arg-type]  # it raises
        runner.prod()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Producers(SynchronousTestCase):
    """Acknowledgements are Deferreds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls(self.clock)

    def producer(self, **options: Any) -> Producer:
        return Producer(self.calls.send, self.clock, ProducerOptions(**options))

    def test_an_acknowledgement_fires_or_fails(self) -> None:
        """By itself; one that is cancelled harms nobody."""
        producer = self.producer()
        sent = [producer.send("t", key, "v") for key in ("a", "b", "c")]
        sent[0].cancel()
        self.failureResultOf(sent[0], CancelledError)
        self.calls.answer("PRODUCE", Produced(0, 0, 0))
        self.calls.answer("PRODUCE", Produced(0, 1, 1))
        self.assertEqual(self.successResultOf(sent[1]), Produced(0, 1, 1))
        self.assertNoResult(sent[2])

    def test_room_is_waited_for_in_line(self) -> None:
        """And a send without it is refused."""
        producer = self.producer(max_buffered=1)
        self.successResultOf(producer.room())
        first = producer.send("t", "a", "1")
        self.failureResultOf(producer.send("t", "a", "2"), Throttled)
        sent = []
        turns = [producer.room().addCallback(lambda _: sent.append(producer.send("t", "a", "v"))) for _ in range(2)]
        given_up = producer.room()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.calls.answer("PRODUCE", Produced(0, 0, 0))
        self.successResultOf(first)
        self.successResultOf(turns[0])
        self.assertNoResult(turns[1])
        self.calls.answer("PRODUCE", Produced(0, 1, 1))
        self.successResultOf(turns[1])
        self.assertEqual(len(sent), 2)

    def test_closing_flushes_and_leaves_no_timer(self) -> None:
        """What lingers leaves at once."""
        producer = self.producer(linger_ms=1000)
        sent = producer.send("t", "a", "1")
        self.assertEqual((self.calls.open, len(self.clock.getDelayedCalls())), ([], 1))
        closed = producer.close()
        self.assertNoResult(closed)
        self.calls.answer("PRODUCE", Produced(0, 0, 0))
        self.successResultOf(sent)
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(producer.flush())


class Consumers(SynchronousTestCase):
    """Records as they come."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls(self.clock)
        self.told: list[object] = []

    def consumer(self, listeners: Listeners | None = None, **options: Any) -> Consumer:
        chosen = ConsumerOptions(prefetch=1, **options)
        subscription = Subscription("g", ["t"], "m", chosen)
        consumer = Consumer(self.calls.send, self.clock, subscription, chosen, listeners or Listeners())
        self.calls.answer("JOIN", joined(2, 0))
        self.calls.answer("OFFSET", located(0))
        return consumer

    def test_a_waiting_iterator_is_woken_by_a_record(self) -> None:
        """And ended by a close."""
        consumer = self.consumer()
        taken: list[Record] = []

        async def iterate() -> None:
            async for record in consumer:
                taken.append(record)

        iterating = Deferred.fromCoroutine(iterate())
        self.calls.answer("CONSUME", page("t", 0, 0, 1))
        self.assertEqual([record.offset for record in taken], [0, 1])
        closed = consumer.close()
        self.successResultOf(iterating)
        self.calls.answer("COMMIT g t m 2 0 2", Committed())
        self.calls.answer("LEAVE", Left())
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_handler_may_take_its_time_and_fail(self) -> None:
        """It is waited for, given the record again after a pause, and its last error is the run's."""
        consumer = self.consumer(max_retries=1, backoff_ms=250)
        handling: list[Deferred[None]] = []

        def handle(record: Record) -> Deferred[None]:
            handling.append(Deferred())
            return handling[-1]

        running = consumer.run(handle)
        self.calls.answer("CONSUME", page("t", 0, 0, 1))
        self.assertEqual(len(handling), 1)
        handling[0].callback(None)
        self.assertEqual(len(handling), 2)
        handling[1].errback(ValueError("no"))
        self.clock.advance(0.25)
        self.assertEqual(len(handling), 3)
        handling[2].errback(ValueError("never"))
        self.failureResultOf(running, ValueError)

    def test_listeners_are_told_between_records_and_waited_for(self) -> None:
        """Also of the end."""
        ready: Deferred[None] = Deferred()

        def assigned(partitions: object) -> Deferred[None]:
            self.told.append(partitions)
            return ready

        consumer = self.consumer(Listeners(assigned, lambda partitions: self.told.append(("gone", partitions))))
        running = consumer.run(self.told.append)
        self.calls.answer("CONSUME", page("t", 0, 0))
        self.assertEqual(self.told, [(TopicPartition("t", 0),)])
        ready.callback(None)
        self.assertEqual(self.told[1], read_record("t", 0, 0))
        closed = consumer.close(timeout_s=1)
        self.successResultOf(running)
        self.clock.advance(1)
        self.successResultOf(closed)
        self.assertEqual(self.told[2], ("gone", (TopicPartition("t", 0),)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_survived_is_told_or_logged(self) -> None:
        """Then it goes on."""
        errors: list[FluxError] = []
        for listeners, count in [(Listeners(on_error=errors.append), 1), (Listeners(), 0)]:
            errors.clear()
            consumer = self.consumer(listeners)
            running = consumer.run(self.told.append)
            with self.assertLogs("flux.client") if not count else self.assertNoLogs("flux.client"):
                self.calls.answer("CONSUME", NoBroker("gone"))
            self.assertEqual(len(errors), count)
            self.assertNoResult(running)
            self.setUp()
