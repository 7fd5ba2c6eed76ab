"""One partition's log: what it holds, and how it grows."""

import errno
from collections.abc import Callable, Iterator
from typing import NamedTuple

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from flux.batch import EncodedBatch, check
from flux.errors import DiskFull, OffsetOutOfRange, StorageError
from flux.interfaces import IDirectory, IFile, ILog, InThread
from flux.model import FsyncMode, TopicPartition
from flux.storage.closed import OpenSegments, write_indexes
from flux.storage.flusher import Flusher
from flux.storage.opening import CleanEnd, Opened, remove_segment
from flux.storage.retention import Closed, new_start
from flux.storage.segment import MAX_RELATIVE, Segment
from flux.storage.segments import Segments
from flux.storage.settings import LogSettings
from flux.storage.space import Space
from flux.storage.syncing import LogSync, write_epochs_unsynced
from flux.storage.truncation import cut_files
from flux.watermark import Watermark

_SOFT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Surroundings(NamedTuple):
    """What all logs of a data directory share."""

    flusher: Flusher
    in_flusher: InThread
    in_reader: InThread
    space: Space
    open_segments: OpenSegments
    save_start: Callable[[TopicPartition, int], Deferred[None]]


@implementer(ILog)
class Log:
    """See :class:`~flux.interfaces.ILog`.

    *Actions*: :meth:`append` (synchronous: into the kernel's memory), :meth:`flush`, :meth:`truncate`, :meth:`move_start`.
    *Transitions*: ``end_offset`` moves with each append, ``promised`` and ``flushed`` when the flusher has been round. A failed sync is
    final: ``failure`` is set, everybody waiting is told, appends are refused until a restart; reads go on.
    """

    _log = Logger()

    def __init__(
        self, tp: TopicPartition, opened: Opened, parent: IDirectory, settings: LogSettings, around: Surroundings
    ) -> None:
        self.tp = tp
        self.settings = settings
        self.start_offset = opened.start_offset
        self.end_offset = opened.end_offset
        self.failure: StorageError | None = None
        self.retention_limit: Callable[[], int] = lambda: self.promised.value
        self.flushed = Watermark(opened.end_offset)
        self.promised = self.flushed if settings.fsync_mode is FsyncMode.ALWAYS else Watermark(opened.end_offset)
        self._directory = opened.directory
        self._unsynced_parent: IDirectory | None = parent if opened.fresh else None
        self._around = around
        self._segments = Segments(tp, opened, around.open_segments)
        self._unsynced_bytes = 0
        self._epochs = opened.epochs
        self._epochs_unsynced = False
        self._truncating = False

    @property
    def size_bytes(self) -> int:
        """Bytes in its segments."""
        return self._segments.size_bytes

    # --- writing

    def append(self, batch: EncodedBatch, leader_epoch: int) -> int:
        """See :class:`~flux.interfaces.ILog`."""
        base = self.end_offset
        if leader_epoch != self._epochs.latest:
            self.begin_epoch(leader_epoch)
        prefix = batch.prefix(base, leader_epoch)
        self._write(base, base + batch.count, batch.max_timestamp_ms, batch.size, prefix, batch.body)
        return base

    def append_as_follower(self, data: bytes) -> int:
        """See :class:`~flux.interfaces.ILog`."""
        position = 0
        while position < len(data):
            header = check(data, position)
            base = header.base_offset
            if base < self.end_offset:
                raise StorageError(f"{self.tp}: a batch with offset {base} came, the log ends at {self.end_offset}")
            if base > self.end_offset:
                self._segments.jumps.add((self.end_offset, base))
                self.end_offset = base
            if header.leader_epoch != self._epochs.latest:
                self.begin_epoch(header.leader_epoch)
            whole = data[position : position + header.length]
            self._write(base, header.next_offset, header.max_timestamp_ms, header.length, whole)
            position += header.length
        return self.end_offset

    def begin_epoch(self, leader_epoch: int) -> None:
        """See :class:`~flux.interfaces.ILog`."""
        if self._epochs.assign(leader_epoch, self.end_offset):
            self._epochs_unsynced = True
            try:
                write_epochs_unsynced(self._directory, self._epochs)
            except OSError as error:
                raise self._refused(error) from error

    def _write(self, base: int, next_offset: int, max_timestamp_ms: int, size: int, *chunks: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        if self._truncating:
            raise StorageError(f"{self.tp} is being truncated")
        if self._around.space.low:
            raise DiskFull(f"{self.tp}: the disk under {self._directory.path} is nearly full; make room and send it again")
        active = self._segments.active
        try:
            if self._must_roll(active, size, next_offset, max_timestamp_ms):
                active = self._segments.roll(base)
                self._around.flusher.want(self)
            position = active.file.append(*chunks)
        except OSError as error:
            raise self._refused(error) from error
        active.note(base, next_offset, position, max_timestamp_ms)
        self.end_offset = next_offset
        self._unsynced_bytes += size
        if self.promised is self.flushed:
            self._around.flusher.want(self)
        else:
            if self.settings.fsync_mode is FsyncMode.INTERVAL and self._unsynced_bytes >= self.settings.flush_bytes:
                self._around.flusher.want(self)
            self.promised.advance(next_offset)

    def _refused(self, error: OSError) -> StorageError:
        """Nothing was kept. A full disk passes; a file that could not even be cut back does not."""
        if error.errno in _SOFT:
            self._around.space.exhausted()
            return DiskFull(f"{self.tp}: {error.strerror}; make room under {self._directory.path} and send it again")
        if error.errno == errno.EIO:
            return self._fail(error)
        return StorageError(f"{self.tp}: the disk refused the write: {error}")

    def _must_roll(self, active: Segment, size: int, next_offset: int, max_timestamp_ms: int) -> bool:
        if not active.file.size:
            return False
        first = active.first_timestamp_ms
        return (
            active.file.size + size > self.settings.segment_bytes
            or next_offset - active.base_offset > MAX_RELATIVE
            or (first is not None and max_timestamp_ms - first >= self.settings.segment_ms)
        )

    # --- durability

    def flush(self) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        if self.dirty:
            self._around.flusher.want(self)
        return self.flushed.reach(self.end_offset).addCallback(lambda _: None)

    @property
    def dirty(self) -> bool:
        """Whether anything is not yet durable."""
        return self.flushed.value < self.end_offset or len(self._segments.hot) > 1 or self._epochs_unsynced

    def begin_sync(self) -> LogSync | None:
        """See :class:`~flux.storage.flusher.Dirty`."""
        if self.failure is not None or not self.dirty or self._truncating:
            return None
        epochs = self._epochs.to_bytes() if self._epochs_unsynced else None
        self._epochs_unsynced = False
        self._unsynced_bytes = 0
        return LogSync(
            self._directory,
            self._unsynced_parent,
            list(self._segments.hot),
            list(self._segments.rolling),
            epochs,
            self.end_offset,
            self._synced,
        )

    def _synced(self, sync: LogSync, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        self._unsynced_parent = None
        self._segments.settle(sync.chain[:-1], sync.rolling)
        self.flushed.advance(sync.end_offset)

    def _fail(self, error: BaseException) -> StorageError:
        failure = StorageError(
            f"{self.tp}: the disk failed ({error}); what was not acknowledged may be lost, and nothing more is written "
            f"until the broker is restarted"
        )
        self._log.critical("{tp} failed and is read-only from now on: {error}", tp=self.tp, error=error)
        self.failure = failure
        self.flushed.fail(failure)
        self.promised.fail(failure)
        return failure

    # --- reading

    def read(self, offset: int, max_bytes: int, end: int) -> Deferred[bytes]:
        """See :class:`~flux.interfaces.ILog`."""
        if not self.start_offset <= offset <= self.end_offset:
            return fail(self.out_of_range(offset))
        try:
            if offset >= self._segments.hot[0].base_offset:
                return succeed(self._segments.read_hot(offset, max_bytes, end))
        except OSError as error:
            return fail(StorageError(f"{self.tp}: offset {offset} cannot be read: {error}"))
        return Deferred.fromCoroutine(self._read_closed(offset, max_bytes, end))

    async def _read_closed(self, offset: int, max_bytes: int, end: int) -> bytes:
        for closed in [segment for segment in self._segments.closed if segment.next_offset > offset]:
            try:
                data = await self._around.in_reader(self._segments.read_closed, closed, offset, max_bytes, end)
            except OSError as error:
                if offset < self.start_offset:
                    raise self.out_of_range(offset) from error  # retention was faster
                raise StorageError(f"{self.tp}: offset {offset} cannot be read: {error}") from error
            if data or closed.next_offset >= end:
                return data
        return self._segments.read_hot(max(offset, self._segments.hot[0].base_offset), max_bytes, end)

    def out_of_range(self, offset: int) -> OffsetOutOfRange:
        """The error for *offset*, naming both ends."""
        return OffsetOutOfRange(
            f"offset: {offset} is not in {self.tp}, which holds {self.start_offset} to {self.end_offset} (exclusive); "
            f"use one of these, or reset=earliest or reset=latest"
        )

    def scan(self, offset: int) -> Iterator[bytes]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._segments.everything(max(offset, self.start_offset), self.end_offset)

    def offset_for(self, timestamp_ms: int) -> Deferred[tuple[int, int] | None]:
        """See :class:`~flux.interfaces.ILog`."""
        return Deferred.fromCoroutine(self._offset_for(timestamp_ms))

    async def _offset_for(self, timestamp_ms: int) -> tuple[int, int] | None:
        for closed in [segment for segment in self._segments.closed if segment.max_timestamp_ms >= timestamp_ms]:
            find = self._segments.first_since_closed
            found = await self._around.in_reader(find, closed, timestamp_ms, self.start_offset)
            if found is not None:
                return found
        for segment in self._segments.hot:
            if segment.max_timestamp_ms >= timestamp_ms:
                found = self._segments.first_since(segment, timestamp_ms, self.start_offset)
                if found is not None:
                    return found
        return None

    def end_offset_for_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._epochs.end_of(leader_epoch, self.end_offset)

    @property
    def last_epoch(self) -> int:
        """The leader epoch of the last stretch, -1 if nothing was ever written."""
        return self._epochs.latest

    # --- forgetting

    def move_start(self, offset: int) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        return Deferred.fromCoroutine(self._move_start(min(offset, self.end_offset)))

    async def _move_start(self, offset: int) -> None:
        if offset <= self.start_offset:
            return
        await self._around.save_start(self.tp, offset)  # first of all: a crash must not bring back what was forgotten
        self.start_offset = max(offset, self.start_offset)
        self._epochs.cut_start(self.start_offset)
        for gone in self._segments.forget(self.start_offset):
            await self._around.in_flusher(remove_segment, self._directory, gone.base_offset)

    def apply_retention(self, now_ms: int) -> Deferred[None]:
        """Forget the closed segments that the settings do not keep; fire when that is durable."""
        closed = [Closed(s.next_offset, s.size_bytes, s.max_timestamp_ms) for s in self._segments.closed]
        hot_bytes = sum(segment.file.size for segment in self._segments.hot)
        keep = self.settings
        start = new_start(closed, hot_bytes, now_ms, keep.retention_ms, keep.retention_bytes, self.retention_limit())
        if start is None:
            return succeed(None)
        self._log.info("{tp}: retention moves the log start to {offset}", tp=self.tp, offset=start)
        return self.move_start(start)

    def roll_if_old(self, now_ms: int) -> None:
        """Close the active segment if its first record is older than ``segment.ms``, so that retention can have it."""
        active = self._segments.active
        if self.failure is None and self._must_roll(active, 0, active.next_offset, now_ms):
            self._segments.roll(self.end_offset)
            self._around.flusher.want(self)

    def truncate(self, offset: int) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        return Deferred.fromCoroutine(self._truncate(offset))

    async def _truncate(self, offset: int) -> None:
        if offset >= self.end_offset:
            return
        await self.flush()  # so that nothing is hot but the active segment, and no round touches it
        self._truncating = True
        try:
            await self._around.in_reader(self._around.open_segments.drop, self._directory.path)
            end = await self._around.in_flusher(cut_files, self._segments, self._epochs, offset)
        except OSError as error:
            raise self._fail(error) from error
        finally:
            self._truncating = False
        self.end_offset = end
        self.start_offset = min(self.start_offset, end)
        self.flushed.lower(end)
        self.promised.lower(end)

    # --- stopping

    def retire(self, reason: Exception) -> list[IFile]:
        """The log is being deleted: whoever waits is told *reason*. The files are the caller's to close, when no round uses them."""
        self.failure = StorageError(str(reason))
        self.flushed.fail(reason)
        self.promised.fail(reason)
        return [segment.file for segment in self._segments.hot]

    def close(self) -> CleanEnd | None:
        """Put the indexes in place and let go of the files; where it ended, or None if that is not certain."""
        active = self._segments.active
        certain = self.failure is None and not self.dirty
        if certain:
            active.seal()
            write_indexes(self._directory, active)
        for segment in self._segments.hot:
            segment.file.close()
        return CleanEnd(self.end_offset, active.base_offset, active.file.size) if certain else None
