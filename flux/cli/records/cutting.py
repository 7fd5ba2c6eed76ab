"""Bytes into records: where one ends, and where its key does."""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import click

_READ_BYTES = 1 << 17
_LONGEST = 64 << 20  # no broker takes a record like that; somebody is mistaken about the delimiter

_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "\\": b"\\"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.|\Z)", re.DOTALL)


class Cut(NamedTuple):
    """One record as it was read. ``key`` None is no key, ``value`` None a tombstone."""

    key: bytes | None
    value: bytes | None


class Cutter:
    """Cuts what it reads at *delimiter*; the first *key_delimiter* in a record, if it has one, ends its key.

    A record without it has no key. With *tombstones* an empty value is none at all.
    """

    def __init__(
        self, delimiter: bytes, key_delimiter: bytes | None, key: bytes | None = None, tombstones: bool = False
    ) -> None:
        self._delimiter = delimiter
        self._key_delimiter = key_delimiter
        self._key = key
        self._tombstones = tombstones

    def chunks(self, stream: BinaryIO) -> Iterator[tuple[int, list[Cut]]]:
        """As many records as could be read without waiting, and of how many bytes. What ends without a delimiter is a record too.

        :raises click.ClickException: there is no delimiter far and wide.
        """
        read1 = getattr(stream, "read1", stream.read)
        begun: list[bytes] = []
        size = 0
        while chunk := read1(_READ_BYTES):
            begun.append(chunk)
            size += len(chunk)
            whole: list[bytes] = []
            if self._delimiter[-1:] in chunk:
                *whole, rest = b"".join(begun).split(self._delimiter)
                begun, size = [rest], len(rest)
            elif size > _LONGEST:
                raise click.ClickException(
                    f"a record of more than {size >> 20} MiB has no end; is {self._delimiter!r} the right delimiter?"
                )
            yield len(chunk), list(map(self.cut, whole))
        if any(begun):
            yield 0, [self.cut(b"".join(begun))]

    def cut(self, text: bytes) -> Cut:
        """One record."""
        key, value = self._key, text
        if self._key_delimiter is not None:
            before, found, after = text.partition(self._key_delimiter)
            if found:
                key, value = before, after
        return Cut(key, None if self._tombstones and not value else value)


def unescaped(text: str) -> bytes:
    r"""*text* with ``\n``, ``\t``, ``\r``, ``\0``, ``\\`` and ``\xNN`` as the bytes they stand for. :raises ValueError: it has another."""
    pieces = []
    at = 0
    for escape in _ESCAPE.finditer(text):
        pieces.append(text[at : escape.start()].encode())
        pieces.append(_byte(escape[1]))
        at = escape.end()
    return b"".join([*pieces, text[at:].encode()])


def _byte(name: str) -> bytes:
    if len(name) == 3:
        return bytes.fromhex(name[1:])
    if name not in _ESCAPES:
        raise ValueError(f"\\{name} is no escape here; there are \\n \\t \\r \\0 \\\\ and \\xNN")
    return _ESCAPES[name]


def escaped_option(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> bytes | None:
    """For ``callback=``: the option is some bytes, at least one."""
    try:
        if text is None or unescaped(text):
            return None if text is None else unescaped(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
    raise click.BadParameter("it is empty.")
