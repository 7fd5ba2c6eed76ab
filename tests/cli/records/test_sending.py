"""Records to a topic, and what becomes of them, without a broker."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.cutting import Cut
from flux.cli.records.sending import Acknowledged, Refused, Sender
from flux.errors import BadRequest

RECORDS = [Cut(None, b"%d" % number) for number in range(5)]


class Producer:
    """Acknowledges when it is told to, in any order; refuses some."""

    def __init__(self, refuses: tuple[int, ...] = ()) -> None:
        self.refuses = refuses
        self.futures: list[Future[Any]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]

    def acknowledge(self, number: int) -> None:
        if number in self.refuses:
            self.futures[number].set_exception(BadRequest(f"no {number}"))
        else:
            self.futures[number].set_result(SimpleNamespace(partition=0, offset=100 + number))

    def flush(self) -> None:
        for number, future in enumerate(self.futures):
            if not future.done():
                self.acknowledge(number)


class SendingTests(SynchronousTestCase):
    def sender(self, producer: Any) -> Sender:
        self.told: list[Acknowledged] = []
        return Sender(producer, "t", self.told.append)

    def test_acknowledgements_are_told_in_order_of_the_records(self) -> None:
        """Whatever the order they come in."""
        producer = Producer()
        sender = self.sender(producer)
        sender.send(RECORDS[:3])
        producer.acknowledge(2)
        producer.acknowledge(0)
        sender.send(RECORDS[3:])
        self.assertEqual([each.offset for each in self.told], [100])
        sender.settle()
        self.assertEqual([each.offset for each in self.told], [100, 101, 102, 103, 104])
        self.assertEqual((sender.sent, sender.stored), (5, 5))

    def test_the_first_failure_is_told_when_all_is_settled(self) -> None:
        """So that the counts are true; it is the first of the records, not the first that was heard of."""
        producer = Producer(refuses=(1, 3))
        sender = self.sender(producer)
        sender.send(RECORDS)
        producer.acknowledge(3)
        refused = self.assertRaises(Refused, sender.settle)
        self.assertEqual((refused.number, str(refused.error)), (2, "no 1"))
        self.assertEqual((sender.sent, sender.stored), (5, 3))

    def test_after_a_failure_nothing_more_is_sent(self) -> None:
        """Even in the middle of a chunk."""
        producer = Producer(refuses=(0,))
        sender = self.sender(producer)
        sender.send(RECORDS[:2])
        producer.acknowledge(0)
        self.assertRaises(Refused, sender.send, RECORDS[2:])
        self.assertEqual((sender.sent, sender.stored), (3, 2))
        self.assertTrue(all(future.done() for future in producer.futures))
