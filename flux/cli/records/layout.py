"""A record as text: kcat's format strings, JSON lines, or columns."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from flux.cli.records.cutting import unescaped
from flux.cli.shell.octets import exact, legible
from flux.cli.shell.printing import cell, compact

if TYPE_CHECKING:
    from flux.client import Record

Layout = Callable[["Record"], bytes]

_DIRECTIVE = re.compile(r"%(.|\Z)", re.DOTALL)


def as_json(record: "Record") -> bytes:
    """One object on a line. What is no UTF-8 stands in ``key_base64`` or ``value_base64`` instead."""
    shown = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        **exact("key", record.key),
        **exact("value", record.value),
    }
    return compact(shown).encode() + b"\n"


def as_columns(record: "Record") -> bytes:
    """Partition, offset, timestamp, key and value, separated by tabs; what would break a column is escaped."""
    cells = (record.partition, record.offset, record.timestamp_ms, legible(record.key), legible(record.value))
    return "\t".join(map(cell, cells)).encode() + b"\n"


def as_told(template: str, null: bytes = b"") -> Layout:
    r"""By a format string: ``%s`` value, ``%k`` key, ``%t`` topic, ``%p`` partition, ``%o`` offset, ``%T`` timestamp (Unix ms), ``%S`` and
    ``%K`` the lengths of value and key (-1: there is none), ``%%``; and the escapes ``\n``, ``\t``, … *null* stands for what is not there.

    :raises ValueError: it holds another one.
    """
    fields: dict[str, Layout] = {
        "s": lambda record: null if record.value is None else record.value,
        "k": lambda record: null if record.key is None else record.key,
        "t": lambda record: record.topic.encode(),
        "p": lambda record: b"%d" % record.partition,
        "o": lambda record: b"%d" % record.offset,
        "T": lambda record: b"%d" % record.timestamp_ms,
        "S": lambda record: b"%d" % _length(record.value),
        "K": lambda record: b"%d" % _length(record.key),
        "%": lambda _: b"%",
    }
    fields["v"] = fields["s"]  # rpk's name for it
    pieces: list[Layout] = []
    at = 0
    for directive in _DIRECTIVE.finditer(template):
        pieces.append(_constant(unescaped(template[at : directive.start()])))
        if directive[1] not in fields:
            raise ValueError(
                f"%{directive[1]} is nothing of a record; there are {' '.join(f'%{name}' for name in fields)}"
            )
        pieces.append(fields[directive[1]])
        at = directive.end()
    pieces.append(_constant(unescaped(template[at:])))
    return lambda record: b"".join([piece(record) for piece in pieces])


def as_values(key_delimiter: bytes | None, delimiter: bytes, null: bytes = b"") -> Layout:
    """The value, and what ends it; before it the key and what ends that, if it is to be shown."""
    if key_delimiter is None:
        return lambda record: (null if record.value is None else record.value) + delimiter
    return lambda record: b"".join(
        [
            null if record.key is None else record.key,
            key_delimiter,
            null if record.value is None else record.value,
            delimiter,
        ]
    )


def _constant(text: bytes) -> Layout:
    return lambda _: text


def _length(data: bytes | None) -> int:
    return -1 if data is None else len(data)
