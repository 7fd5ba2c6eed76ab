"""A log is read from its first byte to its last, and everything that is not as a clean stop leaves it is told. Nothing is changed.

No checkpoint is believed: each is held against the batches. What they add up to is what a start would do about it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from flux.batch import BatchHeader
from flux.interfaces import IDirectory, IFile
from flux.storage.claims import Claims
from flux.storage.epoch_file import EPOCHS, read_epochs
from flux.storage.epoch_witness import EpochWitness
from flux.storage.findings import Finding, Kind
from flux.storage.gaps import GAPS
from flux.storage.index_witness import IndexWitness
from flux.storage.known_gaps import KnownGaps
from flux.storage.opening import CleanEnd
from flux.storage.recovery import NO_LIMIT, Damage, claimed_end, given_in
from flux.storage.removal import Files, look_at
from flux.storage.segment import DIGEST, file_name
from flux.storage.segment_walk import LookInto, SegmentWalk, Watch
from flux.storage.segments import rolling_name
from flux.storage.wording import (
    another_end,
    beyond_the_end,
    damaged_batch,
    gap,
    leftovers,
    other_epochs,
    torn_tail,
    unreadable,
)

_REBUILT = "a start rebuilds it from the batches"


class Verification:
    """One log. *Action*: iterate over :meth:`findings` to its end, once. *Transition*: what was read is counted meanwhile.

    *claims* are what the data directory says of it. While a broker is *live* on it, what it has only begun is no damage.
    """

    def __init__(
        self,
        name: str,
        directory: IDirectory,
        claims: Claims,
        *,
        live: bool = False,
        look_into: LookInto | None = None,
        progress: Callable[[int], object] = lambda size_bytes: None,
    ) -> None:
        self.segments = self.batches = self.records = self.size_bytes = 0
        self.end_offset = claims.start
        self._name = name
        self._directory = directory
        self._claims = claims
        self._live = live
        self._look_into = look_into
        self._progress = progress
        self._epochs = EpochWitness(None)
        self._has_epochs = True  # some; whether they can be believed is told when they are read
        self._gaps = KnownGaps(())
        self._end: CleanEnd | None = None  # of the last segment, as a mark would say it
        self._is_marked = False  # the mark of a clean stop is believed, whatever the batches say
        self._tail: tuple[str, Damage, int] | None = None  # its file, its bytes, and what they may have been given

    def findings(self) -> Iterator[Finding]:
        """What is not as it should be, in the order of the files. What the system refuses to read ends it, and is told."""
        try:
            for finding in self._findings():
                yield finding._replace(log=self._name)
        except OSError as error:
            yield unreadable(error)._replace(log=self._name)

    def _findings(self) -> Iterator[Finding]:
        entries = self._directory.list()
        files = look_at(entries)
        if not self._live:
            yield from leftovers(entries, files)
        yield from self._read_small_files()
        if files.bases:
            self.end_offset = files.bases[0]
        if self.end_offset > self._claims.start:
            yield self._gap(file_name(self.end_offset), self._claims.start, self.end_offset)
        for base, after in pairwise([*files.bases, NO_LIMIT]):
            yield from self._jump_to(base, file_name(base))
            try:
                yield from self._closed_or_last(files, base, after)
            except OSError as error:
                first, self.end_offset = self.end_offset, self._end_after(after)
                yield unreadable(error)._replace(first=first, next=self.end_offset)  # others may be readable
        for base, follows in files.rolling:
            yield from self._rolling(base, follows)
        yield from self._where_it_ends()
        if self.batches and not self._has_epochs:
            yield Finding(Kind.CHECKPOINT, EPOCHS, "is missing", _REBUILT)
        yield from other_epochs(self._epochs, self.end_offset)
        for first, after in self._gaps.wrong:
            why = "says that these offsets are lost, and they are there"
            yield Finding(Kind.CHECKPOINT, GAPS, why, "it does no harm", first=first, next=after, harmless=True)

    def _read_small_files(self) -> Iterator[Finding]:
        try:
            self._gaps = KnownGaps.read(self._directory)
        except ValueError as error:
            then = "a start begins it anew, and reports again what is missing"
            yield Finding(Kind.CHECKPOINT, GAPS, str(error), then)
        try:
            epochs = read_epochs(self._directory)
        except (ValueError, IndexError) as error:
            # It is two files, written one after the other: between them a broker that runs is no liar.
            yield Finding(Kind.CHECKPOINT, EPOCHS, str(error), _REBUILT, harmless=self._live)
            return
        self._has_epochs = epochs is not None
        self._epochs = EpochWitness(epochs)

    # --- one segment after the other

    def _closed_or_last(self, files: Files, base: int, after: int) -> Iterator[Finding]:
        name, is_last = file_name(base), after == NO_LIMIT
        try:
            file = self._directory.open(name)
        except FileNotFoundError:
            if not self._live or is_last:
                raise
            self.end_offset = after  # retention was faster
            return
        try:
            hints = IndexWitness(self._directory, base, file, may_be_old=is_last)
            walk = self._walk(name, file, after, hints)
            yield from walk.findings()
            self.end_offset = walk.next_offset
            sound = walk.sound and not self._epochs.disagrees_in(name)
            problems = list(hints.problems(walk.next_offset, sound=sound))
            if is_last:
                self._ends_with(name, file, base, walk)
                # As a start does: it then reads nothing, and cuts nothing.
                said = None if hints.next_offset is None else CleanEnd(hints.next_offset, base, file.size)
                self._is_marked = said == self._claims.clean and not problems and not files.rolling
        finally:
            file.close()
        must_have_hints = sound and (not is_last or self._claims.clean is not None)
        if must_have_hints and base not in files.hints[DIGEST]:
            problems.append((file_name(base, DIGEST), "is missing"))
        for where, why in problems:
            then = "what it is about is read instead, and it is rebuilt"
            yield Finding(Kind.INDEX, where, why, then, harmless=self._live)
        if is_last:
            return
        if walk.tail is not None:
            self.end_offset = max(after, self.end_offset)
            yield damaged_batch(name, walk.tail, self.end_offset)
        if self.end_offset <= self._claims.start:
            why = f"all of it lies below the start of the log, {self._claims.start}"
            yield Finding(Kind.LEFTOVER, name, why, "a start removes it", harmless=True)

    def _rolling(self, base: int, follows: int) -> Iterator[Finding]:
        """It goes on where the one before ends, or that one did not become durable: then nothing in this one was promised."""
        name = rolling_name(base, follows)
        taken = self._end is not None and follows == self.end_offset
        try:
            file = self._directory.open(name)
        except FileNotFoundError:
            if not self._live:
                raise
            file = self._directory.open(file_name(base))  # it got its name meanwhile
        try:
            if not taken:
                why = f"begun after a segment that should end at offset {follows}, and ends at {self.end_offset}"
                then = "a start removes it: nothing in it was promised"
                yield Finding(Kind.UNFINISHED, name, why, then, 0, file.size, base, given_in(file, base))
                return
            if self._tail is not None:
                before, damage, _ = self._tail
                self._tail = None
                yield torn_tail(before, damage, self.end_offset, live=self._live)
            yield from self._jump_to(base, name)
            walk = self._walk(name, file, NO_LIMIT, None)
            yield from walk.findings()
            self.end_offset = walk.next_offset
            self._ends_with(name, file, base, walk)
        finally:
            file.close()
        if not self._live:
            why = "was begun, and the one before it may not have been durable yet"
            yield Finding(Kind.LEFTOVER, name, why, "a start takes it for what it is, and renames it", harmless=True)

    def _end_after(self, after: int) -> int:
        """Where a segment ends that cannot be read: where the next begins, or, if it is the last, where the log is said to end."""
        clean = self._claims.clean
        said = max(self.end_offset, self._claims.point, 0 if clean is None else clean.end_offset)
        return said if after == NO_LIMIT else after

    def _walk(self, name: str, file: IFile, limit: int, hints: IndexWitness | None) -> SegmentWalk:
        if not self._live:
            file.drop_cache()  # what the medium holds; a broker's own reads are not to be slowed down
        self.segments += 1
        watchers: list[Watch] = [self._count, self._gaps.pass_batch, partial(self._epochs.pass_batch, name)]
        if hints is not None:
            watchers.append(hints.pass_batch)
        return SegmentWalk(name, file, self.end_offset, limit, watchers, self._look_into)

    def _count(self, header: BatchHeader, _position: int) -> None:
        self.batches += 1
        self.records += header.count
        self.size_bytes += header.length
        self._progress(header.length)

    def _ends_with(self, name: str, file: IFile, base: int, walk: SegmentWalk) -> None:
        """The last segment so far: the log ends there, if no other goes on after it."""
        self._end = CleanEnd(self.end_offset, base, walk.end)
        self._tail = None if walk.tail is None else (name, walk.tail, claimed_end(file, walk.tail))

    def _jump_to(self, base: int, name: str) -> Iterator[Finding]:
        first, self.end_offset = max(self.end_offset, self._claims.start), max(self.end_offset, base)
        if first < base:
            yield self._gap(name, first, base)

    def _gap(self, file: str, first: int, after: int) -> Finding:
        return gap(file, first, after, known=self._gaps.cover(first, after))

    # --- the end

    def _where_it_ends(self) -> Iterator[Finding]:
        claims, clean, claimed = self._claims, self._claims.clean, 0
        if self._tail is not None and clean is not None and self._is_marked:
            name, damage, _ = self._tail
            self.end_offset, self._end = clean.end_offset, clean
            yield damaged_batch(name, damage, clean.end_offset)
        elif self._tail is not None:
            name, damage, claimed = self._tail
            yield torn_tail(name, damage, claimed, live=self._live)
        end = self._gaps.after(max(self.end_offset, claimed))
        yield from beyond_the_end(claims, end)
        if clean is not None and clean != self._end and clean.end_offset <= end:
            yield another_end(clean, self._end)
