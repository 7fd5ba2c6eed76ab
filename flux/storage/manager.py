"""All logs below one data directory: the storage room's Service."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from flux.config import StorageConfig
from flux.errors import StorageError, UnknownTopic
from flux.interfaces import IDirectory, IFile, ILog, ILogManager, InThread, Now
from flux.model import FsyncMode, TopicPartition
from flux.storage.checkpoint import Checkpoint
from flux.storage.closed import OpenSegments
from flux.storage.flusher import Flusher
from flux.storage.log import Log, Surroundings
from flux.storage.opening import CleanEnd, Loss, open_log
from flux.storage.settings import LogSettings
from flux.storage.space import Space

CLEAN = "clean-shutdown"
_OPEN_SEGMENTS = 256  # closed segments held open at once, so that a long log costs neither descriptors nor memory
_SPACE_INTERVAL_S = 2.0
_DELETED = "-delete"


@implementer(ILogManager)
class LogManager(Service):
    """See :class:`~flux.interfaces.ILogManager`.

    ``startService`` reads and removes the clean-shutdown mark, so that a crash from then on counts as one; ``unclean`` says whether
    there was none. ``stopService`` syncs every log, and marks the stop clean only if all of them could be.
    """

    _log = Logger()

    def __init__(
        self,
        directory: IDirectory,
        config: StorageConfig,
        clock: IReactorTime,
        now: Now,
        in_flusher: InThread,
        in_reader: InThread,
    ) -> None:
        self.unclean = True
        self.losses: list[tuple[TopicPartition, Loss]] = []
        self._directory = directory
        self._config = config
        self._clock = clock
        self._now = now
        self._in_flusher = in_flusher
        self._recovery_points = Checkpoint(directory, "recovery-points.json", in_flusher)
        self._starts = Checkpoint(directory, "log-start-offsets.json", in_flusher)
        self._clean_mark = Checkpoint(directory, CLEAN, in_flusher)
        self._space = Space(directory, config.disk_low_bytes, config.disk_reserve_bytes)
        self._around = Surroundings(
            Flusher(clock, in_flusher),
            in_flusher,
            in_reader,
            self._space,
            OpenSegments(_OPEN_SEGMENTS, config.index_interval_bytes),
            self._save_start,
        )
        self._logs: dict[TopicPartition, Log] = {}
        self._broken: set[TopicPartition] = set()
        self._loops: list[LoopingCall] = []

    # --- start

    def startService(self) -> None:
        """Read what the last run left; the logs themselves are opened by whoever needs them."""
        super().startService()
        self._started = (self._now(), self._clock.seconds())
        self._known_points: dict[str, int] = _load(self._recovery_points)
        self._known_starts: dict[str, int] = _load(self._starts)
        self._clean_ends = self._take_clean_mark()
        self._remove_deleted()
        self._space.check()
        self._every(_SPACE_INTERVAL_S, self._space.check)
        self._every(self._config.checkpoint_interval_ms / 1000, self._save_points)
        self._every(self._config.retention_interval_ms / 1000, self._apply_retention)
        if self._config.fsync_mode is FsyncMode.INTERVAL:
            self._every(self._config.flush_interval_ms / 1000, self._flush_dirty)

    def _take_clean_mark(self) -> dict[str, CleanEnd]:
        names = {entry.name for entry in self._directory.list()} & {CLEAN, CLEAN + ".prev"}
        ends: dict[str, CleanEnd] = {}
        try:
            ends = {name: CleanEnd(*end) for name, end in self._clean_mark.load().items()}
            self.unclean = CLEAN not in names
        except (StorageError, TypeError) as error:
            self._log.error("the clean-shutdown mark is damaged, every log is checked: {error}", error=error)
        for name in names:
            self._directory.remove(name)
        self._directory.sync()
        return ends

    def _remove_deleted(self) -> None:
        for entry in self._directory.list():
            if entry.is_directory and entry.name.endswith(_DELETED):
                _remove_all(self._directory, entry.name)

    def _every(self, seconds: float, call: Callable[[], Any]) -> None:
        loop = LoopingCall(call)
        loop.clock = self._clock
        loop.start(seconds, now=False).addErrback(lambda failure: self._log.failure("a storage timer broke", failure))
        self._loops.append(loop)

    # --- logs

    def existing(self) -> Sequence[TopicPartition]:
        """See :class:`~flux.interfaces.ILogManager`."""
        found = []
        for entry in self._directory.list():
            topic, dash, number = entry.name.rpartition("-")
            if entry.is_directory and dash and topic and number.isascii() and number.isdigit():
                found.append(TopicPartition(topic, int(number)))
        return sorted(found)

    def open(self, tp: TopicPartition, config: Mapping[str, str]) -> ILog:
        """See :class:`~flux.interfaces.ILogManager`."""
        opened_before = self._logs.get(tp)
        settings = LogSettings.of(self._config, config)
        if opened_before is not None:
            opened_before.settings = settings
            return opened_before
        name = str(tp)
        try:
            opened = open_log(
                self._directory.child(name),
                index_interval=self._config.index_interval_bytes,
                start_offset=self._known_starts.get(name),
                recovery_point=self._known_points.get(name, 0),
                clean=self._clean_ends.get(name),
                trust_clean=not self.unclean,
            )
        except OSError as error:
            self._broken.add(tp)
            raise StorageError(f"{tp} cannot be opened: {error}; mend the disk and restart the broker") from error
        for loss in opened.losses:
            self.losses.append((tp, loss))
            self._log.error(
                "{tp}: {why}: offsets {first} to {next} (exclusive), {size} bytes at {position} of {file}",
                tp=tp,
                why=loss.why,
                first=loss.first,
                next=loss.next,
                size=loss.size_bytes,
                position=loss.position,
                file=loss.file or "no file",
            )
        log = self._logs[tp] = Log(tp, opened, self._directory, settings, self._around)
        return log

    def delete(self, tp: TopicPartition) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILogManager`. The directory is renamed first: from then on the log is gone, crash or not."""
        log = self._logs.pop(tp, None)
        self._broken.discard(tp)
        files = log.retire(UnknownTopic(f"topic: {tp.topic} was deleted")) if log is not None else []
        self._known_starts.pop(str(tp), None)
        self._known_points.pop(str(tp), None)
        self._clean_ends.pop(str(tp), None)
        gone = f"{tp}.{int(self._now() * 1000)}{_DELETED}"
        return self._in_flusher(self._delete_files, files, str(tp), gone)

    def _delete_files(self, files: Sequence[IFile], name: str, gone: str) -> None:
        for file in files:
            file.close()
        if any(entry.name == name for entry in self._directory.list()):
            self._directory.rename(name, gone)
            self._directory.sync()
            _remove_all(self._directory, gone)

    def _save_start(self, tp: TopicPartition, offset: int) -> Deferred[None]:
        self._known_starts[str(tp)] = offset
        return self._starts.save(dict(self._known_starts))

    # --- timers

    def _flush_dirty(self) -> None:
        for log in self._logs.values():
            if log.dirty and log.failure is None:
                self._around.flusher.want(log)

    def _save_points(self) -> Deferred[None] | None:
        points = self._points()
        if points == self._known_points:
            return None
        self._known_points = points
        return self._recovery_points.save(points).addErrback(
            lambda failure: self._log.failure("the recovery points could not be saved", failure)
        )

    def _points(self) -> dict[str, int]:
        return {**self._known_points, **{str(tp): log.flushed.value for tp, log in self._logs.items()}}

    def _apply_retention(self) -> Deferred[Any]:
        """By a clock that only this process's own time moves: a step of the wall clock deletes nothing."""
        wall, seconds = self._started
        now_ms = int((wall + self._clock.seconds() - seconds) * 1000)
        running = []
        for log in list(self._logs.values()):
            log.roll_if_old(now_ms)
            running.append(
                log.apply_retention(now_ms).addErrback(lambda failure: self._log.failure("retention failed", failure))
            )
        return DeferredList(running)

    # --- stop

    def stopService(self) -> Deferred[None]:
        """Sync, mark, let go. Fires when the directory may be opened by another."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for loop in self._loops:
            loop.stop()
        logs = dict(self._logs)
        await DeferredList([log.flush() for log in logs.values() if log.failure is None], consumeErrors=True)
        await self._around.flusher.when_idle()
        ends = {str(tp): log.close() for tp, log in logs.items()}
        self._around.open_segments.close()
        try:
            self._recovery_points.save_now(self._points())
            if None in ends.values() or self._broken:
                self._log.error("not every log could be synced: the next start checks them")
                return
            self._clean_mark.save_now({name: list(end) for name, end in ends.items() if end is not None})
        except OSError as error:
            self._log.error("the stop could not be marked clean: {error}", error=error)


def _load(checkpoint: Checkpoint) -> dict[str, int]:
    """What it holds; a damaged one counts as lost, which only means that more is checked."""
    try:
        return checkpoint.load()
    except StorageError as error:
        LogManager._log.error("{error}; going on without it", error=error)
        return {}


def _remove_all(directory: IDirectory, name: str) -> None:
    child = directory.child(name)
    for entry in child.list():
        child.remove(entry.name)
    directory.remove_directory(name)
