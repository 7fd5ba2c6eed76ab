"""CRC-32C (Castagnoli; RFC 3720 appendix B.4), the checksum of a record batch."""


def slow_crc32c(data: bytes | memoryview, initial: int = 0) -> int:
    """The checksum of *data*, going on from *initial*, that of what came before it: 10 MB/s where the extension does 12 GB/s."""
    crc = initial ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # the polynomial 0x1EDC6F41, bits reversed
    return byte


_TABLE = [_entry(byte) for byte in range(256)]

try:
    from fastcrc.crc32 import iscsi as crc32c
except ImportError:  # a platform without a wheel: slow, but the same logs
    crc32c = slow_crc32c

__all__ = ["crc32c", "slow_crc32c"]
