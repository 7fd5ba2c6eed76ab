"""Linux's io_uring, as much of it as an ``fdatasync`` needs: the kernel does them side by side, in threads of its own.

Two rings in memory shared with the kernel. Entries are written into the first and handed over by one system call; the kernel writes
what became of them into the second, and the descriptor becomes readable. It may write there while we read: an entry first, and then
that there is one more. Python has no barrier to see these in that order; an x86-64 processor needs none, and others are left alone.
"""

import ctypes
import errno
import mmap
import os
import platform
import struct
import sys
from collections.abc import Sequence

_SETUP, _ENTER = 425, 426  # the same numbers on every machine
_OP_FSYNC, _FSYNC_DATASYNC = 3, 1
_ENTRIES_AT = 0x10000000  # where the submissions' entries are to be mapped; the rings themselves are at 0
_ONE_MAPPING = 1 << 0  # both rings in one mapping: Linux 5.4
_PARAMETERS = struct.Struct("=7I12x10I10I")
_ENTRY = struct.Struct(
    "=BBHiQQIIQ24x"
)  # opcode, flags, priority, descriptor, offset, address, length, how, token, unused
_COMPLETION = struct.Struct("=QiI")  # token, result, flags
_WRAPS = (1 << 32) - 1


class Ring:
    """Syncs under way, no more than *entries* (a power of two) at once. For one thread.

    *Action*: :meth:`fdatasync`. *Transitions*: ``fileno`` is readable when :meth:`completed` has something to tell.
    """

    def __init__(self, entries: int) -> None:
        """:raises OSError: the system has no io_uring, or not for this process: containers often forbid it."""
        self.under_way = 0
        self.refusal: OSError | None = None  # why no sync will begin, ever: a sandbox may forbid that alone
        self._libc = _libc()
        parameters = ctypes.create_string_buffer(_PARAMETERS.size)
        self._descriptor = self._call(_SETUP, entries, parameters)
        try:
            given = _PARAMETERS.unpack(parameters.raw)
            self.entries, completions, features = given[0], given[1], given[5]
            if not features & _ONE_MAPPING:
                raise OSError(f"io_uring without the features {_ONE_MAPPING}")
            self._head, self._tail, _, _, _, _, slots = (place // 4 for place in given[7:14])
            self._done_head, self._done_tail, _, _, _, self._completions_at = (
                place // 4 if number < 2 else place for number, place in enumerate(given[17:23])
            )
            self._mask, self._done_mask = self.entries - 1, completions - 1
            size = max(given[13] + 4 * self.entries, self._completions_at + _COMPLETION.size * completions)
            self._memory = mmap.mmap(self._descriptor, size, mmap.MAP_SHARED)
            self._submissions = mmap.mmap(
                self._descriptor, _ENTRY.size * self.entries, mmap.MAP_SHARED, offset=_ENTRIES_AT
            )
            self._words = memoryview(self._memory).cast("I")
            for number in range(self.entries):
                self._words[slots + number] = number  # each place in the ring has its own entry, for good
        except BaseException:
            os.close(self._descriptor)
            raise

    def fileno(self) -> int:
        """What becomes readable."""
        return self._descriptor

    def fdatasync(self, wanted: Sequence[tuple[int, int]]) -> int:
        """Begin to sync *wanted*: tokens, by which they are told apart, and descriptors. How many were begun, from the first on.

        Each stays open until its sync has ended: the kernel's thread looks it up when it gets to it, and would sync whatever
        had its number by then.
        """
        wanted = wanted[: self.entries - self.under_way]
        if not wanted:
            return 0
        words, tail = self._words, self._words[self._tail]
        for number, (token, descriptor) in enumerate(wanted):
            place = _ENTRY.size * ((tail + number) & self._mask)
            _ENTRY.pack_into(self._submissions, place, _OP_FSYNC, 0, 0, descriptor, 0, 0, 0, _FSYNC_DATASYNC, token)
        words[self._tail] = (tail + len(wanted)) & _WRAPS
        try:
            begun = self._call(_ENTER, self._descriptor, len(wanted), 0, 0, None, 0)
        except OSError as error:
            begun = 0
            if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                self.refusal = error
        words[self._tail] = words[self._head]  # what the kernel did not take it is not to take next time
        self.under_way += begun
        return begun

    def completed(self) -> list[tuple[int, int]]:
        """The tokens of those that have ended since the last call, each with its errno, 0 if the file is durable."""
        words, head = self._words, self._words[self._done_head]
        ended = []
        for number in range((words[self._done_tail] - head) & _WRAPS):
            place = self._completions_at + _COMPLETION.size * ((head + number) & self._done_mask)
            token, result, _ = _COMPLETION.unpack_from(self._memory, place)
            ended.append((token, -result))
        words[self._done_head] = (head + len(ended)) & _WRAPS
        self.under_way -= len(ended)
        return ended

    def close(self) -> None:
        """Let go of it. What is under way goes on, and nobody hears of it."""
        self._words.release()
        self._memory.close()
        self._submissions.close()
        os.close(self._descriptor)

    def _call(self, number: int, *arguments: object) -> int:
        result: int = self._libc.syscall(number, *arguments)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result


def _libc() -> ctypes.CDLL:
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        raise OSError(f"not on {sys.platform} on {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
