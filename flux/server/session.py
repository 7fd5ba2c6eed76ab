"""Who speaks on a connection."""

from zope.interface import implementer

from flux.interfaces import ISession


@implementer(ISession)
class Session:
    """A connection as handlers see it."""

    __slots__ = ("client_id", "peer", "principal")

    def __init__(self, address: object) -> None:
        host, port = getattr(address, "host", None), getattr(address, "port", None)
        self.peer = str(address) if host is None else f"{host}:{port}"
        self.principal: str | None = None
        self.client_id: str | None = None
