"""Watches the metadata, and tells whoever wants to know: the room's Service."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger
from zope.interface import implementer

from flux.alerts.delivery import Delivery
from flux.alerts.transitions import transitions
from flux.interfaces import IAlertHook, IBroker, IMetadataObserver


@implementer(IMetadataObserver)
class Alerter(Service):
    """Turns changes of the metadata into alerts, for every hook that is switched on.

    *Transitions*: started, it binds *hooks* and watches the broker's controller; stopped, it tells nothing more.
    """

    name = "alerts"
    _log = Logger()

    def __init__(self, hooks: Sequence[IAlertHook], broker: IBroker) -> None:
        self._hooks = hooks
        self._broker = broker
        self._topics: Mapping[str, Any] = {}
        self._deliveries: list[Delivery] = []

    def startService(self) -> None:
        """Bind the hooks; one that cannot be is reported, and costs the others nothing."""
        super().startService()
        for hook in self._hooks:
            try:
                receiver = hook.bind(self._broker)
            except Exception:
                self._log.failure("alert hook {name} cannot be bound; the broker starts without it", name=hook.name)
                continue
            if receiver is not None:
                size = self._broker.config.alerts.alert_queue_size
                self._deliveries.append(Delivery(hook.name, receiver, self._broker.clock, size))
        if self._deliveries:
            self._log.info("alerts go to {hooks}", hooks=", ".join(each.name for each in self._deliveries))
            self._broker.controller.watch(self)

    def stopService(self) -> None:
        """Tell nothing more."""
        super().stopService()
        for delivery in self._deliveries:
            delivery.stop()

    def metadata_changed(self, image: Any) -> None:
        """See :class:`~flux.interfaces.IMetadataObserver`."""
        before, self._topics = self._topics, image.topics
        alerts = list(transitions(before, image.topics, int(self._broker.now() * 1000)))
        for delivery in self._deliveries:
            delivery.add(alerts)
