"""What can be asked of a broker: one function a command, the same for every face.

Each makes a :class:`Call`; a face's method of the same name makes it and sends it. So a command is declared once, here, and
whatever a plugin adds to a broker can be sent in the same way: ``client.send(Call(Mine(...), MyReply.decode))``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from flux.errors import BadRequest
from flux.model import Acks
from flux.wire.encoding import Encoding
from flux.wire.fetch import ALL_FIELDS, Consume, Consumed
from flux.wire.offsets import End, OffsetFound, Offsets
from flux.wire.produce import Produce, Produced
from flux.wire.session import Hello, Help, HelpText, Ping, Pong, Welcome
from flux.wire.values import INT64_MAX

Text = bytes | str  # a str travels as UTF-8

R = TypeVar("R")


class Sendable(Protocol):
    """A request as the client needs it: every request class of :mod:`flux.wire` is one."""

    @property
    def COMMAND(self) -> str:
        """Upper case."""

    def encode(self) -> bytes:
        """The arguments. :raises BadRequest: they cannot be sent."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One request, and how its answer is read. ``timeout_s`` None is the client's; ``wait_s`` is what the broker may add to it."""

    request: Sendable
    read: Callable[[bytes], R]
    timeout_s: float | None = None
    wait_s: float = 0.0


class Record(NamedTuple):
    """One record as it was read. ``value`` None is a tombstone, ``key`` None no key; ``timestamp_ms`` is Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """What a CONSUME found, and where to go on.

    ``high_watermark`` is one past the last committed record, ``log_start`` the first offset there is. Offsets may have gaps.
    """

    records: tuple[Record, ...]
    next_offset: int
    high_watermark: int
    log_start: int

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


# --- the session ---


def ping(*, timeout_s: float | None = None) -> Call[Pong]:
    """Ask whether somebody is there."""
    return Call(Ping(), Pong.decode, timeout_s)


def hello(client: str | None = None, *, timeout_s: float | None = None) -> Call[Welcome]:
    """Ask who the broker is, and say who *client* is, as ``name/version``."""
    return Call(Hello(client), Welcome.decode, timeout_s)


def help(command: str | None = None, *, timeout_s: float | None = None) -> Call[HelpText]:
    """Ask what can be said: everything, or one *command*."""
    return Call(Help(command), HelpText.decode, timeout_s)


# --- records ---


def produce(
    topic: str,
    key: Text | None,
    value: Text | None,
    *,
    acks: Acks | str | int = Acks.LEADER,
    timestamp_ms: int | None = None,
    timeout_s: float | None = None,
) -> Call[Produced]:
    """Append one record. *key* None is no key (any partition), *value* None a tombstone; both may hold any bytes.

    :raises ReplicationTimeout: it is appended, and not confirmed in time.
    """
    request = Produce(topic, as_bytes(key), as_bytes(value), as_acks(acks), timestamp_ms)
    return Call(request, Produced.decode, timeout_s)


def consume(
    topic: str,
    partition: int,
    offset: int,
    *,
    max_records: int | None = None,
    max_bytes: int = 1 << 20,
    wait_ms: int = 0,
    min_bytes: int = 1,
    reset: End | None = None,
    timeout_s: float | None = None,
) -> Call[Page]:
    """Read records from *offset* on; if there are none, wait up to *wait_ms* for *min_bytes*.

    :raises OffsetOutOfRange: the log does not hold *offset*, and *reset* does not say where to go instead.
    """
    request = Consume(
        topic,
        partition,
        offset,
        INT64_MAX if max_records is None else max_records,
        max_bytes,
        wait_ms,
        min_bytes,
        Encoding.B64,  # exact for any bytes, and read in C
        reset,
        any_order=wait_ms > 0,  # whoever shares the connection need not wait as well
        fields=ALL_FIELDS,
    )

    def read(payload: bytes) -> Page:
        found = Consumed.decode(payload, Encoding.B64)
        if found.keys is None or found.timestamps_ms is None:
            raise BadRequest(
                "fields: keys and timestamps are missing in the answer; this broker is older than this client"
            )
        rows = zip(found.offsets, found.values, found.keys, found.timestamps_ms, strict=True)
        records = tuple([Record(topic, partition, *row) for row in rows])
        return Page(records, found.next_offset, found.high_watermark, found.log_start)

    return Call(request, read, timeout_s, wait_ms / 1000)


def offsets(topic: str, partition: int, at: End | int, *, timeout_s: float | None = None) -> Call[OffsetFound]:
    """Ask where a partition begins or ends, or which record is the first that is not older than *at* (Unix ms)."""
    return Call(Offsets(topic, partition, at), OffsetFound.decode, timeout_s)


# --- what a caller may write ---


def as_bytes(text: Text | None) -> bytes | None:
    """A key or a value as it is stored."""
    return text.encode() if isinstance(text, str) else text


def as_acks(acks: Acks | str | int) -> Acks:
    """*acks* by any of its names. :raises BadRequest: it is none."""
    try:
        return acks if isinstance(acks, Acks) else Acks(str(acks).lower())
    except ValueError:
        raise BadRequest(f"acks: {acks!r} is not known here; use 0, 1 or all") from None
