"""A directory becomes a log again: at once after a clean stop, else checked from the recovery point on.

What is found is decided so. Invalid bytes at the end of the last segment are a *torn tail*: they are cut off. Invalid bytes with valid
batches after them, or in an earlier segment, are *damage*: they stay where they are as evidence, the offsets they held are a gap, and
nothing after them is lost. Either is reported; zeros that were ready to be written over are neither, and are cut off. No offset is ever
given twice: the log goes on after whatever offset may have been given, in a new file if that leaves a gap.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.checking import Checker
from flux.storage.closed import ClosedSegment
from flux.storage.epoch_file import EPOCHS, discard_epochs, read_epochs, sync_epochs, write_epochs
from flux.storage.epochs import EpochCache
from flux.storage.gaps import Gaps, Loss
from flux.storage.hints import adopt_indexes, read_digest, write_hints
from flux.storage.index import BadIndex
from flux.storage.recovery import NO_LIMIT, Damage, claimed_end, given_in
from flux.storage.removal import Files, remove_segment, tidy
from flux.storage.segment import Segment, file_name
from flux.storage.segments import rolling_name
from flux.storage.space import DISK_FULL


class CleanEnd(NamedTuple):
    """What the clean-shutdown mark says of a log: where it ended, in offsets and in bytes of its last segment."""

    end_offset: int
    base_offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A log's state, ready to go on. ``active`` is its last segment."""

    directory: IDirectory
    active: Segment
    start_offset: int
    end_offset: int
    closed: list[ClosedSegment]
    epochs: EpochCache
    losses: list[Loss]
    scanned_bytes: int


def open_log(
    directory: IDirectory,
    *,
    index_interval: int,
    start_offset: int | None,
    recovery_point: int,
    clean: CleanEnd | None,
    trust_clean: bool,
) -> Opened:
    """Open or create the log in *directory*.

    *start_offset* and *recovery_point* are what the checkpoints say; *clean* is the mark of the last clean stop if there is one, and
    *trust_clean* whether nothing happened since. :raises OSError: the disk failed; the log cannot be used.
    """
    created = directory.make()
    files = tidy(directory)
    start, clean_end = start_offset or 0, clean.end_offset if clean else 0
    opening = _Opening(directory, index_interval, files, start, recovery_point, max(recovery_point, clean_end))
    try:
        return opening.open(clean if trust_clean else None, created)
    except BaseException:
        opening.let_go()
        raise


class _Opening:
    """The steps of :func:`open_log` and what they know so far; ``_next`` is the offset that is due.

    *given* is one past the last offset that is known to have been given to a record.
    """

    def __init__(
        self, directory: IDirectory, index_interval: int, files: Files, start: int, recovery_point: int, given: int
    ) -> None:
        self._directory = directory
        self._interval = index_interval
        self._files = files
        self._start = start
        self._given = given
        self._gaps = Gaps(directory, start)
        self._epochs = self._read_epochs()
        self._trusted = 0 if self._epochs is None else recovery_point  # below it segments need not be read again
        self._checker = Checker(directory, index_interval, self._epochs, self._gaps)
        self._closed: list[ClosedSegment] = []
        self._active: Segment | None = None
        self._tail: Damage | None = None  # of the active segment
        self._sound = True  # but for that, the active segment is
        self._next = 0

    def open(self, clean: CleanEnd | None, created: bool) -> Opened:
        bases, rolling = self._files.bases, self._files.rolling
        if clean is not None and (rolling or self._epochs is None or bases[-1:] != [clean.base_offset]):
            clean = None
        if clean is not None:
            self._trusted = clean.end_offset
        self._next = bases[0] if bases else self._start
        if self._next > self._start:
            self._missing(self._start, "the first segment is missing")
        for base, after in zip_longest(bases, bases[1:]):
            self._pass_to(base)
            if after is not None:
                self._take_closed(base, after)
            elif clean is None or not self._take_clean(clean):
                clean = None
                self._check(base)
        for base, follows in rolling:
            self._take_rolling(base, follows)
        sound_end = self._next
        self._remove_forgotten()
        self._go_on_after_what_was_given()
        active = self._last_segment()
        epochs = self._checker.epochs
        if clean is None and not created:
            epochs.cut_end(sound_end)
            self._keep_epochs(epochs)  # also where no segment is left: what lies there is another history's
            self._directory.sync()
        first = self._closed[0].base_offset if self._closed else active.base_offset
        start = min(max(self._start, first), self._next)
        scanned, losses = self._checker.scanned_bytes, self._gaps.losses
        return Opened(self._directory, active, start, self._next, self._closed, epochs, losses, scanned)

    def let_go(self) -> None:
        """Close what is open."""
        if self._active is not None:
            self._active.file.close()

    def _read_epochs(self) -> EpochCache | None:
        """The epoch cache; None if it must be rebuilt from the batches."""
        if not self._files.bases and not self._files.rolling:
            return EpochCache()
        try:
            return read_epochs(self._directory)
        except (ValueError, IndexError) as error:
            self._gaps.losses.append(Loss(EPOCHS, 0, 0, 0, 0, f"rebuilt from the batches: {error}"))
            return None

    def _keep_epochs(self, epochs: EpochCache) -> None:
        """Durably: what a killed process left may not be."""
        try:
            write_epochs(self._directory, epochs)
            sync_epochs(self._directory)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            discard_epochs(self._directory)

    # --- one segment after the other

    def _pass_to(self, base: int) -> None:
        """The next segment begins at *base*."""
        if base > self._next:
            first, self._next = self._next, base
            self._missing(first, "the records before this segment are missing")

    def _missing(self, first: int, why: str) -> None:
        """Offsets from *first* on are not there, up to the one due now."""
        first = max(first, self._start)
        if first < self._next:
            self._gaps.note(Loss(file_name(self._next), 0, 0, first, self._next, why))

    def _take_closed(self, base: int, after: int) -> None:
        """Closed, and the next one begins at *after*."""
        digest = read_digest(self._directory, base) if after <= self._trusted and base >= self._next else None
        if digest is not None and digest.size_bytes == self._files.sizes[base] and base < digest.next_offset <= after:
            self._closed.append(ClosedSegment(base, digest.next_offset, digest.size_bytes, digest.max_timestamp_ms))
            self._next = digest.next_offset
            return
        self._check(base, after)
        if self._tail is not None:
            self._gaps.note(Loss.of(base, self._tail, max(after, self._next), "damaged, passed over"))
            self._next = max(after, self._next)
        self._close_active()

    def _take_clean(self, clean: CleanEnd) -> bool:
        """Believe the mark, if the last segment and what lies beside it are as it says."""
        base = clean.base_offset
        if self._files.sizes[base] != clean.size_bytes or self._next != base:
            return False
        segment = Segment(base, self._directory.open(file_name(base)), self._interval)
        try:
            adopt_indexes(self._directory, segment, clean.end_offset)
        except BadIndex:
            segment.file.close()
            return False
        except BaseException:
            segment.file.close()
            raise
        self._active, self._next = segment, clean.end_offset
        return True

    def _check(self, base: int, limit: int = NO_LIMIT) -> None:
        self._active, self._tail, self._sound = self._checker.check(base, self._next, limit)
        self._next = self._active.next_offset

    def _close_active(self) -> None:
        segment = self._active
        assert segment is not None
        segment.seal()
        if self._sound and self._tail is None:
            write_hints(self._directory, segment, closed=True)
        size = segment.file.size
        self._closed.append(ClosedSegment(segment.base_offset, segment.next_offset, size, segment.max_timestamp_ms))
        segment.file.close()
        self._active = self._tail = None

    def _take_rolling(self, base: int, follows: int) -> None:
        """It goes on where the one before ends, or that one did not become durable: then nothing in this one was promised."""
        name = rolling_name(base, follows)
        if self._active is not None and follows == self._next:
            if self._tail is not None:  # left by a write that failed and was cut back: what came next is in this file
                self._gaps.note(Loss.of(self._active.base_offset, self._tail, self._next, "torn tail, cut"))
            self._cut_tail()
            self._close_active()
            self._directory.rename(name, file_name(base))
            self._pass_to(base)
            self._check(base)
            return
        file = self._directory.open(name)
        try:
            given = given_in(file, base)
        finally:
            file.close()
        why = "written after a segment that did not become durable"
        self._gaps.losses.append(Loss(name, 0, file.size, base, given, why))
        self._given = max(self._given, given)
        self._directory.remove(name)

    # --- the end

    def _cut_tail(self) -> None:
        if self._active is not None and self._tail is not None:
            self._active.file.truncate(self._tail.position)
            self._active.file.datasync()
            self._tail = None

    def _remove_forgotten(self) -> None:
        """What a crash kept from being removed. Not if the start is beyond the end: then the end is missing, or this is not our start."""
        while self._closed and self._closed[0].base_offset < self._start and self._start <= self._next:
            if self._closed[0].next_offset > self._start:
                return
            remove_segment(self._directory, self._closed.pop(0).base_offset)

    def _go_on_after_what_was_given(self) -> None:
        """Pass over the offsets that may have been given to records now missing; before anything is cut, and durably."""
        if self._active is not None and self._tail is not None:
            claimed = claimed_end(self._active.file, self._tail)
            self._gaps.note(Loss.of(self._active.base_offset, self._tail, claimed, "torn tail, cut"))
            self._next = max(self._next, claimed)
        self._next = self._gaps.after(self._next)
        floor = max(self._start, self._given)
        if self._next < floor:
            first, self._next = self._next, floor
            why = "records that were there before are missing at the end"
            self._gaps.note(Loss("", 0, 0, first, floor, why))  # also below the start: it may not be this log's
        if self._gaps.saved:
            self._cut_tail()

    def _last_segment(self) -> Segment:
        """The one to append to: where offsets jump, a new one."""
        if self._active is not None and self._active.next_offset != self._next:
            self._close_active()
        if self._active is None:
            self._active = Segment(self._next, self._directory.create(file_name(self._next)), self._interval)
        return self._active
