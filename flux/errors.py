"""What can go wrong, one class a wire code.

A handler raises one of these; ``flux.server.dispatch`` alone turns it into an ``ERR`` line. A client does the reverse with
:data:`BY_CODE`. ``retriable`` says whether the same request, sent again later, may succeed without anybody mending anything
*and* without the risk of being executed twice.
"""

from typing import ClassVar


class FluxError(Exception):
    """The root; on its own it is the answer to an exception nobody foresaw."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    retriable: ClassVar[bool] = False


class BadRequest(FluxError):
    """The request cannot be read: the message names the field, the value and the way out."""

    code = "BAD_REQUEST"


class UnknownCommand(FluxError):
    """No family on this broker answers the command."""

    code = "UNKNOWN_COMMAND"


class NotLeader(FluxError):
    """This broker does not lead the partition; the message names the leader if it is known."""

    code = "NOT_LEADER"
    retriable = True


class ReplicationTimeout(FluxError):
    """Appended, but not confirmed by the in-sync replicas in time; the record may still become committed."""

    code = "REPLICATION_TIMEOUT"


class NotEnoughReplicas(FluxError):
    """Refused before the append: fewer replicas in sync than ``min_isr``."""

    code = "NOT_ENOUGH_REPLICAS"
    retriable = True


class GenerationMismatch(FluxError):
    """The member does not belong to the group's current generation."""

    code = "GENERATION_MISMATCH"


class MessageTooLarge(FluxError):
    """A line, or a record, is over its limit."""

    code = "MESSAGE_TOO_LARGE"


class OffsetOutOfRange(FluxError):
    """The offset is below the log's start or above its end; the message names both."""

    code = "OFFSET_OUT_OF_RANGE"


class UnknownTopic(FluxError):
    """The topic does not exist and is not created on first use."""

    code = "UNKNOWN_TOPIC"


class TopicExists(FluxError):
    """A topic of that name exists with another shape."""

    code = "TOPIC_EXISTS"


class StorageError(FluxError):
    """The disk failed or is full. After a failed sync the outcome of the write is unknown, and stays so until a restart."""

    code = "STORAGE_ERROR"


class DiskFull(StorageError):
    """Refused whole, before a byte was kept: try again when there is space."""

    retriable = True


class Unauthorized(FluxError):
    """The session's principal may not do this."""

    code = "UNAUTHORIZED"


class Throttled(FluxError):
    """A limit was reached; nothing was done."""

    code = "THROTTLED"
    retriable = True


class ShuttingDown(FluxError):
    """The broker is draining; nothing was done."""

    code = "SHUTTING_DOWN"
    retriable = True


class InternalError(FluxError):
    """An exception nobody foresaw; it is in the broker's log under the correlation id."""


class StaleVersion(FluxError):
    """A compare-and-set on the metadata lost: read the image again and decide anew. Never leaves the broker."""


def system_reason(error: BaseException) -> str:
    """Why the system refused, in its own words, for whoever is no operator: without the path, which is for the broker's log."""
    if isinstance(error, OSError) and error.strerror is not None:
        return f"[Errno {error.errno}] {error.strerror}"
    return str(error)


BY_CODE: dict[str, type[FluxError]] = {
    kind.code: kind
    for kind in (
        BadRequest,
        UnknownCommand,
        NotLeader,
        ReplicationTimeout,
        NotEnoughReplicas,
        GenerationMismatch,
        MessageTooLarge,
        OffsetOutOfRange,
        UnknownTopic,
        TopicExists,
        StorageError,
        Unauthorized,
        Throttled,
        ShuttingDown,
        InternalError,
    )
}
