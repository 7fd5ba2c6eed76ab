"""What a data directory holds by its names: a lock, whose it is, logs, and what is left of others; and which logs are missing."""

from collections.abc import Iterator

from flux.interfaces import IDirectory
from flux.model import TopicPartition
from flux.storage.checkpoint import FRESH, UNSYNCED
from flux.storage.claims import AllClaims
from flux.storage.deletion import put_aside_before
from flux.storage.findings import Finding, Kind
from flux.storage.offset_checkpoints import POINTS

LOCK = "lock"  # held by the broker whose directory it is
META = "meta.properties"  # whose that is, and in which format; every data directory has one


def logs_in(directory: IDirectory) -> list[TopicPartition]:
    """The partitions whose directories are there, sorted."""
    return sorted(tp for entry in directory.list() if entry.is_directory and (tp := log_named(entry.name)) is not None)


def log_named(name: str) -> TopicPartition | None:
    """The partition whose log's directory has that name; None if it is no such name."""
    topic, _, number = name.rpartition("-")
    if topic and number.isascii() and number.isdigit() and str(int(number)) == number:
        return TopicPartition(topic, int(number))
    return None


def missing_logs(directory: IDirectory, claims: AllClaims) -> Iterator[Finding]:
    """Logs that held something when the recovery points were saved, and whose directories are not there, nor put aside to go."""
    there = {str(tp) for tp in logs_in(directory)} | set(put_aside_before(directory).values())
    for name, point in sorted(claims.points.items()):
        start = claims.starts.get(name, 0)
        if name not in there and point > start:
            why = f"{POINTS} says that this log is durable up to offset {point}, and its directory is not there"
            then = f"a start reports the records as lost, and goes on at offset {point}"
            yield Finding(Kind.GAP, "", why, then, first=start, next=point, log=name)


def leftovers(directory: IDirectory) -> Iterator[Finding]:
    """What a crash kept from being removed, beside the logs."""
    for aside in sorted(put_aside_before(directory)):
        why = "the log of a deleted topic, put aside to go"
        yield Finding(Kind.LEFTOVER, "", why, "a start removes it", harmless=True, log=aside)
    for entry in directory.list():
        if not entry.is_directory and entry.name.endswith((FRESH, UNSYNCED)):
            why = "a checkpoint that was being written"
            yield Finding(Kind.LEFTOVER, entry.name, why, "the next save replaces it", harmless=True)
