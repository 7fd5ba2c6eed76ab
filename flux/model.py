"""The nouns every room shares. Values only: nothing here waits, opens or decides."""

import enum
import re
from typing import NamedTuple

from flux.errors import BadRequest


class TopicPartition(NamedTuple):
    """One partition of one topic: the unit of order, of leadership and of storage."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """As its directory is named: ``orders-2``."""
        return f"{self.topic}-{self.partition}"


class Header(NamedTuple):
    """One record header: a name, and a value that may be null."""

    key: str
    value: bytes | None


class Record(NamedTuple):
    """One record as it stands in a log. ``timestamp_ms`` is milliseconds since the Unix epoch."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class Acks(enum.Enum):
    """What a producer waits for."""

    NONE = "0"
    LEADER = "1"
    ALL = "all"


class Role(enum.Enum):
    """What this broker is to a partition."""

    LEADER = "leader"
    FOLLOWER = "follower"


class FsyncMode(enum.Enum):
    """When bytes reach the platter: before the acknowledgement, on a timer, or when the kernel likes."""

    ALWAYS = "always"
    INTERVAL = "interval"
    NEVER = "never"


class Appended(NamedTuple):
    """Where a batch went: offsets ``base_offset`` to ``end_offset - 1`` of ``partition``, in ``leader_epoch``."""

    partition: int
    base_offset: int
    end_offset: int
    leader_epoch: int


class Fetched(NamedTuple):
    """What a fetch found.

    ``data`` is whole record batches as they lie in the log, the first of which holds ``offset`` or, over a gap, the next
    record after it; it may reach past ``high_watermark``, which is exclusive: a reader shows only records in
    ``[offset, high_watermark)``. ``log_start`` is the first offset the log still holds.
    """

    offset: int
    data: bytes
    high_watermark: int
    log_start: int


class AlertKind(enum.Enum):
    """What an operator may want to be told of."""

    UNDER_REPLICATED = "under_replicated"  # a replica left the ISR
    UNDER_REPLICATION_ENDED = "under_replication_ended"  # all are back in it, or the topic is gone
    LEADERSHIP_CHANGED = "leadership_changed"


class Alert(NamedTuple):
    """One transition of one partition. Ids are brokers'; ``leader`` is None if nobody leads; ``at_ms`` is Unix milliseconds."""

    kind: AlertKind
    tp: TopicPartition
    at_ms: int
    cause: str
    leader: int | None
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")  # \Z: Python's $ would let a trailing newline through


def check_topic_name(name: str) -> str:
    """*name*, if ordinary clients may use it as a topic.

    :raises BadRequest: it could become a path, is too long, or is reserved (a leading ``__``).
    """
    if not TOPIC_NAME.match(name) or name in (".", "..") or name.startswith("__"):
        shown = name if len(name) <= 60 else name[:60] + "…"
        raise BadRequest(f"topic: {shown!r} is not a topic name; use 1 to 249 of A-Z a-z 0-9 . _ - and no leading __")
    return name
