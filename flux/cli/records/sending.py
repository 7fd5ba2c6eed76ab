"""Records to a topic, many at a time, and what became of each."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.cli.records.cutting import Cut
from flux.errors import FluxError

if TYPE_CHECKING:
    from flux.client import BlockingProducer


class Acknowledged(NamedTuple):
    """Where a record went."""

    topic: str
    partition: int
    offset: int


class Refused(Exception):
    """A record is not stored, or nobody knows; *number* counts from 1."""

    def __init__(self, number: int, error: FluxError) -> None:
        super().__init__(number, error)
        self.number = number
        self.error = error


class Sender:
    """Sends to one topic, and reports each acknowledgement, in the order of the records.

    After the first record that fails nothing more is sent; what is on its way by then still counts.
    """

    def __init__(
        self, producer: "BlockingProducer", topic: str, acknowledged: Callable[[Acknowledged], object] | None
    ) -> None:
        self.topic = topic
        self.sent = 0
        self.stored = 0
        self._producer = producer
        self._acknowledged = acknowledged
        self._failed: Refused | None = None
        self._under_way: deque[Future[Any]] = deque()

    def send(self, records: list[Cut]) -> None:
        """Have them sent, once there is room for them. :raises Refused: one of those before, and nothing is under way any more."""
        producer, topic, under_way = self._producer, self.topic, self._under_way
        for key, value in records:
            under_way.append(producer.send(topic, key, value))
            self.sent += 1
            while under_way and under_way[0].done():
                self._look()
            if self._failed is not None:
                self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way. :raises Refused: something is not stored, the first of it."""
        self._producer.flush()
        while self._under_way:
            self._look()
        if self._failed is not None:
            raise self._failed

    def _look(self) -> None:
        """What became of the oldest one under way. Waits for it."""
        number = self.sent - len(self._under_way) + 1
        future = self._under_way.popleft()
        error = future.exception()
        if error is None:
            self.stored += 1
            if self._acknowledged is not None:
                where = future.result()
                self._acknowledged(Acknowledged(self.topic, where.partition, where.offset))
        elif not isinstance(error, FluxError):
            raise error
        elif self._failed is None:
            self._failed = Refused(number, error)
