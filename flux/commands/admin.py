"""The admin family, and its ADMIN_… commands about brokers; those about topics are in :mod:`flux.commands.admin_topics`."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from flux.commands.admin_topics import Topics
from flux.interfaces import IBroker, ICommandFamily, ISession
from flux.wire.admin_brokers import (
    BrokerAlive,
    BrokerFenced,
    BrokerHeartbeat,
    BrokerRegistered,
    FenceBroker,
    GetMetadata,
    Metadata,
    ReconcileBrokerHealth,
    Reconciled,
    RegisterBroker,
    UnfenceBroker,
)
from flux.wire.admin_leaders import ElectTopicLeaders, SetPartitionLeader
from flux.wire.admin_topics import AlterTopic, CreateTopic, DeleteRecords, DeleteTopic, DescribeTopic

_INTERNAL = "__"  # what the names of the broker's own topics begin with


@implementer(ICommandFamily)
class AdminFamily:
    """Makes, alters and describes what exists."""

    name = "admin"

    def bind(self, broker: IBroker) -> Mapping[type[Any], Callable[..., Any]]:
        """The thirteen commands."""
        topics, brokers = Topics(broker), Brokers(broker)
        return {
            CreateTopic: topics.create,
            AlterTopic: topics.alter,
            DeleteTopic: topics.delete,
            DeleteRecords: topics.delete_records,
            DescribeTopic: topics.describe,
            SetPartitionLeader: topics.set_leader,
            ElectTopicLeaders: topics.elect_leaders,
            RegisterBroker: brokers.register,
            BrokerHeartbeat: brokers.heartbeat,
            FenceBroker: brokers.fence,
            UnfenceBroker: brokers.unfence,
            ReconcileBrokerHealth: brokers.reconcile,
            GetMetadata: brokers.metadata,
        }


class Brokers:
    """What brokers say of themselves, and an operator of them. Every method may fail as :class:`~flux.interfaces.IController` says."""

    def __init__(self, broker: IBroker) -> None:
        self._broker = broker

    async def register(self, request: RegisterBroker, session: ISession) -> BrokerRegistered:
        """A broker, which leads nothing yet."""
        image = await self._broker.controller.register_broker(
            request.broker_id, request.host, request.port, request.epoch
        )
        known = image.broker(request.broker_id)
        return BrokerRegistered(known.id, known.host, known.port, image.term, image.index)

    async def heartbeat(self, request: BrokerHeartbeat, session: ISession) -> BrokerAlive:
        """A sign of life."""
        image = await self._broker.controller.broker_heartbeat(request.broker_id)
        return BrokerAlive(request.broker_id, image.term, image.index)

    def fence(self, request: FenceBroker, session: ISession) -> "Deferred[BrokerFenced]":
        """It leads nothing any more."""
        return self._broker.controller.fence(request.broker_id).addCallback(_fenced, request.broker_id)

    def unfence(self, request: UnfenceBroker, session: ISession) -> "Deferred[BrokerFenced]":
        """It may lead again."""
        return self._broker.controller.unfence(request.broker_id).addCallback(_fenced, request.broker_id)

    async def reconcile(self, request: ReconcileBrokerHealth, session: ISession) -> Reconciled:
        """Whoever is silent is fenced, now."""
        return Reconciled(await self._broker.controller.reconcile_brokers(request.timeout_ms / 1000))

    def metadata(self, request: GetMetadata, session: ISession) -> Metadata:
        """What there is, without the broker's own topics."""
        image = self._broker.controller.image
        return Metadata(
            sorted(name for name in image.topics if not name.startswith(_INTERNAL)),
            sorted(image.brokers),
            sorted(broker.id for broker in image.brokers.values() if broker.fenced),
        )


def _fenced(image: Any, broker_id: int) -> BrokerFenced:
    return BrokerFenced(broker_id, image.broker(broker_id).fenced, image.term, image.index)
