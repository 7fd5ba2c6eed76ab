"""The ADMIN_… commands about topics."""

from collections.abc import Mapping
from typing import Any

from flux.errors import BadRequest, FluxError
from flux.interfaces import IBroker, ISession
from flux.model import TopicPartition
from flux.wire.admin_leaders import ElectTopicLeaders, LeadersElected, PartitionLeaderSet, SetPartitionLeader
from flux.wire.admin_topics import (
    AlterTopic,
    CreateTopic,
    DeleteRecords,
    DeleteTopic,
    DescribeTopic,
    RecordsDeleted,
    TopicDeleted,
    TopicDescribed,
    TopicShape,
)


class Topics:
    """What an operator does to topics. Whatever changes something is answered when that is stored and in force.

    Every method but :meth:`create` may raise UnknownTopic and, for a partition the topic does not have, BadRequest.
    """

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    async def create(self, request: CreateTopic, session: ISession) -> TopicShape:
        """A topic, and leaders for it. :raises TopicExists: it exists with another shape."""
        topic = await self._broker.controller.create_topic(
            request.topic, request.partitions, request.replication_factor, request.settings
        )
        return TopicShape(topic.name, len(topic.partitions), topic.replication_factor, topic.term, topic.index)

    async def alter(self, request: AlterTopic, session: ISession) -> TopicShape:
        """Other settings, more partitions. :raises BadRequest: it would shrink, or keys would move and nobody allowed that."""
        controller = self._broker.controller
        if request.partitions is not None and not request.allow_key_move:
            await self._refuse_to_move_keys(request.topic, request.partitions)
        image = await controller.alter_topic(request.topic, request.settings, request.partitions)
        topic = image.topic(request.topic)
        return TopicShape(topic.name, len(topic.partitions), topic.replication_factor, image.term, image.index)

    async def delete(self, request: DeleteTopic, session: ISession) -> TopicDeleted:
        """No such topic, and no file of it."""
        image = await self._broker.controller.delete_topic(request.topic)
        return TopicDeleted(request.topic, image.term, image.index)

    async def delete_records(self, request: DeleteRecords, session: ISession) -> RecordsDeleted:
        """A log that starts later. :raises OffsetOutOfRange: not all of that is committed."""
        partition = self._broker.partitions.get(TopicPartition(request.topic, request.partition))
        return RecordsDeleted(request.topic, request.partition, await partition.delete_records(request.before))

    def describe(self, request: DescribeTopic, session: ISession) -> TopicDescribed:
        """What it is made of. Of a partition that is not held here, or cannot be used, the reason stands in for the log."""
        topic = self._broker.controller.image.topic(request.topic)
        partitions = [
            {
                "partition": number,
                "leader": state.leader,
                "leader_epoch": state.leader_epoch,
                "replicas": list(state.replicas),
                "isr": list(state.isr),
                **self._log(TopicPartition(topic.name, number)),
            }
            for number, state in enumerate(topic.partitions)
        ]
        description = {"topic_id": topic.topic_id, "config": dict(topic.config), "partitions": partitions}
        return TopicDescribed(topic.name, len(topic.partitions), topic.replication_factor, description)

    async def set_leader(self, request: SetPartitionLeader, session: ISession) -> PartitionLeaderSet:
        """A leader by an operator's word. :raises BadRequest: it cannot lead, or the ISR does not fit."""
        tp = TopicPartition(request.topic, request.partition)
        image = await self._broker.controller.set_leader(tp, request.leader, request.isr)
        state = image.partition(*tp)
        return PartitionLeaderSet(tp.topic, tp.partition, state.leader, state.isr, image.term, image.index)

    async def elect_leaders(self, request: ElectTopicLeaders, session: ISession) -> LeadersElected:
        """The preferred leaders, where they are in sync."""
        return LeadersElected(request.topic, await self._broker.controller.elect_leaders(request.topic))

    async def _refuse_to_move_keys(self, name: str, partitions: int) -> None:
        """:raises BadRequest: the topic would grow, and holds keyed records.

        Looks at the records themselves, up to the first key: nothing remembered could be wrong after a restart or a deletion. What
        is produced while it looks is not seen.
        """
        have = len(self._broker.controller.image.topic(name).partitions)
        for number in range(have if partitions > have else 0):
            if await self._broker.partitions.get(TopicPartition(name, number)).holds_keys():
                raise BadRequest(
                    f"partitions: {name} holds keyed records, and with {partitions} partitions instead of {have} most keys would go"
                    " elsewhere than what was stored under them; allow_key_move=1 says that this is wanted"
                )

    def _log(self, tp: TopicPartition) -> Mapping[str, Any]:
        try:
            partition = self._broker.partitions.get(tp)
        except FluxError as error:
            return {"log_start": None, "log_end": None, "hw": None, "size_bytes": None, "problem": str(error)}
        return {
            "log_start": partition.log_start,
            "log_end": partition.log_end,
            "hw": partition.high_watermark - 1,
            "size_bytes": partition.size_bytes,
        }
