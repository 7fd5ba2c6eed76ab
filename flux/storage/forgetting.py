"""How a log becomes shorter: at its start, by order or by retention, and at its end, when its leader's history is another."""

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from flux.errors import StorageError
from flux.model import TopicPartition
from flux.storage.closed import ClosedSegment
from flux.storage.durability import Durability
from flux.storage.removal import remove_segment
from flux.storage.retention import new_start
from flux.storage.segments import Segments
from flux.storage.settings import LogSettings
from flux.storage.surroundings import Surroundings
from flux.storage.truncation import batch_end_before, cut_files


class Forgetting:
    """Checkpoints first, then files: a crash in between must not bring back what was forgotten. One order at a time."""

    _log = Logger()

    def __init__(self, tp: TopicPartition, segments: Segments, durability: Durability, around: Surroundings) -> None:
        self._tp = tp
        self._segments = segments
        self._durability = durability
        self._around = around
        self._one_at_a_time = DeferredLock()

    def move_start(self, offset: int) -> Deferred[None]:
        """Forget everything below *offset*. Fails with :class:`~flux.errors.StorageError` if that could not be saved."""
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._move_start(offset)))

    async def _move_start(self, offset: int) -> None:
        segments, around = self._segments, self._around
        offset = min(offset, segments.end_offset)
        if offset <= segments.start_offset:
            return
        if self._durability.failure is not None:
            raise self._durability.failure
        try:
            await around.checkpoints.save_start(str(self._tp), offset)
        except OSError as error:
            what = f"{self._tp}: that the log starts at {offset} could not be saved"
            raise StorageError(around.refusals.told(self._tp, what, error)) from error
        gone = segments.forget(offset)
        if gone:
            await around.in_reader(around.open_segments.drop, segments.directory.path, offset)
            await around.in_flusher(self._remove, gone)

    def _remove(self, gone: list[ClosedSegment]) -> None:
        """Oldest first, so that no hole opens. What stays is removed at the next start."""
        try:
            for segment in gone:
                remove_segment(self._segments.directory, segment.base_offset)
        except OSError as error:
            self._log.error("{tp}: forgotten segments were not removed: {error}", tp=self._tp, error=error)

    async def apply_retention(self, settings: LogSettings, now_ms: int, limit: int) -> None:
        """Close the active segment if it is old, and forget the closed ones that *settings* do not keep, none of them above *limit*.

        :raises StorageError: the new start could not be saved. :raises OSError: the disk refused a new segment; nothing changed.
        """
        self._roll_if_old(settings, now_ms)
        hot_bytes = sum(segment.file.size for segment in self._segments.hot)
        start = new_start(
            self._segments.closed, hot_bytes, now_ms, settings.retention_ms, settings.retention_bytes, limit
        )
        if start is not None and self._durability.failure is None:
            self._log.info("{tp}: retention moves the log start to {offset}", tp=self._tp, offset=start)
            await self.move_start(start)

    def _roll_if_old(self, settings: LogSettings, now_ms: int) -> None:
        """A first record older than ``segment.ms``: so that retention can have it in the end."""
        segments, end = self._segments, self._segments.end_offset
        if self._durability.failure is not None or segments.frozen:
            return
        if segments.must_roll(settings, end, end, 0, now_ms):
            segments.roll(end)
            self._durability.rolled()

    def truncate(self, offset: int) -> Deferred[None]:
        """Forget everything from *offset* on. Fails with :class:`~flux.errors.StorageError`: not done, or the disk failed on the way."""
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._truncate(offset)))

    async def _truncate(self, offset: int) -> None:
        segments = self._segments
        if offset >= segments.end_offset:
            return
        if self._durability.failure is not None:
            raise self._durability.failure
        segments.frozen = True
        try:
            await self._durability.flush()  # so that nothing is hot but the active segment, and no round touches it
            self._durability.hold(offset)  # so that no timer saves a recovery point above it
            try:
                await self._cut(offset)
            finally:
                self._durability.let_go()
        finally:
            segments.frozen = False

    async def _cut(self, offset: int) -> None:
        around, segments = self._around, self._segments
        directory, closed, base = segments.directory, segments.closed, segments.active.base_offset
        bases = [*(segment.base_offset for segment in closed), base]
        try:
            # Where it will really end: of a recovery point above that the next start would think that something is lost.
            end = await around.in_flusher(batch_end_before, directory, bases, offset)
            self._durability.lower(end)
            await around.checkpoints.lower(str(self._tp), end)
        except OSError as error:
            what = f"{self._tp}: it was not truncated, a checkpoint could not be lowered"
            raise StorageError(around.refusals.told(self._tp, what, error)) from error
        interval = around.open_segments.index_interval
        try:
            left = await around.in_flusher(cut_files, directory, closed, base, segments.epochs, end, interval)
        except OSError as error:
            raise self._durability.fail(error) from error
        segments.replace(left)
        await around.in_reader(around.open_segments.drop, directory.path)
