"""Compressed payloads of record batches, read within bounds.

Flux stores batches as they were sent and compresses none of its own; this is for those who must look inside, to validate what a
client sent or to turn it into text. Codecs have the numbers of a batch's attributes. gzip needs nothing but the standard library;
snappy, lz4 and zstd need cramjam, the extra ``compression``.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

from flux.errors import FluxError

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

MAX_DECOMPRESSED_BYTES = 8 << 20  # eight times the largest batch a client sends by default
MAX_RATIO = 100
ANY_RATIO_BYTES = (
    1 << 20
)  # up to here the ratio does not matter: equal records shrink more than a hundredfold, and honestly

_XERIAL_MAGIC = b"\x82SNAPPY\0"
_XERIAL_HEADER_SIZE = 16  # the magic, then two version numbers, which some clients write with their bytes swapped
_FIRST_GUESS_BYTES = 64 << 10


class CodecMissing(FluxError):
    """The library that reads this codec is not installed."""


def decompress(codec: int, data: bytes | memoryview, max_bytes: int = MAX_DECOMPRESSED_BYTES) -> bytes:
    """What *data* holds: at most *max_bytes*, and at most :data:`MAX_RATIO` times its own size. Whatever *data* claims, the
    memory used on the way is a small multiple of that.

    :raises ValueError: *codec* is not one of :data:`CODECS`, *data* is damaged or holds more; the message names the limit.
    :raises CodecMissing: the extra ``compression`` is not installed.
    """
    reader = _READERS.get(codec)
    if reader is None:
        raise ValueError(f"there is no compression codec {codec}")
    limit = min(max_bytes, max(ANY_RATIO_BYTES, MAX_RATIO * len(data)))
    return reader(data, limit)


def _too_large(codec: int, limit: int) -> ValueError:
    return ValueError(f"{CODECS[codec]}: more than the limit of {limit} bytes")


def _gzip(data: bytes | memoryview, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # with gzip's header and checksum
    try:
        found = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise ValueError(f"gzip: {error}") from error
    if len(found) > limit:
        raise _too_large(1, limit)
    # One member only: no client writes several, and thousands of empty ones would cost a copy of the rest each.
    if not stream.eof or stream.unused_data:
        raise ValueError("gzip: " + ("bytes after the end" if stream.eof else "cut short"))
    return found


def _snappy(data: bytes | memoryview, limit: int) -> bytes:
    """Raw snappy (librdkafka), or blocks of it in the frame of the xerial library (Java, Python)."""
    library = _cramjam(2)
    found = bytearray()
    for block in _xerial_blocks(data) if data[: len(_XERIAL_MAGIC)] == _XERIAL_MAGIC else [data]:
        try:
            # Looked at first: it is what would be allocated.
            if library.snappy.decompress_raw_len(block) > limit - len(found):
                raise _too_large(2, limit)
            found += library.snappy.decompress_raw(block)
        except library.DecompressionError as error:
            raise ValueError(str(error)) from error
    return bytes(found)


def _xerial_blocks(data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    at = _XERIAL_HEADER_SIZE
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if size > len(data) - at:
            raise ValueError("snappy: a block is cut short")
        yield data[at : at + size]
        at += size


def _framed(data: bytes | memoryview, limit: int, codec: int) -> bytes:
    """lz4 and zstd, into a buffer that may be too small, then into a larger one, up to the limit.

    A frame does not say, or not truthfully, how much it holds; the library stops at the buffer's end. Besides the buffer zstd
    reserves the frame's window, 128 MiB of addresses at most, and touches as much of it as there is output.
    """
    library = _cramjam(codec)
    decompress_into = getattr(library, CODECS[codec]).decompress_into
    size = min(limit, max(_FIRST_GUESS_BYTES, 4 * len(data)))
    while True:
        buffer = bytearray(size)
        try:
            return bytes(memoryview(buffer)[: decompress_into(data, buffer)])
        except library.DecompressionError as error:
            if size == limit:
                raise ValueError(f"{CODECS[codec]}: damaged, or {_too_large(codec, limit)} ({error})") from error
        size = min(limit, size * 4)


def _cramjam(codec: int) -> ModuleType:
    try:
        import cramjam
    except ImportError:
        raise CodecMissing(
            f"a batch is compressed with {CODECS[codec]}: install cramjam, the extra 'compression' of flux-broker"
        ) from None
    return cramjam


_READERS: dict[int, Callable[[bytes | memoryview, int], bytes]] = {
    1: _gzip,
    2: _snappy,
    3: partial(_framed, codec=3),
    4: partial(_framed, codec=4),
}
