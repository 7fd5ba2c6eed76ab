"""Findings in words: what is wrong, and what a start or a reader does about it."""

from collections.abc import Iterator, Sequence

from flux.interfaces import Entry
from flux.storage.claims import Claims
from flux.storage.clean_shutdown import CLEAN
from flux.storage.epoch_file import EPOCHS, EPOCHS_CRC
from flux.storage.epoch_witness import EpochWitness
from flux.storage.findings import Finding, Kind
from flux.storage.gaps import GAPS
from flux.storage.offset_checkpoints import POINTS, STARTS
from flux.storage.opening import CleanEnd
from flux.storage.recovery import Damage
from flux.storage.removal import Files
from flux.storage.segment import file_name
from flux.storage.segments import rolling_name

_SMALL_FILES = {EPOCHS, EPOCHS_CRC, GAPS}
_PASSED_OVER = "it stays where it is; readers pass over it"


def damaged_batch(file: str, damage: Damage, next_offset: int) -> Finding:
    """*damage* is followed by more of the log, which goes on at *next_offset*."""
    size = damage.end - damage.position
    return Finding(
        Kind.BATCH, file, damage.why, _PASSED_OVER, damage.position, size, damage.expected_offset, next_offset
    )


def torn_tail(file: str, damage: Damage, claimed: int, *, live: bool) -> Finding:
    """*damage* ends the log, and may have been given the offsets up to *claimed*."""
    then = "the broker may be writing it" if live else "a start cuts it off, and never gives its offsets again"
    size = damage.end - damage.position
    return Finding(
        Kind.TORN_TAIL, file, damage.why, then, damage.position, size, damage.expected_offset, claimed, harmless=live
    )


def gap(file: str, first: int, after: int, *, known: bool) -> Finding:
    """The segment *file* does not go on where the one before it ends."""
    then = "it was reported before" if known else "a start reports it; readers go on after it"
    why = "no file holds the records before this segment"
    return Finding(Kind.GAP, file, why, then, first=first, next=after, harmless=known)


def unreadable(error: OSError) -> Finding:
    """The system refused."""
    file = "" if error.filename is None else str(error.filename).rpartition("/")[2]
    return Finding(Kind.UNREADABLE, file, f"cannot be read: {error.strerror or error}", "a start refuses this log")


def beyond_the_end(claims: Claims, end: int) -> Iterator[Finding]:
    """What is said of offsets that the log, which ends at *end*, does not hold."""
    for file, says, offset in (
        (POINTS, "says that the log is durable up to", claims.point),
        (CLEAN, "says that the log ends at", claims.clean.end_offset if claims.clean is not None else 0),
        (STARTS, "says that it starts at", claims.start),
    ):
        if offset > end:
            why = f"{says} offset {offset}, and the log ends at {end}"
            then = f"a start reports the records between as lost, and goes on at offset {offset}"
            yield Finding(Kind.CHECKPOINT, file, why, then, first=end, next=offset)


def another_end(said: CleanEnd, found: CleanEnd | None) -> Finding:
    """The mark of a clean stop is of another state of the log."""
    why = f"says that the log ends at {_end(said)}; it ends at {_end(found)}"
    return Finding(Kind.CHECKPOINT, CLEAN, why, "a start checks the log")


def other_epochs(epochs: EpochWitness, end: int) -> Iterator[Finding]:
    """Where the epoch cache and the batches disagree, and an epoch of the cache that begins after *end*."""
    wrong = epochs.wrong_entries()
    for entry in wrong:
        why = f"says epoch {entry.due}, and {entry.batches} batches agree on {entry.says}"
        then = f"a start passes over those batches; without {EPOCHS_CRC} it would rebuild this file from them"
        yield Finding(Kind.CHECKPOINT, EPOCHS, why, then, first=entry.first, next=entry.next)
    told = {(entry.says, entry.due) for entry in wrong}
    for stray in epochs.strays:
        if (stray.says, stray.due) not in told:
            why, size = f"leader epoch {stray.says} where {stray.due} was due", stray.end - stray.position
            yield Finding(Kind.BATCH, stray.file, why, _PASSED_OVER, stray.position, size, stray.first, stray.next)
    if epochs.last_begins > end:
        why = f"says that an epoch begins at offset {epochs.last_begins}; the log ends at {end}"
        yield Finding(Kind.CHECKPOINT, EPOCHS, why, "a start forgets that epoch")


def leftovers(entries: Sequence[Entry], files: Files) -> Iterator[Finding]:
    """What of the *entries* of a log's directory is not among the *files* it consists of."""
    ours = {file_name(base, suffix) for suffix, bases in files.hints.items() for base in bases} | _SMALL_FILES
    ours |= {file_name(base) for base in files.bases} | {rolling_name(*each) for each in files.rolling}
    for entry in entries:
        if entry.name in files.leftovers:
            why = "its segment is not there" if entry.name.endswith(tuple(files.hints)) else "left by a crash"
            yield Finding(Kind.LEFTOVER, entry.name, why, "a start removes it", harmless=True)
        elif entry.name not in ours:
            yield Finding(Kind.LEFTOVER, entry.name, "not a file of a log", "it is left alone", harmless=True)


def _end(end: CleanEnd | None) -> str:
    if end is None:
        return "no segment at all"
    return f"offset {end.end_offset} and byte {end.size_bytes} of {file_name(end.base_offset)}"
