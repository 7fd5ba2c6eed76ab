"""The kernel's own way of syncing, where there is one. How it is gone without is in :mod:`tests.test_kernel_syncs`."""

import errno
import os
import select

from twisted.trial.unittest import SynchronousTestCase

from flux.io_uring import Ring

PATIENCE_MS = 20_000


def is_there() -> bool:
    """Whether this kernel has a ring for us."""
    try:
        Ring(1).close()
    except OSError:
        return False
    return True


class Absent(SynchronousTestCase):
    def test_what_cannot_be_had_is_an_os_error(self) -> None:
        """A ring of no entries is refused like any that the system does not grant; no descriptor is left."""
        before = len(os.listdir("/dev/fd"))
        self.assertRaises(OSError, Ring, 0)
        self.assertEqual(len(os.listdir("/dev/fd")), before)


if is_there():

    class Present(SynchronousTestCase):
        """A ring of four."""

        def setUp(self) -> None:
            self.ring = Ring(4)
            self.addCleanup(self.ring.close)
            self.file = os.open(self.mktemp(), os.O_CREAT | os.O_RDWR)
            self.addCleanup(os.close, self.file)
            os.write(self.file, b"bytes")

        def ended(self, count: int) -> list[tuple[int, int]]:
            """What became of that many, sorted: they end in any order."""
            found: list[tuple[int, int]] = []
            poll = select.poll()
            poll.register(self.ring, select.POLLIN)
            while len(found) < count:
                self.assertNotEqual(poll.poll(PATIENCE_MS), [], "it does not become readable")
                found += self.ring.completed()
            return sorted(found)

        def test_a_file_is_synced(self) -> None:
            """It is told once, by its token."""
            self.assertEqual(self.ring.fdatasync([(7, self.file)]), 1)
            self.assertEqual(self.ring.under_way, 1)
            self.assertEqual(self.ended(1), [(7, 0)])
            self.assertEqual((self.ring.under_way, self.ring.completed()), (0, []))

        def test_each_has_its_own_outcome(self) -> None:
            """A pipe cannot be synced, and what is not open neither; that is not the others' failure."""
            reading, writing = os.pipe()
            self.addCleanup(os.close, writing)
            closed = os.dup(reading)
            os.close(closed)
            self.addCleanup(os.close, reading)
            self.assertEqual(self.ring.fdatasync([(1, self.file), (2, writing), (3, closed), (4, self.file)]), 4)
            self.assertEqual(self.ended(4), [(1, 0), (2, errno.EINVAL), (3, errno.EBADF), (4, 0)])

        def test_no_more_are_taken_than_fit(self) -> None:
            """The rest may come when there is room again, round and round."""
            for turn in range(20):
                begun = self.ring.fdatasync([(10 * turn + number, self.file) for number in range(6)])
                self.assertEqual(begun, 4)
                self.assertEqual(self.ring.fdatasync([(999, self.file)]), 0)
                self.assertEqual(self.ended(4), [(10 * turn + number, 0) for number in range(4)])

        def test_its_descriptors_go_with_it(self) -> None:
            """And it was no child's."""
            before = os.listdir("/dev/fd")
            ring = Ring(4)
            self.assertFalse(os.get_inheritable(ring.fileno()))
            ring.close()
            self.assertEqual(os.listdir("/dev/fd"), before)
