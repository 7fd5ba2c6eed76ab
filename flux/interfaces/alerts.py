"""What is promised to whoever wants to be told."""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import Attribute

from flux.interfaces.commands import IBroker
from flux.model import Alert


class AlertReceiver(Protocol):
    """Is told of alerts, oldest first, some at a time. The next are told when the Deferred has fired, if one is returned.

    Called on the reactor's thread, so it must not block; never from within a request. What it raises is logged.
    """

    def __call__(self, alerts: Sequence[Alert], dropped: int) -> "Deferred[Any] | None":
        """*dropped* alerts were lost since the last call, because this receiver was too slow."""


class IAlertHook(IPlugin):
    """Something that tells people. Found by ``twisted.plugin`` in ``flux.plugins``; importing it does nothing."""

    name: str = Attribute("What the log calls it.")

    def bind(broker: IBroker) -> "AlertReceiver | None":
        """Once per broker, at its start, before its groups are there: who is to be told; None if it is switched off."""
