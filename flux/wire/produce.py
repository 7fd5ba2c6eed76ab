"""The produce family: one record a line, decoded and answered a run at a time.

:class:`Produce` is one request, :class:`ProduceRun` the columns of many. Both read a line by
:func:`~flux.wire.produce_line.read_line`, but the run takes the spelling clients use without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from flux.errors import BadRequest, FluxError
from flux.model import Acks, check_topic_name
from flux.wire.encoding import Encoding
from flux.wire.fields import Payload, write_payload
from flux.wire.produce_line import ACKS, DEFAULT_ACKS, USAGE, ends_in_option, read_line, travels_plain
from flux.wire.v1 import error_line
from flux.wire.values import read_topic

_HELP = (
    "Appends one record and answers its partition and offset, and hw, the offset of the last committed record. The key ends at the"
    " first colon and picks the partition; both it and the value may be empty. The value is the rest of the line as it is, up to"
    " the options at its end. acks=0 waits for nothing, acks=1 (the default) until the leader's log holds the record, acks=all"
    " until all in-sync replicas do. enc= says that key and value are percent- or base64-encoded, so that any bytes can travel;"
    " key=null stores no key, null=1 no value, ts= the record's timestamp."
)
_USUAL_ENDINGS = {b" acks=" + name.encode(): acks for name, acks in ACKS.items()}
_EQUALS: Final = 0x3D  # "="
_BLANK: Final = 0x20
_FREQUENT = 4  # lines with the same beginning and ending: fewer are read as fast one by one


class _Command:
    COMMAND: ClassVar[str] = "PRODUCE"
    USAGE: ClassVar[str] = USAGE
    HELP: ClassVar[str] = _HELP


class _Run(_Command):
    OVERLAPS: ClassVar[bool] = True  # a run may start while the PRODUCEs before it wait for their acks


@dataclass(frozen=True)
class Produce(_Command):
    """One record to append. ``key`` None is no key, ``value`` None a tombstone, ``timestamp_ms`` None the broker's time."""

    topic: str
    key: bytes | None
    value: bytes | None
    acks: Acks = DEFAULT_ACKS
    timestamp_ms: int | None = None

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        return cls(*read_line(arguments))

    def encode(self) -> bytes:
        """The arguments: key and value as they are if they come back so, else in the shorter encoding. :raises BadRequest: the topic."""
        key, value, options = self.key or b"", self.value or b"", b" acks=" + self.acks.value.encode()
        if not travels_plain(key, value):
            encoding = min(Encoding, key=lambda one: one.length(key) + one.length(value))
            key, value = encoding.encode(key), encoding.encode(value)
            options += b" enc=" + encoding.value.encode()
        if self.key is None:
            options += b" key=null"
        if self.value is None:
            options += b" null=1"
        if self.timestamp_ms is not None:
            options += b" ts=%d" % self.timestamp_ms
        return b"%b %b:%b%b" % (check_topic_name(self.topic).encode(), key, value, options)


@dataclass(frozen=True)
class Produced:
    """Where the record went, and the offset of the last committed one, -1 if there is none."""

    partition: int
    offset: int
    high_watermark_inclusive: int

    def encode(self) -> bytes:
        """``partition= offset= hw=``."""
        return write_payload(partition=self.partition, offset=self.offset, hw=self.high_watermark_inclusive)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """:raises BadRequest: a field is missing."""
        fields = Payload(payload)
        return cls(fields.integer("partition"), fields.integer("offset"), fields.integer("hw"))


@dataclass(init=False)
class ProduceRun(_Run):
    """Consecutive PRODUCEs as columns.

    ``errors`` says why some cannot be read; in their places the columns hold nothing of use. ``one_topic`` and ``one_acks`` are
    what all requests share; None if they do not, and whenever there are errors. ``timestamps`` is None if no request gave one.
    """

    topics: list[str]
    keys: list[bytes | None]
    values: list[bytes | None]
    acks: list[Acks]
    timestamps: list[int | None] | None
    errors: dict[int, FluxError]
    one_topic: str | None
    one_acks: Acks | None

    def __init__(
        self,
        topics: list[str],
        keys: list[bytes | None],
        values: list[bytes | None],
        acks: list[Acks],
        timestamps: list[int | None] | None = None,
        errors: dict[int, FluxError] | None = None,
        one_topic: str | None = None,
        one_acks: Acks | None = None,
    ) -> None:
        self.topics = topics
        self.keys = keys
        self.values = values
        self.acks = acks
        self.timestamps = timestamps
        self.errors = {} if errors is None else errors
        self.one_topic = one_topic
        self.one_acks = one_acks

    @classmethod
    def decode_run(cls, arguments: Sequence[bytes]) -> Self:
        """The columns of *arguments*, none of which holds a LF. Never raises."""
        count = len(arguments)
        run = cls([""] * count, [None] * count, [None] * count, [DEFAULT_ACKS] * count)
        unusual: list[int] = []
        for positions, alike in _parts(arguments):
            if alike is None:
                unusual += positions
            elif len(positions) == count:
                run.one_topic, run.one_acks, records = alike
                run.topics, run.acks = [run.one_topic] * count, [run.one_acks] * count
                unusual += run._take(positions, records)
            else:
                topic, acks, records = alike
                for position in positions:
                    run.topics[position], run.acks[position] = topic, acks
                unusual += run._take(positions, records)
        if unusual or run.one_topic is None:
            run._read_one_by_one(arguments, unusual)
        return run

    def _take(self, positions: list[int], records: list[bytes]) -> list[int]:
        """Split *records* at their first colons; the positions of those to which that does not do justice."""
        keys, values = self.keys, self.values
        unusual: list[int] = []
        for at, record in enumerate(records):
            position = positions[at]
            key, colon, value = record.partition(b":")
            keys[position] = key
            values[position] = value
            # Where there is a blank to be trimmed, or something below it, read_line looks.
            if (
                not colon
                or (value and value[-1] <= _BLANK)
                or (key and key[0] <= _BLANK)
                or (_EQUALS in value and ends_in_option(value))
            ):
                unusual.append(position)
        return unusual

    def _read_one_by_one(self, arguments: Sequence[bytes], positions: Sequence[int]) -> None:
        """Read those at *positions*; then see again what all have in common."""
        timestamps: dict[int, int] = {}
        for position in positions:
            try:
                topic, key, value, acks, timestamp_ms = read_line(arguments[position])
            except BadRequest as error:
                self.errors[position] = error
                continue
            self.topics[position], self.acks[position] = topic, acks
            self.keys[position], self.values[position] = key, value
            if timestamp_ms is not None:
                timestamps[position] = timestamp_ms
        count = len(arguments)
        if timestamps:
            self.timestamps = [timestamps.get(position) for position in range(count)]
        shared = bool(count) and not self.errors
        self.one_topic = self.topics[0] if shared and self.topics.count(self.topics[0]) == count else None
        self.one_acks = self.acks[0] if shared and self.acks.count(self.acks[0]) == count else None


@dataclass(init=False)
class ProducedRun:
    """The answers to a run as columns. Where ``errors`` has a position, the numbers there are not looked at, but must be numbers.

    ``places`` are a partition and its watermark as it is printed: the last committed offset, that is the exclusive one less one.
    """

    places: Sequence[tuple[int, int]]
    offsets: Sequence[int]
    errors: dict[int, FluxError]

    def __init__(
        self,
        places: Sequence[tuple[int, int]],
        offsets: Sequence[int],
        errors: dict[int, FluxError] | None = None,
    ) -> None:
        self.places = places
        self.offsets = offsets
        self.errors = {} if errors is None else errors

    def lines(self, correlation_ids: Sequence[bytes]) -> bytes:
        """Whole answer lines, newlines included, one for each id."""
        # Partition and watermark are mostly the same few pairs: each becomes a template once, one % fills in ids and offsets.
        templates = _Templates()
        varying: list[object] = [None] * (2 * len(self.offsets))
        varying[::2] = correlation_ids
        varying[1::2] = self.offsets
        text = b"".join([templates[place] for place in self.places]) % tuple(varying)
        if not self.errors:
            return text
        lines = text.split(b"\n")
        for position, error in self.errors.items():
            lines[position] = error_line(correlation_ids[position], error.code, str(error))[:-1]
        return b"\n".join(lines)


class _Templates(dict[tuple[int, int], bytes]):
    def __missing__(self, pair: tuple[int, int]) -> bytes:
        template = self[pair] = b"V1|%%b|OK|partition=%d offset=%%d hw=%d\n" % pair
        return template


_Alike = tuple[str, Acks, list[bytes]]  # what lines share, topic and acks, and what is left of each: key:value


def _parts(arguments: Sequence[bytes]) -> list[tuple[list[int], _Alike | None]]:
    """Positions and what their lines share: mostly one part; else one for each beginning and ending that is frequent, and the rest."""
    whole = _alike(arguments)
    if whole is not None or len(arguments) < _FREQUENT:
        return [(list(range(len(arguments))), whole)]
    by_ends: dict[tuple[bytes, bytes], list[int]] = {}
    for position, text in enumerate(arguments):
        by_ends.setdefault((text.partition(b" ")[0], text.rpartition(b" ")[2]), []).append(position)
    parts: list[tuple[list[int], _Alike | None]] = []
    for positions in by_ends.values():
        frequent = len(positions) >= _FREQUENT
        parts.append((positions, _alike([arguments[position] for position in positions]) if frequent else None))
    return parts


def _alike(arguments: Sequence[bytes]) -> _Alike | None:
    """What *arguments* share, if they all begin with one topic and end in one plain ``acks=``, or none."""
    if not arguments:
        return None
    first = arguments[0]
    word = first.partition(b" ")[0]
    ending = first[first.rfind(b" ") :]
    if ending not in _USUAL_ENDINGS:
        ending = b""
    try:
        topic = read_topic(word)
    except BadRequest:
        return None
    # A line's ending, the LF and the next line's beginning are one separator, and as there are just as many LFs, each part lies
    # between the beginning and the ending of its own line. Costs 0.09 µs a line; startswith, endswith and two slices cost 0.30.
    beginning = word + b" "
    records = b"\n".join((ending, *arguments, beginning)).split(ending + b"\n" + beginning)
    if len(records) != len(arguments) + 2:
        return None
    return topic, _USUAL_ENDINGS.get(ending, DEFAULT_ACKS), records[1:-1]
