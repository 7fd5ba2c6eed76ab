"""One receiver, slow, failing or well."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.alerts.delivery import Delivery, Undelivered
from flux.model import Alert
from tests.alerts.scene import Receiver, alert


class DeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.receiver = Receiver()
        self.delivery = Delivery("test", self.receiver, self.clock, 5)

    def add(self, *numbers: int) -> None:
        self.delivery.add([alert(number) for number in numbers])

    def test_it_is_told_in_a_later_turn(self) -> None:
        """Whoever adds alerts never runs a receiver."""
        self.add(1, 2)
        self.assertEqual(self.receiver.told, [])
        self.clock.advance(0)
        self.assertEqual(self.receiver.told, [([1, 2], 0)])

    def test_one_call_at_a_time_in_order(self) -> None:
        """What comes meanwhile is told together when the call is over."""
        self.add(1)
        self.clock.advance(0)
        self.add(2)
        self.add(3)
        self.clock.advance(60)
        self.assertEqual(self.receiver.told, [([1], 0)])
        self.receiver.pending.pop().callback(None)
        self.clock.advance(0)
        self.assertEqual(self.receiver.told[1:], [([2, 3], 0)])

    def test_a_full_queue_drops_the_oldest_and_counts(self) -> None:
        """The receiver is told how many, once."""
        self.add(0)
        self.clock.advance(0)
        self.add(1, 2, 3, 4, 5, 6, 7, 8)
        self.assertEqual(self.delivery.dropped, 3)
        self.receiver.pending.pop().callback(None)
        self.clock.advance(0)
        self.receiver.pending.pop().callback(None)
        self.add(9)
        self.clock.advance(0)
        self.assertEqual(self.receiver.told, [([0], 0), ([4, 5, 6, 7, 8], 3), ([9], 0)])
        self.assertEqual(self.delivery.dropped, 0)

    def test_many_are_told_some_at_a_time(self) -> None:
        """A thousand partitions that change hands do not make one giant document."""
        delivery = Delivery("test", self.receiver, self.clock, 1000)
        delivery.add([alert(number) for number in range(250)])
        for _ in range(3):
            self.clock.advance(0)
            self.receiver.pending.pop().callback(None)
        self.assertEqual([len(numbers) for numbers, _ in self.receiver.told], [100, 100, 50])

    def test_what_a_failing_call_loses_is_counted(self) -> None:
        """The next call is told; a sentence for what was to be expected, a traceback for what was not."""
        self.add(1, 2)
        self.clock.advance(0)
        self.receiver.pending.pop().errback(Undelivered("nobody there"))
        self.assertEqual(self.delivery.dropped, 2)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.add(3)
        self.clock.advance(0)
        self.receiver.pending.pop().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.add(4)
        self.clock.advance(0)
        self.assertEqual(self.receiver.told, [([1, 2], 0), ([3], 2), ([4], 3)])

    def test_a_stopped_one_tells_nothing_more(self) -> None:
        """What is being told is given up, quietly; no timer is left."""
        self.add(1)
        self.clock.advance(0)
        self.add(2)
        self.delivery.stop()
        self.assertEqual(self.receiver.cancelled, 1)
        self.add(3)
        self.clock.advance(60)
        self.assertEqual(self.receiver.told, [([1], 0)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_stop_takes_back_what_was_about_to_be_told(self) -> None:
        """Before the turn in which it would have been."""
        self.add(1)
        self.delivery.stop()
        self.clock.advance(1)
        self.assertEqual(self.receiver.told, [])


class KindsOfReceiverTests(SynchronousTestCase):
    """A plain function, one that raises, a coroutine."""

    def tell(self, receiver: Any) -> Delivery:
        clock = Clock()
        delivery = Delivery("test", receiver, clock, 5)
        for number in (1, 2):
            delivery.add([alert(number)])
            clock.advance(0)
        return delivery

    def test_a_plain_function_is_done_when_it_returns(self) -> None:
        """It need not know of Deferreds."""
        told: list[int] = []
        self.tell(lambda alerts, dropped: told.append(alerts[0].tp.partition))
        self.assertEqual(told, [1, 2])

    def test_one_that_raises_is_told_again_all_the_same(self) -> None:
        """Each time it is logged."""

        def receiver(alerts: Sequence[Alert], dropped: int) -> None:
            raise ZeroDivisionError

        self.assertEqual(self.tell(receiver).dropped, 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_coroutine_is_awaited(self) -> None:
        """As everywhere else."""
        told: list[int] = []

        async def receiver(alerts: Sequence[Alert], dropped: int) -> None:
            waiting: Deferred[int] = succeed(alerts[0].tp.partition)
            told.append(await waiting)

        self.tell(receiver)
        self.assertEqual(told, [1, 2])
