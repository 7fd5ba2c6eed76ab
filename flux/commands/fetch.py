"""CONSUME and OFFSETS: records and where they are."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from flux.commands.page import Page
from flux.errors import UnknownTopic
from flux.interfaces import IBroker, ICommandFamily, IPartition, ISession
from flux.model import TopicPartition
from flux.wire.fetch import Consume, Consumed
from flux.wire.offsets import OffsetFound, Offsets


@implementer(ICommandFamily)
class FetchFamily:
    """Reads records."""

    name = "fetch"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The two commands."""
        fetching = Fetching(broker)
        return {Consume: fetching.consume, Offsets: fetching.offsets}


class Fetching:
    """Reads up to the high watermark, never past it."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    def consume(self, request: Consume, session: ISession) -> "Deferred[Consumed]":
        """Records from an offset on; parked for a while if there are none yet and the request says so.

        Fails with :class:`~flux.errors.OffsetOutOfRange`: the offset is outside the log, and the request does not say where to go
        instead.
        """
        try:
            partition = self._broker.partitions.get(TopicPartition(request.topic, request.partition))
        except UnknownTopic:
            return Deferred.fromCoroutine(self._consume_from_new(request))
        return Page(request, partition).begin(request.offset)

    async def _consume_from_new(self, request: Consume) -> Consumed:
        partition = await self._partition(request.topic, request.partition)
        return await Page(request, partition).begin(request.offset)

    async def offsets(self, request: Offsets, session: ISession) -> OffsetFound:
        """The log's start, its visible end, or the first visible record that is not older than a time."""
        partition = await self._partition(request.topic, request.partition)
        if request.at == "earliest":
            return OffsetFound(partition.log_start, -1)
        if request.at == "latest":
            return OffsetFound(partition.high_watermark, -1)
        found = await partition.offset_for(int(request.at))
        return OffsetFound(-1, -1) if found is None else OffsetFound(*found)

    async def _partition(self, topic: str, partition: int) -> IPartition:
        """:raises UnknownTopic: and it is not created on first use. :raises BadRequest: the topic has no such partition."""
        tp = TopicPartition(topic, partition)
        try:
            return self._broker.partitions.get(tp)
        except UnknownTopic:
            await self._broker.controller.create_on_first_use(topic)
            return self._broker.partitions.get(tp)
