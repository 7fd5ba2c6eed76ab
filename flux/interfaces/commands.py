"""What is promised between the server and the families of commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from flux.config import Config
from flux.interfaces.calling import Now
from flux.interfaces.cluster import IController
from flux.interfaces.groups import IGroupCoordinator
from flux.interfaces.replication import IPartitions


class ISession(Interface):
    """Who speaks on a connection."""

    peer: str = Attribute("Address, for logs.")
    principal: str | None = Attribute("Who it is, once authenticated.")
    client_id: str | None = Attribute("What HELLO said it is.")


class IBroker(Interface):
    """All that a command family ever sees: references, no behaviour."""

    clock: IReactorTime = Attribute("Time.")
    now: Now = Attribute("Wall time, for stamps.")
    config: Config = Attribute("Settings in force.")
    partitions: IPartitions = Attribute("The partitions held here.")
    groups: IGroupCoordinator = Attribute("The consumer groups.")
    controller: IController = Attribute("Topics, brokers, leaders.")
    commands: Mapping[str, Any] = Attribute("Command name → request class (see flux.wire.v1), third-party ones too.")


class Replies(Protocol):
    """The answers to a run, or to some of its requests."""

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        """Whole answer lines, LF included, one for each id and in that order."""


class Pending(NamedTuple):
    """What a run's handler returns when some answers are still to come.

    ``waits``: Deferreds that do not fail, each with the positions whose answers it decides. ``replies`` makes the answers to the
    requests at the positions it is given; it is asked once for each, when all waits of that position have fired.
    """

    waits: Sequence[tuple["Deferred[Any]", Sequence[int]]]
    replies: Callable[[Sequence[int]], Replies]


class ICommandFamily(IPlugin):
    """A family of commands. Found by ``twisted.plugin`` in ``flux.plugins``; importing it does nothing."""

    name: str = Attribute("What the log calls it.")

    def bind(broker: IBroker) -> Mapping[type, Callable[..., Any]]:
        """Request class → handler, once per broker.

        A class with ``decode(arguments)`` (see :class:`flux.wire.v1.Request`) is bound to a plain handler
        ``(request, session) -> Reply``, an ``async def`` or a plain function. A class with ``decode_run(arguments)``
        (:class:`flux.wire.v1.Run`) is bound to a run handler ``(run, session) -> Replies | Pending | Deferred[Replies]``. A run
        holds what all connections of one principal asked of that command in one reactor turn, each connection's requests in
        order; *session* is that of one of them.

        A request may say ``wait_s``, which its deadline is moved by, and ``overtakable``: what is behind it need not wait for it. A
        class of runs may say ``OVERLAPS``: a run may start while those of the same command before it are still being answered.
        """
