"""Everything that is wrong with a data directory, or with one partition of it."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from flux.batch import decode
from flux.cli.offline import group_log
from flux.cli.offline.data_files import GROUP_LOG, DataFiles
from flux.cli.offline.place import Place
from flux.storage.claims import AllClaims, SmallFiles
from flux.storage.existing import leftovers, missing_logs
from flux.storage.findings import Finding
from flux.storage.segment_walk import LookInto
from flux.storage.verification import Verification

KEPT = 10_000  # findings: of a file full of rubbish there is no need to remember each, and no memory for it


class Read(NamedTuple):
    """What was read of one log."""

    log: str
    segments: int
    batches: int
    records: int
    bytes: int
    end_offset: int


class Verified(NamedTuple):
    """Findings in the order of the files, as many as were to be kept; all are counted."""

    findings: list[Finding]
    damage: int
    notes: int
    logs: list[Read]
    was_live: bool
    is_live: bool


def verify(
    place: Place, advance: Callable[[int], object], *, look_into_records: bool, most_kept: int = KEPT
) -> Verified:
    """Read all there is; tell *advance* of the bytes. :raises OSError: the directory itself cannot be read."""
    kept: list[Finding] = []
    reads: list[Read] = []
    damage = notes = 0
    was_live = place.is_live
    for finding in _findings(place, was_live, reads, advance, look_into_records=look_into_records):
        damage, notes = (damage, notes + 1) if finding.harmless else (damage + 1, notes)
        if len(kept) < most_kept:
            kept.append(finding)
    return Verified(kept, damage, notes, reads, was_live, place.is_live)


def _findings(
    place: Place, live: bool, reads: list[Read], advance: Callable[[int], object], *, look_into_records: bool
) -> Iterator[Finding]:
    small = SmallFiles(place.root)
    data_files = DataFiles(place.root, small)
    if place.is_whole:
        data_files.read()
    claims = small.claims()
    if not place.is_alone:
        yield from small.findings
    if place.is_whole and not live:  # or it may be a topic that was just deleted
        yield from missing_logs(place.root, claims)
        yield from leftovers(place.root)
    for name in place.logs:
        log = _Log(place, name, live, advance, look_into_records=look_into_records)
        yield from log.findings(claims)
        if place.has(name):
            reads.append(log.read)
    if place.is_whole:
        yield from data_files.compare({read.log: read.end_offset for read in reads})


class _Log:
    """One log. ``read`` is what was read of it, once its findings are told."""

    def __init__(
        self, place: Place, name: str, live: bool, advance: Callable[[int], object], *, look_into_records: bool
    ) -> None:
        self.read = Read(name, 0, 0, 0, 0, 0)
        self._place = place
        self._name = name
        self._live = live
        self._advance = advance
        self._look_into: LookInto | None = decode if look_into_records else None
        if name == GROUP_LOG:
            self._look_into = group_log.check  # the broker, too, reads all of it at its start

    def findings(self, claims: AllClaims) -> Iterator[Finding]:
        """What is wrong, file by file. Of a running broker's log it must be so twice: between two looks it may have done anything."""
        if not self._live:
            yield from self._look(claims)
            return
        found = list(islice(self._look(claims), KEPT))
        if not all(finding.harmless for finding in found):
            again = {_what(finding) for finding in self._look(SmallFiles(self._place.root).claims())}
            found = [finding for finding in found if _what(finding) in again]
        if self._place.has(self._name):  # or its topic was deleted meanwhile
            yield from found

    def _look(self, claims: AllClaims) -> Iterator[Finding]:
        directory, claimed = self._place.root.child(self._name), claims.of(self._name)
        log = Verification(
            self._name, directory, claimed, live=self._live, look_into=self._look_into, progress=self._advance
        )
        yield from log.findings()
        self.read = Read(self._name, log.segments, log.batches, log.records, log.size_bytes, log.end_offset)


def _what(finding: Finding) -> tuple[object, ...]:
    """What it is about; how far the log goes by then is another matter."""
    return finding.kind, finding.file, finding.position, finding.first
