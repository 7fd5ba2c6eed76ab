"""What a broker on a thread logs, where a test runner looks for it."""

from twisted.logger import ILogObserver, LogEvent, STDLibLogObserver
from zope.interface import provider

_to_logging = STDLibLogObserver("flux")


@provider(ILogObserver)
def to_logging(event: LogEvent) -> None:
    """Hand Flux's own events to :mod:`logging`, as the logger ``flux``; for Twisted's others somebody else cares."""
    if str(event.get("log_namespace", "")).startswith("flux."):
        _to_logging(event)
