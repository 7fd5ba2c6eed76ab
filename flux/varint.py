"""Zigzag varints: how record batches write lengths and deltas.

Seven bits a byte, lowest first, the high bit says that more follow; the sign is the lowest bit (Kafka's varint and varlong).
"""

# All of one and two bytes, by their numbers: looked up, not computed.
WRITTEN: list[bytes] = [bytes((number << 1,)) for number in range(64)]
WRITTEN += [bytes((number << 1 & 127 | 128, number >> 6)) for number in range(64, 8192)]


def write(number: int) -> bytes:
    """*number*, which fits 64 bits, in one to ten bytes."""
    if 0 <= number < 8192:
        return WRITTEN[number]
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
    first = data[at]
    if first < 128:
        return first >> 1 ^ -(first & 1), at + 1
    byte = data[at + 1]
    if 0 < byte < 128:
        return (first & 127 | byte << 7) >> 1 ^ -(first & 1), at + 2
    rest, shift = first & 127, 7
    while byte > 127 and shift < bits:
        rest |= (byte & 127) << shift
        shift += 7
        at += 1
        byte = data[at + 1]
    rest |= byte << shift
    if byte > 127 or rest >> bits:
        raise ValueError(f"a varint does not fit {bits} bits")
    if byte == 0:
        raise ValueError("a varint is longer than its number needs")
    return rest >> 1 ^ -(rest & 1), at + 2
