"""One partition's log: what it holds, and how it grows."""

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NoReturn

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.batch import CorruptBatch, EncodedBatch, check
from flux.envelope import MAX_BATCH_BYTES
from flux.errors import DiskFull, MessageTooLarge, OffsetOutOfRange, StorageError
from flux.interfaces import IFile, ILog
from flux.model import TopicPartition
from flux.storage.durability import Durability
from flux.storage.epoch_file import write_epochs
from flux.storage.epochs import EpochCache
from flux.storage.forgetting import Forgetting
from flux.storage.hints import write_hints
from flux.storage.opening import CleanEnd, Opened
from flux.storage.preallocation import preallocate
from flux.storage.reading import Reader
from flux.storage.segment import Segment
from flux.storage.segments import Segments
from flux.storage.settings import LogSettings
from flux.storage.space import DISK_FULL
from flux.storage.surroundings import Surroundings
from flux.storage.tail import Tail


@implementer(ILog)
class Log:
    """See :class:`~flux.interfaces.ILog`.

    *Actions*: :meth:`append` (synchronous: into the kernel's memory), :meth:`flush`, :meth:`truncate`, :meth:`move_start`.
    *Transitions*: ``end_offset`` moves with each append, ``promised`` and ``flushed`` when the flusher has been round. A failed sync is
    final: ``failure`` is set, everybody waiting is told, appends are refused until a restart; reads go on as far as the disk lets them.
    """

    def __init__(
        self, tp: TopicPartition, opened: Opened, settings: LogSettings, around: Surroundings, *, known: bool
    ) -> None:
        """*known*: the data directory durably knows the log's own directory."""
        self.tp = tp
        self.settings = settings
        self.retention_limit: Callable[[], int] = lambda: self.promised.value
        self._around = around
        self._directory = directory = opened.directory
        self._segments = Segments(
            directory,
            opened.closed,
            opened.active,
            opened.epochs,
            opened.start_offset,
            opened.end_offset,
            around.open_segments.index_interval,
            Tail(around.tails),
        )
        parent = None if known else around.directory
        self._durability = Durability(tp, directory, parent, self._segments, settings.fsync_mode, around.flusher)
        self.flushed, self.promised = self._durability.flushed, self._durability.promised
        self._reader = Reader(tp, self._segments, around.open_segments, around.in_reader)
        self._forgetting = Forgetting(tp, self._segments, self._durability, around)

    @property
    def start_offset(self) -> int:
        """The first offset it still holds."""
        return self._segments.start_offset

    @property
    def end_offset(self) -> int:
        """One past the last offset appended."""
        return self._segments.end_offset

    @property
    def last_epoch(self) -> int:
        """The leader epoch of the last stretch, -1 if nothing was ever written."""
        return self._segments.epochs.latest

    @property
    def failure(self) -> StorageError | None:
        """Why nothing more is written, once a sync or a write has failed for good."""
        return self._durability.failure

    @property
    def size_bytes(self) -> int:
        """Bytes in its segments."""
        return self._segments.size_bytes

    # --- writing

    def append(self, batch: EncodedBatch, leader_epoch: int) -> int:
        """See :class:`~flux.interfaces.ILog`."""
        if batch.size > MAX_BATCH_BYTES:  # it would be written, acknowledged, and taken for damage by whoever reads it
            raise MessageTooLarge(
                f"{self.tp}: a batch of {batch.count} records and {batch.size} bytes; a log takes {MAX_BATCH_BYTES} at once"
            )
        segments = self._segments
        base = segments.end_offset
        if leader_epoch != segments.epochs.latest:
            self._begin_epoch(leader_epoch, base)
        prefix = batch.prefix(base, leader_epoch)
        self._write(base, base + batch.count, batch.max_timestamp_ms, batch.size, prefix, batch.body)
        return base

    def append_as_follower(self, data: bytes) -> int:
        """See :class:`~flux.interfaces.ILog`."""
        segments, position = self._segments, 0
        while position < len(data):
            try:
                header = check(data, position)
            except CorruptBatch as error:
                raise StorageError(f"{self.tp}: what the leader sent is damaged: {error}") from error
            base = header.base_offset
            if base < segments.end_offset:
                raise StorageError(f"{self.tp}: a batch with offset {base} came, the log ends at {segments.end_offset}")
            if header.leader_epoch != segments.epochs.latest:
                self._begin_epoch(header.leader_epoch, base)
            whole = data[position : position + header.length]
            self._write(base, header.next_offset, header.max_timestamp_ms, header.length, whole)
            position += header.length
        return segments.end_offset

    def begin_epoch(self, leader_epoch: int) -> None:
        """See :class:`~flux.interfaces.ILog`."""
        self._begin_epoch(leader_epoch, self._segments.end_offset)

    def _begin_epoch(self, leader_epoch: int, offset: int) -> None:
        self._must_take_writes()
        epochs = EpochCache(self._segments.epochs.entries)
        try:
            if not epochs.assign(leader_epoch, offset):
                return
        except ValueError as error:
            raise StorageError(f"{self.tp}: {error}") from error
        try:
            write_epochs(self._directory, epochs)  # first: a batch of an epoch that is not there counts as damaged
        except OSError as error:
            raise self._refused(error) from error
        self._segments.epochs = epochs
        self._durability.epochs_changed()

    def _write(self, base: int, next_offset: int, max_timestamp_ms: int, size: int, *chunks: bytes) -> None:
        self._must_take_writes()
        segments = self._segments
        try:
            if segments.must_roll(self.settings, base, next_offset, size, max_timestamp_ms):
                segments.roll(base)
                self._durability.rolled()
            active = segments.hot[-1]
            position = active.file.append(*chunks)
        except OSError as error:
            raise self._refused(error) from error
        active.note(base, next_offset, position, max_timestamp_ms)
        segments.end_offset = next_offset
        segments.tail.append(base, next_offset, size, chunks)
        self._durability.appended(size, self.settings.flush_bytes)
        if self.settings.preallocate_bytes and active.file.size == active.file.ready and active.preallocates:
            self._preallocate(active)

    def _preallocate(self, active: Segment) -> None:
        try:
            preallocate(active.file, self.settings.preallocate_bytes, self.settings.segment_bytes)
        except OSError as error:
            active.preallocates = False  # no room, as a rule: then for records only
            if error.errno == errno.EIO:
                self._durability.fail(error)

    def _must_take_writes(self) -> None:
        if self._durability.failure is not None:
            # One instance, raised often: it would collect every raiser's frames.
            raise self._durability.failure.with_traceback(None)
        if self._segments.frozen:
            raise StorageError(f"{self.tp} is being truncated")
        if self._around.space.low:
            raise DiskFull(f"{self.tp}: the broker's disk is nearly full; make room there and send it again")

    def _refused(self, error: OSError) -> StorageError:
        """Nothing was kept. A full disk passes; a file that could not even be cut back does not."""
        if error.errno in DISK_FULL:
            self._around.space.exhausted()
            refusal = self._around.refusals.told(self.tp, f"{self.tp}: the write found no room", error)
            return DiskFull(f"{refusal}; make room on the broker's disk and send it again")
        if error.errno == errno.EIO:
            return self._durability.fail(error)
        return StorageError(self._around.refusals.told(self.tp, f"{self.tp}: the disk refused the write", error))

    def flush(self) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._durability.flush()

    def flush_soon(self) -> None:
        """Let the next round take along what is not durable yet."""
        if self._durability.dirty and self.failure is None:
            self._around.flusher.want(self._durability)

    # --- reading

    def read(self, offset: int, max_bytes: int, end: int) -> Deferred[bytes]:
        """See :class:`~flux.interfaces.ILog`."""
        if not self.start_offset <= offset <= self.end_offset:
            return fail(self._out_of_range(offset))
        if data := self.read_newest(offset, max_bytes, end):
            return succeed(data)
        return self._reader.read(offset, max_bytes, end).addErrback(self._unreadable, offset)

    def read_newest(self, offset: int, max_bytes: int, end: int) -> bytes:
        """See :class:`~flux.interfaces.ILog`."""
        segments = self._segments
        return segments.tail.read(offset, max_bytes, end) if offset >= segments.start_offset else b""

    def scan(self, offset: int) -> Iterator[bytes]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._reader.scan(max(offset, self.start_offset), self.end_offset)

    def offset_for(self, timestamp_ms: int) -> Deferred[tuple[int, int] | None]:
        """See :class:`~flux.interfaces.ILog`."""
        start = self.start_offset
        return self._reader.offset_for(timestamp_ms, start).addErrback(self._unreadable, start)

    def _unreadable(self, failure: Failure, offset: int) -> NoReturn:
        failure.trap(OSError)
        error = failure.value
        assert isinstance(error, OSError)
        if offset < self.start_offset:
            raise self._out_of_range(offset)  # retention was faster
        what = f"{self.tp}: offset {offset} cannot be read"
        raise StorageError(self._around.refusals.told(self.tp, what, error)) from error

    def _out_of_range(self, offset: int) -> OffsetOutOfRange:
        return OffsetOutOfRange(
            f"offset: {offset} is not in {self.tp}, which holds {self.start_offset} to {self.end_offset} (exclusive); "
            f"use one of these, or reset=earliest or reset=latest"
        )

    def end_offset_for_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._segments.epochs.end_of(leader_epoch, self.end_offset)

    # --- forgetting

    def move_start(self, offset: int) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._forgetting.move_start(offset)

    def truncate(self, offset: int) -> Deferred[None]:
        """See :class:`~flux.interfaces.ILog`."""
        return self._forgetting.truncate(offset)

    def apply_retention(self, now_ms: int) -> Deferred[None]:
        """Close the active segment if it is old, forget the closed ones that the settings do not keep; fire when that is durable."""
        limit = self.retention_limit()
        return Deferred.fromCoroutine(self._forgetting.apply_retention(self.settings, now_ms, limit))

    # --- stopping

    def retire(self, reason: Exception) -> list[IFile]:
        """The log is being deleted: whoever waits is told *reason*. The files are the caller's to close, when no round uses them."""
        self._durability.end(StorageError(str(reason)), reason)
        self._segments.tail.clear()
        return [segment.file for segment in self._segments.hot]

    def close(self) -> CleanEnd | None:
        """Put the indexes in place and let go of the files; where it ended, or None if that is not certain."""
        active = self._segments.active
        self._segments.tail.clear()
        certain = self.failure is None and self._durability.settled
        if certain:
            active.seal()
            with suppress(OSError):  # then the next start reads the segment
                active.file.trim()
            write_hints(self._directory, active, closed=False)
        for segment in self._segments.hot:
            segment.file.close()
        return CleanEnd(self.end_offset, active.base_offset, active.file.size) if certain else None
