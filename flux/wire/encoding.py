"""Bytes as text: what ``enc=`` names, and how a value is shown in an error."""

import binascii
import enum

from flux.errors import BadRequest

BLANKS = b" \t"  # what separates words; other white space is part of them
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"  # RFC 3986

_SHOWN_CHARACTERS = 60
_ESCAPES = [bytes([byte]) if byte in UNRESERVED else b"%%%02X" % byte for byte in range(256)]
_HEX = b"0123456789ABCDEFabcdef"
_UNESCAPES = {bytes(pair): bytes([int(bytes(pair), 16)]) for pair in ((high, low) for high in _HEX for low in _HEX)}


class Encoding(enum.Enum):
    """How a key or a value that may hold any bytes travels in a line."""

    PCT = "pct"
    B64 = "b64"

    def encode(self, data: bytes) -> bytes:
        """*data* as text without blanks, colons, commas or line ends."""
        return percent_encoded(data) if self is Encoding.PCT else binascii.b2a_base64(data, newline=False)

    def decode(self, field: str, text: bytes) -> bytes:
        """The bytes that *text* stands for. :raises BadRequest: it is not what :meth:`encode` writes; names *field*."""
        return percent_decoded(field, text) if self is Encoding.PCT else _base64_decoded(field, text)

    def length(self, data: bytes) -> int:
        """How long :meth:`encode` would make it, without the work."""
        if self is Encoding.PCT:
            return len(data) + 2 * len(data.translate(None, UNRESERVED))
        return (len(data) + 2) // 3 * 4


def percent_encoded(data: bytes) -> bytes:
    """*data* with every byte that is not unreserved as ``%XX``."""
    if not data.translate(None, UNRESERVED):
        return data
    return b"".join([_ESCAPES[byte] for byte in data])


def percent_decoded(field: str, text: bytes) -> bytes:
    """The bytes *text* stands for; whatever is no ``%XX`` stands for itself. :raises BadRequest: a ``%`` without two hex digits."""
    first, *rest = text.split(b"%")
    pieces = [first]
    for piece in rest:
        byte = _UNESCAPES.get(piece[:2])
        if byte is None:
            raise BadRequest(f"{field}: {shown(b'%' + piece[:2])} in {shown(text)} is no escape; write % itself as %25")
        pieces += byte, piece[2:]
    return b"".join(pieces)


def shown(value: bytes) -> str:
    """*value* as an error message may hold it: quoted, printable, shortened."""
    text = value[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "backslashreplace")
    return repr(text if len(value) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def _base64_decoded(field: str, text: bytes) -> bytes:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        data = None
    # Even strict mode takes superfluous padding and stray bits after the last byte: one value, one spelling.
    if data is None or binascii.b2a_base64(data, newline=False) != text:
        raise BadRequest(f"{field}: {shown(text)} is not base64; use A-Z a-z 0-9 + / and pad with = to a multiple of 4")
    return data
