"""PRODUCE: a run of records, grouped by partition, appended as one batch each."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.batch import EncodedBatch, encode
from flux.errors import FluxError, InternalError, MessageTooLarge, ReplicationTimeout, UnknownTopic
from flux.interfaces import IBroker, ICommandFamily, IPartition, ISession, Pending
from flux.model import Acks, Appended, TopicPartition
from flux.partitioner import KeyRoutes
from flux.wire.produce import ProducedRun, ProduceRun

Wait = tuple["Deferred[Any]", list[int]]  # what the answers at some positions wait for


@implementer(ICommandFamily)
class ProduceFamily:
    """Appends records."""

    name = "produce"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The one command, answered in runs."""
        return {ProduceRun: Producing(broker).produce}


class Producing:
    """Appends runs in the order in which they come.

    No wait precedes an append to a topic that exists, so records keep their order of arrival. A topic that does not is created, and
    whatever comes for it meanwhile waits in line: what came first is appended first.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker
        self._creating: dict[str, deque[Deferred[None]]] = {}  # topic → who waits for it to be created, in order

    def produce(self, run: ProduceRun, session: ISession) -> ProducedRun | Pending:
        """Append *run* now; each record is answered when the acks it asked for are satisfied."""
        outcome = _Outcome(run)
        waits: list[Wait] = []
        for acks, topic, positions in _parts(run):
            waits += self._produce_to(outcome, topic, acks, positions)
        return Pending(waits, outcome.produced) if waits else outcome.produced(range(len(run.keys)))

    def _produce_to(self, outcome: "_Outcome", topic: str, acks: Acks, positions: list[int]) -> list[Wait]:
        """Append to one topic, now if it exists; what is to be waited for."""
        if topic not in self._creating:
            try:
                return self._append(outcome, topic, self._broker.partitions.routes(topic), acks, positions)
            except UnknownTopic:
                pass
        appended = self._when_created(topic)
        appended.addCallback(lambda _: self._append_created(outcome, topic, acks, positions))
        return [(appended.addErrback(self._refused, outcome, positions), positions)]

    def _append_created(self, outcome: "_Outcome", topic: str, acks: Acks, positions: list[int]) -> "Deferred[Any]":
        routes = self._broker.partitions.routes(topic)
        return DeferredList([wait for wait, _ in self._append(outcome, topic, routes, acks, positions)])

    def _append(
        self, outcome: "_Outcome", topic: str, routes: KeyRoutes, acks: Acks, positions: list[int]
    ) -> list[Wait]:
        """One batch a partition, in one go."""
        waits: list[Wait] = []
        now_ms = int(self._broker.now() * 1000)
        for number, chosen in _by_partition(outcome.run.keys, routes, positions).items():
            try:
                partition = self._broker.partitions.get(TopicPartition(topic, number))
                if partition.max_message_bytes is not None:
                    chosen = outcome.within(partition.max_message_bytes, chosen)
                    if not chosen:
                        continue
                appended = partition.append(outcome.batch(chosen, now_ms), acks)
                outcome.appended(partition, appended, chosen)
                waiting = partition.when_acknowledged(appended, acks)
            except Exception as error:
                self._refused(Failure(error), outcome, chosen)
                continue
            if waiting is not None:
                waits.append((waiting.addErrback(self._unconfirmed, outcome, partition.tp, appended, chosen), chosen))
        return waits

    # --- topics not yet there ---

    def _when_created(self, topic: str) -> "Deferred[None]":
        """Fire when *topic* exists and everybody who asked before has had his turn."""
        turn: Deferred[None] = Deferred()
        if topic in self._creating:
            self._creating[topic].append(turn)
        else:
            self._creating[topic] = deque([turn])
            creation = maybeDeferred(self._broker.controller.create_on_first_use, topic)
            creation.addBoth(self._created, topic).addErrback(
                lambda failure: self._log.failure("records for {topic} got no turn", failure, topic=topic)
            )
        return turn

    def _created(self, result: object, topic: str) -> None:
        # The topic stays in the table until the line is empty: a turn may set off another run, which has to queue too.
        line = self._creating[topic]
        while line:
            turn = line.popleft()
            if isinstance(result, Failure):
                turn.errback(result)
            else:
                turn.callback(None)
        del self._creating[topic]

    # --- what went wrong ---

    def _refused(self, failure: Failure, outcome: "_Outcome", positions: list[int]) -> None:
        """These records were not appended."""
        error = self._known(failure)
        for position in positions:
            outcome.errors[position] = error

    def _unconfirmed(
        self, failure: Failure, outcome: "_Outcome", tp: TopicPartition, appended: Appended, positions: list[int]
    ) -> None:
        """These records were appended as one batch, and that is not acknowledged; each is told its own offset."""
        error = self._known(failure)
        for offset, position in enumerate(positions, appended.base_offset):
            outcome.errors[position] = (
                ReplicationTimeout(
                    f"partition {tp}, offset {offset}: appended, not yet confirmed, like the rest of its batch ({error})"
                )
                if isinstance(error, ReplicationTimeout) and len(positions) > 1
                else error
            )

    def _known(self, failure: Failure) -> FluxError:
        if isinstance(failure.value, FluxError):
            return failure.value
        if not failure.check(CancelledError):
            self._log.failure("an append failed unexpectedly", failure)
        return InternalError(
            "the append failed unexpectedly; the broker's log says why, and whether it took effect is unknown"
        )


class _Outcome:
    """One run's answers, coming together."""

    __slots__ = ("_batch_of", "_batches", "errors", "offsets", "run")

    def __init__(self, run: ProduceRun) -> None:
        self.run = run
        self.offsets = [0] * len(run.keys)
        self.errors: dict[int, FluxError] = dict(run.errors)
        self._batches: list[tuple[int, IPartition] | None] = [
            None
        ]  # those appended; the first is that of refused records
        self._batch_of = [0] * len(run.keys)

    def within(self, max_message_bytes: int, positions: list[int]) -> list[int]:
        """Those of *positions* whose key and value together are within the limit; the others are refused."""
        fitting: list[int] = []
        for position in positions:
            size = len(self.run.keys[position] or b"") + len(self.run.values[position] or b"")
            if size <= max_message_bytes:
                fitting.append(position)
            else:
                self.errors[position] = MessageTooLarge(
                    f"record: key and value are {size} bytes together, and the topic's max.message.bytes is {max_message_bytes}"
                )
        return fitting

    def batch(self, positions: list[int], now_ms: int) -> EncodedBatch:
        """The records at *positions*, in order."""
        run = self.run
        if len(positions) == len(run.keys):
            return encode(run.keys, run.values, now_ms, run.timestamps)
        timestamps = run.timestamps and [run.timestamps[position] for position in positions]
        return encode(
            [run.keys[position] for position in positions],
            [run.values[position] for position in positions],
            now_ms,
            timestamps,
        )

    def appended(self, partition: IPartition, appended: Appended, positions: list[int]) -> None:
        """The records at *positions* are at the offsets of *appended*, in order."""
        batch = len(self._batches)
        self._batches.append((appended.partition, partition))
        for offset, position in enumerate(positions, appended.base_offset):
            self._batch_of[position] = batch
            self.offsets[position] = offset

    def produced(self, positions: Sequence[int]) -> ProducedRun:
        """The answers to the requests at *positions*, with the watermarks as they stand now."""
        batches, offsets, errors = self._batch_of, self.offsets, self.errors
        if len(positions) < len(offsets):
            batches = [batches[position] for position in positions]
            offsets = [offsets[position] for position in positions]
            errors = {at: errors[position] for at, position in enumerate(positions) if position in errors}
        places = {batch: _place(self._batches[batch]) for batch in set(batches)}
        return ProducedRun([places[batch] for batch in batches], offsets, errors)


def _place(batch: tuple[int, IPartition] | None) -> tuple[int, int]:
    """Partition and last visible offset."""
    return (0, -1) if batch is None else (batch[0], batch[1].high_watermark - 1)


def _parts(run: ProduceRun) -> Iterator[tuple[Acks, str, list[int]]]:
    """*run* cut where acks change, since acks are asked of a whole batch, and then by topic; positions ascend within each part."""
    count = len(run.keys)
    if run.one_topic is not None and run.one_acks is not None:
        yield run.one_acks, run.one_topic, list(range(count))
        return
    readable = (position for position in range(count) if position not in run.errors)
    for acks, positions in groupby(readable, key=run.acks.__getitem__):
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for position in positions:
            by_topic[run.topics[position]].append(position)
        for topic, chosen in by_topic.items():
            yield acks, topic, chosen


def _by_partition(keys: list[bytes | None], routes: KeyRoutes, positions: list[int]) -> dict[int, list[int]]:
    """*positions* by the partition that each one's key routes to."""
    numbers = [routes.spread() if (key := keys[position]) is None else routes[key] for position in positions]
    if len(set(numbers)) == 1:
        return {numbers[0]: positions}
    chosen: defaultdict[int, list[int]] = defaultdict(list)
    for number, position in zip(numbers, positions, strict=True):
        chosen[number].append(position)
    return chosen
