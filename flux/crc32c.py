"""CRC-32C (Castagnoli; RFC 3720, B.4), the checksum of a record batch."""

from typing import Protocol


class Checksum(Protocol):
    """How a checksum is asked for."""

    def __call__(self, data: bytes | memoryview, initial: int = 0, /) -> int:
        """The checksum of *data*, going on from *initial*, that of what came before it."""


def slow_crc32c(data: bytes | memoryview, initial: int = 0, /) -> int:
    """The same logs without the extension, at 5 MB/s instead of 12 GB/s."""
    crc = initial ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # the polynomial 0x1EDC6F41, its bits reversed
    return byte


_TABLE = [_entry(byte) for byte in range(256)]

try:
    from fastcrc.crc32 import iscsi
except ImportError:  # a platform it is not built for
    crc32c: Checksum = slow_crc32c
else:
    crc32c = iscsi
