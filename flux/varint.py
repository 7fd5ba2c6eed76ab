"""Zigzag varints: how record batches write lengths and deltas.

Seven bits a byte, lowest first, the high bit says that more follow; the sign is the lowest bit (Kafka's varint and varlong).
"""


def write(number: int) -> bytes:
    """*number*, which fits 64 bits, in one to ten bytes."""
    rest = number << 1 if number >= 0 else ~(number << 1)
    written = bytearray()
    while rest > 127:
        written.append(rest & 127 | 128)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def read(data: bytes, at: int, bits: int = 32) -> tuple[int, int]:
    """The number at *at*, and where it ends.

    A number written longer than it need be is refused, so that :func:`flux.records.values` may tell the size of an offset delta
    without reading it. No known client writes such numbers.

    :raises IndexError: *data* ends within it. :raises ValueError: it does not fit *bits* bits, or is too long for what it says.
    """
    byte = data[at]
    at += 1
    if byte < 128:
        return byte >> 1 ^ -(byte & 1), at
    rest = byte & 127
    for shift in range(7, bits + 7, 7):
        byte = data[at]
        at += 1
        rest |= (byte & 127) << shift
        if byte < 128:
            break
    if byte > 127 or rest >> bits:
        raise ValueError(f"a varint does not fit {bits} bits")
    if byte == 0:
        raise ValueError("a varint is longer than its number needs")
    return rest >> 1 ^ -(rest & 1), at
