"""CONSUME: records as text."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple, Self

from flux.errors import BadRequest
from flux.wire.encoding import Encoding, percent_encoded, shown
from flux.wire.fields import Arguments, Payload, write_arguments
from flux.wire.offsets import ENDS, End
from flux.wire.values import INT64_MAX, read_integer, spellings, write_value


class Field(enum.Enum):
    """What a CONSUME may ask for besides values, in the order in which the answer shows it."""

    KEYS = "keys"
    TIMESTAMPS = "timestamps"
    TOMBSTONES = "tombstones"


ALL_FIELDS = tuple(Field)

_ENCODINGS = spellings(Encoding)
_FIELDS = spellings(Field)
_DEFAULT_MAX_BYTES = 1 << 20
_REMEMBERED = 128  # bytes of options that are remembered; some as long as a line would fill memory
# What breaks the frame of a plain answer: control bytes, and the comma between messages. LF is found by counting.
_UNSAFE = bytes(range(0x20)) + b"\x7f,"
_SAFE = bytes(byte for byte in range(256) if byte not in _UNSAFE)
_SAFE_OR_LF = _SAFE + b"\n"
_BLANK = ord(" ")  # `in` finds a byte by its number eight times as fast as by its bytes
_UNESCAPES = {percent_encoded(bytes([byte]))[1:]: bytes([byte]) for byte in _UNSAFE}


class _Command:
    COMMAND: ClassVar[str] = "CONSUME"
    USAGE: ClassVar[str] = (
        "<topic> <partition> <offset> [max_records=<n>] [max_bytes=<n>] [wait_ms=<ms>] [min_bytes=<n>] [enc=pct|b64]"
        " [reset=earliest|latest] [order=any] [fields=keys,timestamps,tombstones]"
    )
    HELP: ClassVar[str] = (
        "Answers the records from an offset on as messages=<offset>:<value>,<offset>:<value>,… then hw, the offset of the last"
        " committed record, next, the offset to go on from, and log_start, the first one there is. With nothing to show it answers at"
        " once, or with wait_ms= waits that long for min_bytes= (1). max_bytes= (1048576) and max_records= bound the answer. Commas,"
        " control bytes and the blank of ' hw=' inside a value are percent-encoded; with enc=pct or enc=b64 the whole value is, so"
        " that it decodes exactly. reset= says where to go if the log no longer, or not yet, holds the offset; with order=any"
        " requests behind this one need not wait for it. fields= appends what else a record has: keys=<offset>:<key>,… of those that"
        " have one, encoded as enc says and percent-encoded without it; timestamps=<ms>,… one a message; tombstones=[<offset> …] of"
        " those whose value is null."
    )


# Not frozen, and with an __init__ of their own: made by dataclass() that is the interpreter's, also of a compiled class. Whoever
# gets records one by one needs a Consume and a Consumed for each: 30.6 → 27.1 µs.
@dataclass(init=False)
class Consume(_Command):
    """Records from an offset on. ``reset`` says where to go if the log does not hold it; ``enc`` None is the plain text.

    ``fields`` is what to show besides values, in :class:`Field`'s order.
    """

    topic: str
    partition: int
    offset: int
    max_records: int
    max_bytes: int
    wait_ms: int
    min_bytes: int
    enc: Encoding | None
    reset: End | None
    any_order: bool
    fields: tuple[Field, ...]

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        max_records: int = INT64_MAX,
        max_bytes: int = _DEFAULT_MAX_BYTES,
        wait_ms: int = 0,
        min_bytes: int = 1,
        enc: Encoding | None = None,
        reset: End | None = None,
        any_order: bool = False,
        fields: tuple[Field, ...] = (),
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.wait_ms = wait_ms
        self.min_bytes = min_bytes
        self.enc = enc
        self.reset = reset
        self.any_order = any_order
        self.fields = fields

    @property
    def wait_s(self) -> float:
        """How long it may be parked, in seconds."""
        return self.wait_ms / 1000

    @property
    def overtakable(self) -> bool:
        """Whether requests behind it may be answered first."""
        return self.any_order

    @classmethod
    def decode(cls, arguments: bytes) -> Self:
        """:raises BadRequest: names the field, the value and the way out."""
        cursor = Arguments(arguments, cls)
        topic = cursor.topic()
        partition = cursor.integer("partition", minimum=0)
        offset = cursor.integer("offset", minimum=0)
        if not cursor.more:
            return cls(topic, partition, offset)
        options = cursor.rest()
        return cls(topic, partition, offset, *(_options if len(options) <= _REMEMBERED else _read_options)(options))

    def encode(self) -> bytes:
        """The arguments, without options at their defaults. :raises BadRequest: the topic is not one word."""
        return write_arguments(
            self.topic,
            self.partition,
            self.offset,
            max_records=_unless(INT64_MAX, self.max_records),
            max_bytes=_unless(_DEFAULT_MAX_BYTES, self.max_bytes),
            wait_ms=_unless(0, self.wait_ms),
            min_bytes=_unless(1, self.min_bytes),
            enc=self.enc,
            reset=self.reset,
            order="any" if self.any_order else None,
            fields=",".join(field.value for field in self.fields) or None,
        )


@dataclass(init=False)
class Consumed:
    """Records, and where to go on. ``high_watermark`` is *exclusive*, as inside the broker; it is printed less one.

    ``keys`` and ``timestamps_ms`` are shown if they are there, one for each value. A value of None (a tombstone) is shown as an
    empty one, and told from it if ``tombstones`` says so.
    """

    offsets: Sequence[int]
    values: Sequence[bytes | None]
    high_watermark: int
    next_offset: int
    log_start: int
    enc: Encoding | None
    keys: Sequence[bytes | None] | None
    timestamps_ms: Sequence[int] | None
    tombstones: bool

    def __init__(
        self,
        offsets: Sequence[int],
        values: Sequence[bytes | None],
        high_watermark: int,
        next_offset: int,
        log_start: int,
        enc: Encoding | None = None,
        keys: Sequence[bytes | None] | None = None,
        timestamps_ms: Sequence[int] | None = None,
        tombstones: bool = False,
    ) -> None:
        self.offsets = offsets
        self.values = values
        self.high_watermark = high_watermark
        self.next_offset = next_offset
        self.log_start = log_start
        self.enc = enc
        self.keys = keys
        self.timestamps_ms = timestamps_ms
        self.tombstones = tombstones

    def encode(self) -> bytes:
        """``messages=<o>:<value>,… hw= next= log_start=``, values encoded as ``enc`` says, then what else there is."""
        present = [value or b"" for value in self.values]
        values = _plain(present) if self.enc is None else [self.enc.encode(value) for value in present]
        payload = b"messages=%b hw=%d next=%d log_start=%d" % (
            _items(self.offsets, values),
            self.high_watermark - 1,
            self.next_offset,
            self.log_start,
        )
        if self.keys is not None:
            encode = (self.enc or Encoding.PCT).encode
            keyed = [(offset, key) for offset, key in zip(self.offsets, self.keys, strict=True) if key is not None]
            payload += b" keys=" + _items([offset for offset, _ in keyed], [encode(key) for _, key in keyed])
        if self.timestamps_ms is not None:
            payload += b" timestamps=" + b",".join([b"%d" % stamp for stamp in self.timestamps_ms])
        if self.tombstones:
            nulls = [offset for offset, value in zip(self.offsets, self.values, strict=True) if value is None]
            payload += b" tombstones=" + write_value(nulls)
        return payload

    @classmethod
    def decode(cls, payload: bytes, enc: Encoding | None = None) -> Self:
        """What a request with this *enc* was answered. Exact with an encoding.

        Without one it is a best guess, because plain text does not escape ``%``: a value that was stored holding ``%2C``, or
        another escape of the plain text, comes back as the byte that this stands for.

        :raises BadRequest: this is no such payload.
        """
        name, equals, rest = payload.partition(b"=")
        messages, blank, tail = rest.partition(b" hw=")
        if name != b"messages" or not equals or not blank:
            raise BadRequest(f"messages: {shown(payload)} is no answer to CONSUME; is this a broker that speaks V1?")
        shown_fields = Payload(b"hw=" + tail)
        offsets, texts = _read_items("messages", messages)
        values: list[bytes | None] = [
            _unescaped(text) if enc is None else enc.decode("messages", text) for text in texts
        ]
        keys: list[bytes | None] | None = None
        timestamps_ms: list[int] | None = None
        if "keys" in shown_fields:
            keyed = dict(zip(*_read_items("keys", shown_fields.raw("keys")), strict=True))
            decode = (enc or Encoding.PCT).decode
            keys = [decode("keys", keyed[offset]) if offset in keyed else None for offset in offsets]
        if "timestamps" in shown_fields:
            stamps = shown_fields.raw("timestamps")
            timestamps_ms = [read_integer("timestamps", stamp) for stamp in stamps.split(b",")] if stamps else []
            if len(timestamps_ms) != len(offsets):
                raise BadRequest(f"timestamps: {len(timestamps_ms)} of them came with {len(offsets)} messages")
        tombstones = "tombstones" in shown_fields
        if tombstones:
            nulls = set(shown_fields.integers("tombstones"))
            values = [None if offset in nulls else value for offset, value in zip(offsets, values, strict=True)]
        high_watermark = shown_fields.integer("hw") + 1
        next_offset, log_start = shown_fields.integer("next"), shown_fields.integer("log_start")
        return cls(offsets, values, high_watermark, next_offset, log_start, enc, keys, timestamps_ms, tombstones)


class _Options(NamedTuple):
    """What may follow the offset, in the order of :class:`Consume`."""

    max_records: int
    max_bytes: int
    wait_ms: int
    min_bytes: int
    enc: Encoding | None
    reset: End | None
    any_order: bool
    fields: tuple[Field, ...]


def _read_options(text: bytes) -> _Options:
    """:raises BadRequest: see :meth:`Consume.decode`."""
    options = Arguments(text, Consume).options(
        "max_records", "max_bytes", "wait_ms", "min_bytes", "enc", "reset", "order", "fields"
    )
    return _Options(
        options.integer("max_records", INT64_MAX, minimum=1),
        options.integer("max_bytes", _DEFAULT_MAX_BYTES, minimum=1),
        options.integer("wait_ms", 0, minimum=0),
        options.integer("min_bytes", 1, minimum=0),
        options.choice("enc", _ENCODINGS, None),
        options.choice("reset", ENDS, None),
        options.choice("order", {"any": True}, False),
        options.choices("fields", _FIELDS),
    )


# A consumer asks with the same options over and over: reading them takes 2 µs, the seven of a client library 8.
_options = lru_cache(maxsize=64)(_read_options)


def _items(offsets: Sequence[int], texts: Sequence[bytes]) -> bytes:
    """``<o>:<text>,…``. :raises ValueError: there is not one text for each offset."""
    # One % over one template: 0.05 µs an item, where a % and a join for each take 0.1.
    varying: list[object] = [None] * (2 * len(offsets))
    varying[::2] = offsets
    varying[1::2] = texts
    return (b"%d:%b," * len(offsets) % tuple(varying))[:-1]


def _read_items(field: str, text: bytes) -> tuple[list[int], list[bytes]]:
    offsets: list[int] = []
    texts: list[bytes] = []
    for item in text.split(b",") if text else ():
        offset, colon, rest = item.partition(b":")
        if not colon:
            raise BadRequest(f"{field}: {shown(item)} has no colon; every item is <offset>:<text>")
        offsets.append(read_integer(field, offset))
        texts.append(rest)
    return offsets, texts


def _plain(values: list[bytes]) -> list[bytes]:
    """*values* without what would break a plain answer's frame.

    Looked at and mended all at once, by whole-text operations, as long as none holds the LF that keeps them apart meanwhile.
    """
    text = b"\n".join(values)
    # Mostly nothing is unsafe but our own LFs, and one pass over the text tells. A blank is found much faster than b" hw=".
    if len(text.translate(None, _SAFE)) < max(len(values), 1) and not (_BLANK in text and b" hw=" in text):
        return values
    if text.count(b"\n") >= len(values) > 0:
        return [_escaped(value, _SAFE) for value in values]
    return _escaped(text, _SAFE_OR_LF).split(b"\n")


def _escaped(text: bytes, safe: bytes) -> bytes:
    for byte in set(text.translate(None, safe)):
        letter = bytes([byte])
        text = text.replace(letter, percent_encoded(letter))
    # replace() copies even if there is nothing to replace
    return text.replace(b" hw=", b"%20hw=") if b" hw=" in text else text


def _unescaped(text: bytes) -> bytes:
    first, *rest = text.split(b"%")
    pieces = [first]
    for piece in rest:
        if piece.startswith(b"20hw="):
            pieces += b" ", piece[2:]
        elif piece[:2] in _UNESCAPES:
            pieces += _UNESCAPES[piece[:2]], piece[2:]
        else:
            pieces += b"%", piece
    return b"".join(pieces)


def _unless(default: int, value: int) -> int | None:
    return None if value == default else value
