"""A directory becomes a log again: at once after a clean stop, else checked from the recovery point on.

What is found is decided so. Invalid bytes at the end of the last segment are a *torn tail*: they are cut off. Invalid bytes with valid
batches after them, or in an earlier segment, are *damage*: they stay where they are as evidence, the offsets they held are noted
as a gap (``gaps.json``) and passed over, and nothing after them is lost. Either is reported. No offset is ever given twice: the
log goes on after whatever offset may have been handed out.
"""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from flux.interfaces import IDirectory
from flux.storage.checkpoint import read_file, replace_file
from flux.storage.closed import ClosedSegment, load
from flux.storage.epochs import EpochCache
from flux.storage.recovery import Damage, Sound, claimed_end, scan
from flux.storage.segment import DIGEST, INDEX, LOG, TIME_INDEX, Jump, Segment, file_name

ROLLING = LOG + ".rolling"  # a segment whose predecessor may not be durable yet
DELETED = ".deleted"
EPOCHS = "leader-epoch-checkpoint"
GAPS = "gaps.json"
_DIGITS = 20


class CleanEnd(NamedTuple):
    """What the clean-shutdown mark says of a log: where it ended, in offsets and in bytes of its last segment."""

    end_offset: int
    base_offset: int
    size_bytes: int


class Loss(NamedTuple):
    """Something that is not there any more: offsets *first* to *next* - 1, and *size_bytes* bytes at *position* of *file*."""

    file: str
    position: int
    size_bytes: int
    first: int
    next: int
    why: str


@dataclass(slots=True)
class Opened:
    """A log's state, ready to go on. ``active`` is its last segment; ``fresh`` if its file was just created and never synced."""

    directory: IDirectory
    active: Segment
    start_offset: int
    end_offset: int
    closed: list[ClosedSegment]
    epochs: EpochCache
    jumps: set[Jump]
    fresh: bool
    losses: list[Loss] = field(default_factory=list)
    scanned_bytes: int = 0


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
    return _Opening(directory, index_interval, start_offset, recovery_point, clean).open(trust_clean, created)


class _Opening:
    """The steps of :func:`open_log` and what they know so far; ``_next`` is the offset that is due."""

    def __init__(
        self, directory: IDirectory, index_interval: int, start: int | None, recovery_point: int, clean: CleanEnd | None
    ) -> None:
        self._directory = directory
        self._interval = index_interval
        self._start = start
        self._recovery_point = recovery_point
        self._clean = clean
        self._closed: list[ClosedSegment] = []
        self._losses: list[Loss] = []
        self._scanned = 0
        self._next = 0
        self._sound_end = 0  # one past the last record that was read from the last segment checked
        self._given = 0  # one past the last offset known to have been given

    def open(self, trust_clean: bool, created: bool) -> Opened:
        bases, rolling = self._tidy()
        self._epochs, self._epochs_known = self._load_epochs(bool(bases))
        self._jumps = self._load_gaps()
        active = self._open_clean(bases) if trust_clean and self._epochs_known and not rolling else None
        if active is None:
            active = self._recover(bases, rolling)
            self._go_on_after_what_was_given()
            if not created:
                self._epochs.cut_end(self._next)
                if not self._epochs_known:
                    replace_file(self._directory, EPOCHS, self._epochs.to_bytes())
                self._directory.sync()
        start = max(self._start or 0, self._closed[0].base_offset if self._closed else active.base_offset)
        return Opened(
            self._directory,
            active,
            min(start, self._next),
            self._next,
            self._closed,
            self._epochs,
            self._jumps,
            not bases and not rolling,
            self._losses,
            self._scanned,
        )

    # --- what is there

    def _tidy(self) -> tuple[list[int], list[int]]:
        """Finish what a crash interrupted; return the base offsets of segments, and of rolling ones. Strangers are left alone."""
        bases, rolling = [], []
        for name in [entry.name for entry in self._directory.list() if not entry.is_directory]:
            number, suffix = name[:_DIGITS], name[_DIGITS:]
            if not (len(number) == _DIGITS and number.isascii() and number.isdigit()):
                continue
            if suffix == LOG:
                bases.append(int(number))
            elif suffix == ROLLING:
                rolling.append(int(number))
            elif suffix.endswith(DELETED):
                self._directory.remove(name)
        while len(bases) > 1 and bases[1] <= (self._start or 0):
            remove_segment(self._directory, bases.pop(0))
        return bases, rolling

    def _load_epochs(self, needed: bool) -> tuple[EpochCache, bool]:
        """The epoch cache, and whether it can be relied on: a missing or damaged one is rebuilt by a scan of everything."""
        data = read_file(self._directory, EPOCHS)
        if data is None:
            return EpochCache(), not needed
        try:
            return EpochCache.parse(data), True
        except (ValueError, IndexError) as error:
            self._losses.append(Loss(EPOCHS, 0, len(data), 0, 0, f"rebuilt: {error}"))
            return EpochCache(), not needed

    def _load_gaps(self) -> set[Jump]:
        data = read_file(self._directory, GAPS)
        try:
            return {(int(first), int(after)) for first, after in json.loads(data or b"[]")}
        except (ValueError, TypeError) as error:
            self._losses.append(Loss(GAPS, 0, len(data or b""), 0, 0, f"unreadable: {error}"))
            return set()

    # --- after a clean stop

    def _open_clean(self, bases: list[int]) -> Segment | None:
        """Believe the mark, if the last segment is as long as it says."""
        clean = self._clean
        if clean is None or not bases or bases[-1] != clean.base_offset:
            return None
        active = load(self._directory, clean.base_offset, clean.end_offset, self._interval)
        if active.file.size != clean.size_bytes:
            active.file.close()
            return None
        for base, after in zip(bases, bases[1:], strict=False):
            self._close(load(self._directory, base, after, self._interval))
        self._next = clean.end_offset
        return active

    # --- after anything else

    def _recover(self, bases: list[int], rolling: list[int]) -> Segment:
        self._next = bases[0] if bases else self._start or 0
        if bases and self._start is not None and self._start < bases[0]:
            self._losses.append(Loss(file_name(self._start), 0, 0, self._start, bases[0], "the first segment is missing"))
        trusted = self._recovery_point if self._epochs_known else 0
        active = None
        for number, base in enumerate(bases):
            if active is not None:
                self._close(active)
            after = bases[number + 1] if number + 1 < len(bases) else None
            if after is not None and after <= trusted:
                active = load(self._directory, base, after, self._interval)
                self._next = after
            else:
                active = self._check(base, is_last=after is None)
        for base in rolling:
            if active is not None and base != self._sound_end:
                self._drop_rolling(base)
                continue
            self._directory.rename(file_name(base, ROLLING), file_name(base))
            if active is not None:
                self._close(active)
            active = self._check(base, is_last=True)
        if active is None:
            self._next = max(self._next, self._recovery_point, self._clean.end_offset if self._clean else 0)
            if self._next > (self._start or 0):
                self._losses.append(Loss("", 0, 0, self._start or 0, self._next, "all segments are missing"))
            active = Segment(self._next, self._directory.create(file_name(self._next)), self._interval)
        return active

    def _check(self, base: int, *, is_last: bool) -> Segment:
        """Read a whole segment from the medium; note what is sound, pass over or cut what is not."""
        if base > self._next:
            self._jump(Loss(file_name(base), 0, 0, self._next, base, "the records before this segment are missing"))
        file = self._directory.open(file_name(base))
        file.drop_cache()
        segment = Segment(base, file, self._interval)
        self._scanned += file.size
        damage: Damage | None = None
        for found in scan(file, 0, self._next, self._epochs, self._jumps):
            if isinstance(found, Damage):
                damage = found
                continue
            header = found.header
            if damage is not None:
                self._jump(_loss(base, damage, header.base_offset, "damaged, passed over"))
                damage = None
            if not self._epochs_known and header.leader_epoch > self._epochs.latest:
                self._epochs.assign(header.leader_epoch, header.base_offset)
            segment.note(header.base_offset, header.next_offset, found.position, header.max_timestamp_ms)
            self._next = header.next_offset
        self._sound_end = self._next
        if damage is not None and is_last:
            self._jump(_loss(base, damage, claimed_end(file, damage), "torn tail, cut"))
            file.truncate(damage.position)
        elif damage is not None:
            self._losses.append(_loss(base, damage, self._next, "damaged, passed over"))
        file.datasync()
        segment.next_offset = self._next
        return segment

    def _drop_rolling(self, base: int) -> None:
        """The segment before it did not become durable, so nothing in it was promised to be."""
        name = file_name(base, ROLLING)
        file = self._directory.open(name)
        end = base
        for found in scan(file, 0, base, EpochCache(), ()):
            if isinstance(found, Sound):
                end = found.header.next_offset
        file.close()
        self._losses.append(Loss(name, 0, file.size, base, end, "written after a segment that did not become durable"))
        self._given = max(self._given, end)
        self._directory.remove(name)

    def _go_on_after_what_was_given(self) -> None:
        """Skip the offsets that an earlier recovery skipped, and those that may have been given to records now missing."""
        skipped = dict(self._jumps)
        while self._next in skipped:
            self._next = skipped[self._next]
        clean_end = self._clean.end_offset if self._clean else 0
        floor = max(self._start or 0, self._recovery_point, clean_end, self._given)
        if self._next < floor:
            self._jump(Loss("", 0, 0, self._next, floor, "records that were there before are missing at the end"))

    def _jump(self, loss: Loss) -> None:
        """Note *loss* as a gap, durably, and go on after it."""
        self._losses.append(loss)
        if loss.next > loss.first:
            self._jumps.add((loss.first, loss.next))
            replace_file(self._directory, GAPS, json.dumps(sorted(self._jumps)).encode() + b"\n")
            self._next = loss.next

    def _close(self, segment: Segment) -> None:
        segment.seal()
        size = segment.file.size
        self._closed.append(
            ClosedSegment(segment.base_offset, segment.next_offset, size, segment.max_timestamp_ms)
        )
        segment.file.close()


def _loss(base: int, damage: Damage, after: int, what: str) -> Loss:
    size = damage.end - damage.position
    return Loss(file_name(base), damage.position, size, damage.expected_offset, after, f"{what}: {damage.why}")


def remove_segment(directory: IDirectory, base_offset: int) -> None:
    """Remove a closed segment and what belongs to it; after a crash in between, the rest is removed when the log is opened."""
    names = {entry.name for entry in directory.list()}
    for suffix in (LOG, INDEX, TIME_INDEX, DIGEST):
        name = file_name(base_offset, suffix)
        if name in names:
            directory.rename(name, name + DELETED)
            directory.sync()
            directory.remove(name + DELETED)


