"""Builds the rooms and introduces them to each other; starts them in order, drains them, stops them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

import flux.plugins
from flux.alerts.alerter import Alerter
from flux.cluster.controller import Controller
from flux.cluster.store import FileMetadataStore
from flux.config import Config
from flux.errors import FluxError, ShuttingDown
from flux.group.coordinator import GroupCoordinator
from flux.interfaces import IAlertHook, IAssignor, IBroker, IDirectory, InThread, Now, Syncs
from flux.model import TopicPartition
from flux.replication.manager import ReplicaManager
from flux.server.dispatch import Dispatch
from flux.server.factory import FluxFactory
from flux.server.families import bind, load, plugins
from flux.storage.checkpoint import Checkpoint, read_file, replace_file
from flux.storage.existing import LOCK, META
from flux.storage.manager import LogManager

_SYNCS_AT_ONCE = 4  # threads: three files took 0.6 ms instead of 2.3 on a busy disk, as they share its journal
_META_VERSION = 1
_GROUP_LOG = TopicPartition("__consumer_offsets", 0)
_GROUP_LOG_CONFIG = {"segment.bytes": str(4 << 20), "retention.ms": "-1", "retention.bytes": "-1"}  # snapshots bound it


class CannotStart(FluxError):
    """The broker cannot start here; the message is a sentence for whoever started it."""


class Workers(Protocol):
    """Hands out threads; a Service, so that they end with the broker."""

    def one(self, name: str) -> InThread:
        """A thread that runs calls in order, one at a time."""

    def several(self, name: str, count: int) -> Syncs:
        """Threads that sync side by side."""


@implementer(IBroker)
class Broker(MultiService):
    """One broker on one data directory.

    *Transitions*: ``startService`` locks the directory, recovers the logs and takes up leadership, all before it returns, so that
    nobody is served sooner; :meth:`listen` adds a port; ``stopService`` drains: it stops listening, answers what is in flight, and
    fires when everything is durable and the directory is free. *parent* is the directory above *directory*, if that may be new.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        *,
        directory: IDirectory,
        parent: IDirectory | None = None,
        clock: IReactorTime,
        now: Now,
        threads: Workers,
        new_id: Callable[[], str],
    ) -> None:
        super().__init__()
        self.config = config
        self.clock = clock
        self.now = now
        self._directory = directory
        self._parent = parent
        self._threads = threads
        self._unlock: Callable[[], None] | None = None
        self._listeners: list[IService] = []
        flusher, reader = threads.one("flux-flusher"), threads.one("flux-reader")
        syncs = threads.several("flux-sync", _SYNCS_AT_ONCE)
        self.logs = LogManager(directory, config.storage, clock, now, flusher, reader, syncs)
        store = FileMetadataStore(Checkpoint(directory, "metadata.json", flusher))
        self.controller = Controller(
            config.cluster,
            store,
            self.logs,
            clock,
            now,
            new_id,
            lambda: self.logs.unclean,
            {_GROUP_LOG.topic: _GROUP_LOG_CONFIG},
        )
        watermarks = Checkpoint(directory, "high-watermarks.json", flusher)
        self.partitions = ReplicaManager(
            config.replication, self.logs, watermarks, self.controller, clock, config.cluster.broker_id
        )
        self.groups: GroupCoordinator  # made when its log is open
        self._group_files = [Checkpoint(directory, name, flusher) for name in ("offsets.json", "groups.json")]
        self._assignors: Mapping[str, IAssignor] = {each.name: each for each in plugins(IAssignor, flux.plugins)}
        self.commands: Mapping[str, Any] = {}
        bindings = bind(load(flux.plugins), self)
        self.commands = {command: binding.request for command, binding in bindings.items()}
        self.dispatch = Dispatch(bindings, clock, config.server.request_timeout_ms / 1000)
        self.factory = FluxFactory(self.dispatch, clock, config.server)
        self.alerts = Alerter(plugins(IAlertHook, flux.plugins), self)
        self._rooms: list[IService] = [threads, self.logs, self.controller, self.partitions, self.alerts]  # type: ignore[list-item]  # Workers is a Service
        for room in self._rooms:
            room.setServiceParent(self)

    def listen(self, service_for: Callable[[IProtocolFactory], IService]) -> None:
        """Listen with the service that *service_for* makes of this broker's factory (``twisted.application.strports.service``)."""
        service = service_for(self.factory)
        self._listeners.append(service)
        service.setServiceParent(self)

    def startService(self) -> None:
        """See the class. :raises CannotStart: the directory is another broker's, or the disk failed."""
        try:
            if self._directory.make() and self._parent is not None:
                self._parent.sync()  # or a power cut may take the whole new directory back
            self._unlock = self._directory.lock(LOCK)
            self._check_meta()
            super().startService()
            self._start_groups()
        except BaseException as error:
            self._abandon()
            if isinstance(error, BlockingIOError):
                raise CannotStart(
                    f"data_dir: {self._directory.path} is in use by another broker; stop that one, or give this one a directory "
                    f"of its own"
                ) from error
            if isinstance(error, OSError):
                raise CannotStart(f"data_dir: {self._directory.path} cannot be used: {error}") from error
            raise
        self._log.info(
            "broker {id} serves {topics} topics from {path}, fsync_mode {mode}",
            id=self.config.cluster.broker_id,
            topics=len(self.controller.image.topics),
            path=self._directory.path,
            mode=self.config.storage.fsync_mode.value,
        )

    def _abandon(self) -> None:
        """The start failed: end the threads, which would keep the process alive, and free the directory."""
        threads = self._rooms[0]
        if threads.running:
            threads.stopService()
        if self._unlock is not None:
            self._unlock()

    def _start_groups(self) -> None:
        """Replay the group log, which is a partition like any other."""
        partition = self.partitions.get(_GROUP_LOG)
        offsets, groups = self._group_files
        self.groups = GroupCoordinator(
            partition=partition,
            log=partition.log,
            offsets_checkpoint=offsets,
            groups_checkpoint=groups,
            clock=self.clock,
            now=self.now,
            config=self.config.group,
            partitions=self.partitions,
            controller=self.controller,
            assignors=self._assignors,
        )
        self.groups.setServiceParent(self)
        self._rooms.append(self.groups)

    def stopService(self) -> Deferred[None]:
        """See the class."""
        self.running = False
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._log.info("stopping: draining connections")
        for listener in self._listeners:
            await maybeDeferred(listener.stopService)
        drained = self.factory.drain()
        self.partitions.release_waits(ShuttingDown("the broker stops; ask another, or this one later"))
        await drained
        for room in reversed(self._rooms):
            try:
                await maybeDeferred(room.stopService)
            except Exception:  # the others still have to be stopped
                self._log.failure("a part of the broker did not stop cleanly")
        if self._unlock is not None:
            self._unlock()
        self._log.info("stopped")

    def _check_meta(self) -> None:
        """Refuse a directory that is another broker's; write ours into a new one."""
        broker_id = self.config.cluster.broker_id
        data = read_file(self._directory, META)
        if data is None:
            replace_file(self._directory, META, f"version={_META_VERSION}\nbroker.id={broker_id}\n".encode())
            return
        known = dict(line.split("=", 1) for line in data.decode("utf-8", "replace").splitlines() if "=" in line)
        if known.get("version") != str(_META_VERSION):
            raise CannotStart(
                f"data_dir: {self._directory.path} is of format {known.get('version')}, this version reads {_META_VERSION}"
            )
        if known.get("broker.id") != str(broker_id):
            raise CannotStart(
                f"broker_id: {broker_id}, but {self._directory.path} belongs to broker {known.get('broker.id')}; "
                f"give it its own id or its own directory"
            )
