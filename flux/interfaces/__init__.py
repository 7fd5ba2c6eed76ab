"""Every promise one room makes another.

The rooms never import each other: each is handed objects that keep these promises, by :mod:`flux.broker`. Where something
waits the promise is a :class:`~twisted.internet.defer.Deferred`, which has *started*; what decides is a plain call.
Clock, wall time and threads are arguments everywhere: ``clock`` (:class:`~twisted.internet.interfaces.IReactorTime`),
``now`` (seconds since the Unix epoch as a float) and ``in_thread`` (call a function elsewhere, return a Deferred).

They are imported from here. A module a room, to be read in this order: :mod:`~flux.interfaces.calling`,
:mod:`~flux.interfaces.disk`, :mod:`~flux.interfaces.storage`, :mod:`~flux.interfaces.replication`, :mod:`~flux.interfaces.groups`,
:mod:`~flux.interfaces.cluster`, :mod:`~flux.interfaces.commands`, :mod:`~flux.interfaces.alerts`.
"""

from flux.interfaces.alerts import AlertReceiver, IAlertHook
from flux.interfaces.calling import InThread, ITurns, Now, Synced, SyncJob, Syncs, end_of_turn
from flux.interfaces.cluster import IController, IMetadataObserver, IMetadataStore
from flux.interfaces.commands import IBroker, ICommandFamily, ISession, Pending, Replies
from flux.interfaces.disk import Entry, IDirectory, IFile
from flux.interfaces.groups import Assignment, IAssignor, IGroupCoordinator, OffsetMove, Reset, ResetTo
from flux.interfaces.replication import IPartition, IPartitions
from flux.interfaces.storage import ICheckpoint, ILog, ILogManager

__all__ = [
    "AlertReceiver",
    "Assignment",
    "Entry",
    "IAlertHook",
    "IAssignor",
    "IBroker",
    "ICheckpoint",
    "ICommandFamily",
    "IController",
    "IDirectory",
    "IFile",
    "IGroupCoordinator",
    "ILog",
    "ILogManager",
    "IMetadataObserver",
    "IMetadataStore",
    "IPartition",
    "IPartitions",
    "ISession",
    "ITurns",
    "InThread",
    "Now",
    "OffsetMove",
    "Pending",
    "Replies",
    "Reset",
    "ResetTo",
    "SyncJob",
    "Synced",
    "Syncs",
    "end_of_turn",
]
