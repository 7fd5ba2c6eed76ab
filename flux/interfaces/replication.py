"""What the replication room promises: one partition, and the table of them."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from flux.batch import EncodedBatch
from flux.model import Acks, Appended, Fetched, Role, TopicPartition
from flux.partitioner import KeyRoutes


class IPartition(Interface):
    """One partition as its clients see it."""

    tp: TopicPartition = Attribute("Which.")
    role: Role = Attribute("What this broker is to it.")
    leader_epoch: int = Attribute("Raised whenever leadership changes.")
    high_watermark: int = Attribute("Exclusive: consumers see what is below.")
    isr: Sequence[int] = Attribute("Ids of the replicas in sync, ascending.")
    under_replicated: bool = Attribute("This broker leads, and some replica is out of sync.")
    log_start: int = Attribute("The first offset still held.")
    log_end: int = Attribute("One past the last offset appended.")
    size_bytes: int = Attribute("Bytes in the log's segments.")
    max_message_bytes: int | None = Attribute(
        "The topic's limit on key and value of a record together; None: it has none of its own."
    )

    def append(batch: EncodedBatch, acks: Acks) -> Appended:
        """Append now, in call order, without waiting.

        :raises NotLeader: this replica follows. :raises NotEnoughReplicas: *acks* is ALL and the ISR is below ``min_isr``.
        :raises StorageError: the log refused.
        """

    def when_acknowledged(appended: Appended, acks: Acks) -> "Deferred[int] | None":
        """None if *acks* is satisfied already, else a Deferred that fires when it is.

        It fails with ReplicationTimeout (in time, or because leadership moved on meanwhile), StorageError or ShuttingDown.
        """

    def fetch(offset: int, max_bytes: int, max_wait_s: float, min_bytes: int) -> "Deferred[Fetched]":
        """What lies between *offset* and the high watermark; parked up to *max_wait_s* until *min_bytes* are there.

        :raises OffsetOutOfRange: *offset* is below the log's start or above its end.
        """

    def offset_for(timestamp_ms: int) -> "Deferred[tuple[int, int] | None]":
        """Offset and timestamp of the first *visible* record at or after *timestamp_ms*, or None."""

    def report(replica: int, offset: int) -> "Deferred[None] | None":
        """*replica* holds everything up to and including *offset*. A Deferred if that changes who is in sync or what is shown.

        It fires when the change is stored, or storing it was tried.

        :raises BadRequest: this broker follows, or *replica* is not one of 1 to replication factor − 1.
        """

    def delete_records(before: int) -> "Deferred[int]":
        """Forget what is below offset *before*; fire with the log's start when that is durable.

        :raises NotLeader: this replica follows. :raises OffsetOutOfRange: *before* is above the high watermark.
        """

    def holds_keys() -> "Deferred[bool]":
        """Whether any record has a key: then more partitions would part it from its successors."""

    def explain() -> Any:
        """Why the watermark stands where it stands (:class:`flux.replication.explanation.Explanation`)."""


class IPartitions(Interface):
    """The table of partitions this broker holds."""

    def get(tp: TopicPartition) -> IPartition:
        """:raises UnknownTopic: no such topic. :raises BadRequest: the topic has no such partition."""

    def routes(topic: str) -> KeyRoutes:
        """Key → partition number, for all of a topic. :raises UnknownTopic: there is none."""
