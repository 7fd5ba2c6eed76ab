"""Key → partition.

FNV-1a, 32 bit (Fowler, Noll, Vo; draft-eastlake-fnv), modulo the topic's partition count: deployed clients rely on it.
"""

from itertools import count

_OFFSET_BASIS = 2166136261
_PRIME = 16777619
_CACHED_KEYS = 65536  # a topic; past it the cache is emptied: hashing again costs 1 µs for 10 bytes, a lookup 0.03


def fnv1a(key: bytes) -> int:
    """The 32-bit FNV-1a hash of *key*."""
    value = _OFFSET_BASIS
    for byte in key:
        value = (value ^ byte) * _PRIME & 0xFFFFFFFF
    return value


class KeyRoutes(dict[bytes, int]):
    """One topic's keys and their partitions: ``routes[key]``, remembered; :meth:`spread` for records without a key."""

    def __init__(self, partitions: int) -> None:
        super().__init__()
        self.partitions = partitions
        self._turn = count()

    def __missing__(self, key: bytes) -> int:
        if len(self) >= _CACHED_KEYS:
            self.clear()
        partition = fnv1a(key) % self.partitions
        if len(key) <= 256:  # long keys are rarely repeated, and would fill memory
            self[key] = partition
        return partition

    def spread(self) -> int:
        """The next partition, round robin."""
        return next(self._turn) % self.partitions
