"""What the storage room promises: small checkpoints, logs, and all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from flux.batch import EncodedBatch
from flux.errors import StorageError
from flux.model import TopicPartition
from flux.watermark import Watermark


class ICheckpoint(Interface):
    """One small dictionary that outlives a crash: the old one or the new one, never a mix."""

    def load() -> dict[str, Any]:
        """What was saved last, empty if nothing ever was. :raises StorageError: it and its predecessor are damaged."""

    def save(data: dict[str, Any]) -> "Deferred[None]":
        """Fire when *data* is what :meth:`load` returns even across a power cut. Saves take effect in call order."""

    def save_now(data: dict[str, Any]) -> None:
        """The same, before returning: for start and stop, when nobody else waits for this thread."""


class ILog(Interface):
    """One partition's records: segments of record batches, offsets dense but for reported damage."""

    start_offset: int = Attribute("The first offset it still holds.")
    end_offset: int = Attribute("One past the last offset appended.")
    flushed: Watermark = Attribute("Everything below is on the medium.")
    promised: Watermark = Attribute(
        "Everything below is as durable as the fsync mode promises: flushed with 'always', appended otherwise."
    )
    size_bytes: int = Attribute("Bytes in its segments.")
    last_epoch: int = Attribute("The leader epoch of the last stretch, -1 if nothing was ever written.")
    failure: StorageError | None = Attribute("Why nothing more is written, once a sync or a write has failed for good.")
    retention_limit: Callable[[], int] = Attribute(
        "Set by the owner: retention never passes this offset (the high watermark)."
    )

    def append(batch: EncodedBatch, leader_epoch: int) -> int:
        """Write *batch* at the end, stamped with its base offset and *leader_epoch*; return the base offset.

        :raises DiskFull: nothing was kept. :raises StorageError: this log failed before and is read-only until a restart.
        :raises MessageTooLarge: no batch may be as long as this one.
        """

    def append_as_follower(data: bytes) -> int:
        """Write whole batches as their leader stamped them; return the new end. :raises StorageError: they do not go on at the end."""

    def read(offset: int, max_bytes: int, end: int) -> "Deferred[bytes]":
        """Whole batches from the one holding *offset*, none that begins at or above *end*; at least one if there is one.

        :raises OffsetOutOfRange: *offset* is below the start or above the end.
        """

    def read_newest(offset: int, max_bytes: int, end: int) -> bytes:
        """What :meth:`read` would fire with, if it is at hand in memory; else empty, and only :meth:`read` knows."""

    def scan(offset: int) -> "Iterator[bytes]":
        """All whole batches from the one holding *offset* on, in pieces, on this thread: for start-up, when nobody else waits."""

    def truncate(offset: int) -> "Deferred[None]":
        """Forget everything from *offset* on; fire when that is durable."""

    def move_start(offset: int) -> "Deferred[None]":
        """Forget everything below *offset*; fire when that is durable. Files go when all they hold is forgotten."""

    def flush() -> "Deferred[None]":
        """Fire when everything appended so far is durable."""

    def offset_for(timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first record at or after *timestamp_ms*, or None."""

    def end_offset_for_epoch(leader_epoch: int) -> tuple[int, int]:
        """The largest epoch not above *leader_epoch* and where it ends (Kafka's OffsetsForLeaderEpoch); (-1, -1) if there is none."""

    def begin_epoch(leader_epoch: int) -> None:
        """What is appended from now on belongs to *leader_epoch*."""


class ILogManager(Interface):
    """All logs below one data directory."""

    def open(tp: TopicPartition, config: Mapping[str, str]) -> ILog:
        """The log of *tp*, created if it is missing; opened once. *config* holds the topic's settings under Kafka's names.

        :raises StorageError: its files cannot be used.
        """

    def existing() -> Sequence[TopicPartition]:
        """The partitions whose directories are there, sorted."""

    def delete(tp: TopicPartition) -> "Deferred[None]":
        """Close the log and remove its files; fire when that is durable. Never half of it after a crash."""
