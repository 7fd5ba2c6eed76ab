"""All logs below one data directory: the storage room's Service."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from flux.config import StorageConfig
from flux.errors import StorageError, UnknownTopic
from flux.interfaces import IDirectory, ILog, ILogManager, InThread, Now, Syncs
from flux.model import FsyncMode, TopicPartition
from flux.storage.clean_shutdown import leave_mark, take_mark
from flux.storage.closed import OpenSegments
from flux.storage.deletion import empty, put_aside, put_aside_before
from flux.storage.existing import logs_in
from flux.storage.flusher import Flusher
from flux.storage.gaps import Loss
from flux.storage.log import Log
from flux.storage.offset_checkpoints import OffsetCheckpoints
from flux.storage.opening import CleanEnd, open_log
from flux.storage.refusals import Refusals
from flux.storage.settings import LogSettings
from flux.storage.space import Space
from flux.storage.surroundings import Surroundings
from flux.storage.tail import Tails

_OPEN_SEGMENTS = 256  # closed segments held open at once, so that a long log costs neither descriptors nor memory
_SPACE_INTERVAL_S = 2.0


@implementer(ILogManager)
class LogManager(Service):
    """See :class:`~flux.interfaces.ILogManager`.

    ``startService`` takes the clean-shutdown mark away, so that a crash from then on counts as one; ``unclean`` says whether there was
    none. ``stopService`` syncs every log, and marks the stop clean only if all of them could be. ``losses`` is what the logs opened so
    far were found to lack.
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
        syncs: Syncs,
    ) -> None:
        self.unclean = True
        self.losses: list[tuple[TopicPartition, Loss]] = []
        self._directory = directory
        self._config = config
        self._clock = clock
        self._now = now
        self._space = Space(directory, config.disk_low_bytes, config.disk_reserve_bytes)
        self._checkpoints = OffsetCheckpoints(directory, in_flusher)
        self._around = Surroundings(
            directory,
            Flusher(clock, syncs),
            in_flusher,
            in_reader,
            self._space,
            OpenSegments(_OPEN_SEGMENTS, config.index_interval_bytes),
            self._checkpoints,
            Tails(config.tail_bytes),
            Refusals(),
        )
        self._logs: dict[TopicPartition, Log] = {}
        self._broken: set[TopicPartition] = set()
        self._deleting: set[TopicPartition] = set()
        self._loops: list[LoopingCall] = []

    # --- start

    def startService(self) -> None:
        """Read what the last run left; the logs themselves are opened by whoever needs them.

        :raises OSError: the data directory cannot be read, or its names not be changed: no log in it could be relied on.
        """
        super().startService()
        self._started = (self._now(), self._clock.seconds())
        self._checkpoints.load()
        clean_ends = take_mark(self._directory)
        self.unclean, self._clean_ends = clean_ends is None, clean_ends or {}
        self._known = {entry.name for entry in self._directory.list()}
        self._directory.sync()  # a killed run may have left names that are not durable
        self._remove_put_aside()
        self._space.check()
        self._every(_SPACE_INTERVAL_S, self._space.check)
        self._every(self._config.checkpoint_interval_ms / 1000, self._save_points)
        self._every(self._config.retention_interval_ms / 1000, self._apply_retention)
        if self._config.fsync_mode is FsyncMode.INTERVAL:
            self._every(self._config.flush_interval_ms / 1000, self._flush_dirty)

    def _remove_put_aside(self) -> None:
        for aside, name in put_aside_before(self._directory).items():
            removal = Deferred.fromCoroutine(self._remove_aside(aside, name))
            removal.addErrback(
                lambda failure, aside: self._log.error(
                    "{name} was not removed: {reason}", name=aside, reason=failure.getErrorMessage()
                ),
                aside,
            )

    def _every(self, seconds: float, call: Callable[[], Any]) -> None:
        """Whatever goes wrong once, the next time it is tried again."""

        def guarded() -> Deferred[Any]:
            return maybeDeferred(call).addErrback(lambda failure: self._log.failure("a storage timer failed", failure))

        loop = LoopingCall(guarded)
        loop.clock = self._clock
        loop.start(seconds, now=False)
        self._loops.append(loop)

    # --- logs

    def existing(self) -> Sequence[TopicPartition]:
        """See :class:`~flux.interfaces.ILogManager`."""
        return logs_in(self._directory)

    def open(self, tp: TopicPartition, config: Mapping[str, str]) -> ILog:
        """See :class:`~flux.interfaces.ILogManager`."""
        opened_before = self._logs.get(tp)
        settings = LogSettings.of(self._config, config)
        if opened_before is not None:
            opened_before.settings = settings
            return opened_before
        if tp in self._deleting:
            raise StorageError(f"{tp} is still being deleted; try again")
        name = str(tp)
        try:
            opened = open_log(
                self._directory.child(name),
                index_interval=self._config.index_interval_bytes,
                start_offset=self._checkpoints.start(name),
                recovery_point=self._checkpoints.point(name),
                clean=self._clean_ends.get(name),
                trust_clean=not self.unclean,
            )
        except OSError as error:
            self._broken.add(tp)
            refusal = self._around.refusals.told(tp, f"{tp} cannot be opened", error)
            raise StorageError(f"{refusal}; mend the disk and restart the broker") from error
        self._broken.discard(tp)
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
        log = self._logs[tp] = Log(tp, opened, settings, self._around, known=name in self._known)
        return log

    def delete(self, tp: TopicPartition) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILogManager`."""
        return Deferred.fromCoroutine(self._delete(tp))

    async def _delete(self, tp: TopicPartition) -> None:
        log, name = self._logs.pop(tp, None), str(tp)
        files = log.retire(UnknownTopic(f"topic: {tp.topic} was deleted")) if log is not None else []
        self._broken.discard(tp)
        self._known.discard(name)
        self._clean_ends.pop(name, None)
        self._deleting.add(tp)
        around, path = self._around, self._directory.child(name).path
        try:
            # First the readers' files, or a later log of that name would be read from them.
            await around.in_reader(around.open_segments.drop, path)
            await around.flusher.when_round_is_over()  # which may still use its files; the next one will not
            stamp_ms = int(self._now() * 1000)
            aside = await around.in_flusher(put_aside, self._directory, name, stamp_ms, files)
            if aside is None:
                await self._checkpoints.forget(name)
            else:
                await self._remove_aside(aside, name)
        finally:
            self._deleting.discard(tp)

    async def _remove_aside(self, aside: str, name: str) -> None:
        """The directory itself goes last: as long as it is there, the next start knows what to forget."""
        in_flusher = self._around.in_flusher
        forgotten = self._checkpoints.forget(name).addErrback(lambda _: None)
        await in_flusher(empty, self._directory.child(aside))
        await forgotten
        await self._checkpoints.forget(name)  # again, if the disk was too full for it before
        await in_flusher(self._directory.remove_directory, aside)

    # --- timers

    def _flush_dirty(self) -> None:
        for log in self._logs.values():
            log.flush_soon()

    def _save_points(self) -> Deferred[None]:
        return self._checkpoints.save_points({str(tp): log.flushed.value for tp, log in self._logs.items()})

    def _apply_retention(self) -> Deferred[Any]:
        """By a clock that only this process's own time moves: a step of the wall clock deletes nothing."""
        wall, seconds = self._started
        now_ms = int((wall + self._clock.seconds() - seconds) * 1000)
        return DeferredList(
            [
                log.apply_retention(now_ms).addErrback(lambda failure: self._log.failure("retention failed", failure))
                for log in list(self._logs.values())
            ]
        )

    # --- stop

    def stopService(self) -> Deferred[None]:
        """Sync, mark, let go. Fires when the directory may be opened by another."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for loop in self._loops:
            loop.stop()
        logs, around = dict(self._logs), self._around
        await DeferredList([log.flush() for log in logs.values()], consumeErrors=True)
        await around.flusher.when_idle()
        # Its turn comes when the thread has done all that was asked of it: removals, checkpoints.
        await around.in_flusher(int)
        ends = {str(tp): log.close() for tp, log in logs.items()}
        around.open_segments.close()
        try:
            await self._save_points()
            if None in ends.values() or self._broken:
                self._log.error("not every log could be synced: the next start checks them")
                return
            clean_ends: dict[str, CleanEnd] = {name: end for name, end in ends.items() if end is not None}
            await around.in_flusher(leave_mark, self._directory, clean_ends)
        except OSError as error:
            self._log.error("the stop could not be marked clean: {error}", error=error)
