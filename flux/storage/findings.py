"""What a verification has to say, one finding at a time. Pure values."""

import enum
from typing import NamedTuple


class Kind(enum.Enum):
    """What sort of thing is wrong."""

    TORN_TAIL = "torn tail"  # bytes at the end of a log that are no whole batch
    BATCH = "damaged batch"  # bytes that are no valid batch, with more of the log after them
    RECORDS = "bad records"  # a batch whose CRC is right and whose records cannot be read
    GAP = "gap"  # offsets that no file holds
    UNFINISHED = "unfinished segment"  # one that was begun before the one before it was durable
    INDEX = "index"
    CHECKPOINT = "checkpoint"  # a small file that is damaged, missing, or says what is not so
    LEFTOVER = "leftover"  # what a crash kept from being removed
    UNREADABLE = "unreadable"  # the system refused


class Finding(NamedTuple):
    """One thing that is not as a clean stop leaves it.

    ``position`` and ``size_bytes`` are the bytes concerned, ``first`` to ``next`` (exclusive) the offsets; None where it is not about
    any. ``harmless``: nothing is lost, or nothing more than was reported. ``log`` is the name of the log's directory, empty for what
    concerns all of them.
    """

    kind: Kind
    file: str
    why: str
    then: str  # what a start, or a reader, does about it
    position: int | None = None
    size_bytes: int | None = None
    first: int | None = None
    next: int | None = None
    harmless: bool = False
    log: str = ""

    @property
    def offsets(self) -> str:
        """As people write them: ``7``, ``7-9``, or nothing."""
        if self.first is None or self.next is None or self.next <= self.first:
            return ""
        return str(self.first) if self.next == self.first + 1 else f"{self.first}-{self.next - 1}"
