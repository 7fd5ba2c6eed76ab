"""Who syncs what: the kernel, or threads in its stead."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.interfaces import Synced, SyncJob
from flux.kernel_syncs import KernelSyncs


class Job:
    """A sync of a descriptor, or of more than that."""

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor

    def run(self) -> None:
        raise AssertionError("the others here are not real")


class Ring:
    """Takes *room* at once; they end when the test says so."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.begun: list[tuple[int, int]] = []
        self.outcomes: list[tuple[int, int]] = []
        self.closed = False
        self.refusal: OSError | None = None
        self._reading, self._writing = os.pipe()

    @property
    def under_way(self) -> int:
        return len(self.begun) + len(self.outcomes)

    def fileno(self) -> int:
        return self._reading

    def fdatasync(self, wanted: Sequence[tuple[int, int]]) -> int:
        taken = wanted[: self.room]
        self.begun += taken
        return len(taken)

    def end(self, descriptor: int, code: int = 0) -> None:
        """The oldest sync of *descriptor* ends."""
        token = next(token for token, each in self.begun if each == descriptor)
        self.begun.remove((token, descriptor))
        self.outcomes.append((token, code))
        os.write(self._writing, b"x")

    def completed(self) -> list[tuple[int, int]]:
        outcomes, self.outcomes = self.outcomes, []
        return outcomes

    def close(self) -> None:
        self.closed = True
        os.close(self._reading)
        os.close(self._writing)


class Reactor:
    """Only knows who is read."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


class Others:
    """Threads that end when the test says so."""

    def __init__(self) -> None:
        self.rounds: list[tuple[Sequence[SyncJob], Synced]] = []

    def __call__(self, jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        self.rounds.append((jobs, synced))


class Syncing(SynchronousTestCase):
    """A ring with room for three."""

    def setUp(self) -> None:
        self.reactor: Any = Reactor()
        self.others, self.ring = Others(), Ring(3)
        self.syncs = self.started(lambda entries: self.ring)
        self.outcomes: list[Sequence[BaseException | None]] = []

    def started(self, new_ring: Callable[[int], Any]) -> KernelSyncs:
        syncs = KernelSyncs(self.reactor, self.others, new_ring)
        syncs.start()
        return syncs

    def tearDown(self) -> None:
        self.ring.begun.clear()  # or the stop would wait for what this test left unended
        self.syncs.stop()

    def end(self, descriptor: int, code: int = 0) -> None:
        self.ring.end(descriptor, code)
        for reader in self.reactor.readers:
            reader.doRead()

    def test_the_kernel_syncs_files(self) -> None:
        """Their owner is told when the last has ended, in his order."""
        self.syncs([Job(5), Job(6), Job(7)], self.outcomes.append)
        self.end(7)
        self.end(5, errno.EIO)
        self.assertEqual(self.outcomes, [])
        self.end(6)
        ((first, *rest),) = self.outcomes
        self.assertIsInstance(first, OSError)
        self.assertEqual((getattr(first, "errno", None), rest), (errno.EIO, [None, None]))
        self.assertEqual(self.others.rounds, [])

    def test_others_do_what_is_more_than_a_sync(self) -> None:
        """Whoever ends last, and whatever becomes of it, has its own place."""
        more, plain = Job(None), Job(5)
        for kernel_first in (True, False):
            self.syncs([more, plain], self.outcomes.append)
            jobs, synced = self.others.rounds.pop()
            self.assertEqual(jobs, [more])
            failure = OSError(errno.ENOSPC, "full")
            steps: list[Callable[[], None]] = [lambda: self.end(5), lambda: synced([failure])]  # noqa: B023  # called in this turn
            for step in steps if kernel_first else reversed(steps):
                self.assertEqual(self.outcomes, [])
                step()
            self.assertEqual(self.outcomes.pop(), [failure, None])

    def test_others_do_what_the_kernel_does_not_take(self) -> None:
        """It has no room, or refuses: then it did not try, and another may."""
        jobs = [Job(number) for number in range(5)]
        self.syncs(jobs, self.outcomes.append)
        rest, synced = self.others.rounds.pop()
        self.assertEqual((rest, [descriptor for _, descriptor in self.ring.begun]), (jobs[3:], [0, 1, 2]))
        synced([None, None])
        for number in range(3):
            self.end(number)
        self.assertEqual(self.outcomes.pop(), [None] * 5)
        self.ring.room = 0
        self.syncs(jobs[:1], self.outcomes.append)
        self.assertEqual(self.others.rounds.pop()[0], jobs[:1])

    def test_others_do_what_the_kernel_cancelled(self) -> None:
        """It was not begun, so it has not failed; whatever was begun and failed is final, even if it was interrupted."""
        job = Job(5)
        self.syncs([job, Job(6), Job(7)], self.outcomes.append)
        self.end(6, errno.EINTR)
        self.end(5, errno.ECANCELED)
        self.end(7)
        self.assertEqual(self.outcomes, [])
        jobs, synced = self.others.rounds.pop()
        self.assertEqual((jobs, self.others.rounds), ([job], []))
        synced([None])
        ((first, second, third),) = self.outcomes
        self.assertEqual((first, getattr(second, "errno", None), third), (None, errno.EINTR, None))

    def test_what_others_cannot_begin_has_failed(self) -> None:
        """No thread could be had, say. What the kernel does has an outcome of its own."""
        failure = RuntimeError("can't start new thread")

        def refuse(jobs: Sequence[SyncJob], synced: Synced, /) -> None:
            raise failure

        syncs = KernelSyncs(self.reactor, refuse, lambda entries: self.ring)  # type: ignore[arg-type,return-value]  # not a real one
        self.syncs.stop()
        self.ring = Ring(3)
        syncs.start()
        self.addCleanup(syncs.stop)
        syncs([Job(5), Job(None)], self.outcomes.append)
        self.assertEqual(self.outcomes, [])
        self.end(5)
        self.assertEqual(self.outcomes, [[None, failure]])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_without_a_ring_others_do_it_all(self) -> None:
        """It cannot be had, or is no more. Nothing is read."""

        def refuse(entries: int) -> Ring:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.syncs.stop()
        refused = self.started(refuse)
        self.assertEqual(self.reactor.readers, [])
        for syncs in (self.syncs, refused):
            syncs([Job(5), Job(None)], self.outcomes.append)
            jobs, synced = self.others.rounds.pop()
            self.assertEqual(len(jobs), 2)
            synced([None, None])
            self.assertEqual(self.outcomes.pop(), [None, None])
            syncs.stop()

    def test_a_ring_that_may_not_be_used_is_given_up(self) -> None:
        """Its first refusal is its last: it is not asked again."""
        self.ring.room, self.ring.refusal = 0, OSError(errno.EPERM, "Operation not permitted")
        for _ in range(2):
            self.syncs([Job(5)], self.outcomes.append)
            self.others.rounds.pop()[1]([None])
            self.assertEqual((self.outcomes.pop(), self.ring.closed, self.reactor.readers), ([None], True, []))
            self.ring.room = 3

    def test_two_rounds_are_told_apart(self) -> None:
        """Also if the same file is in both."""
        other: list[Sequence[BaseException | None]] = []
        self.syncs([Job(5)], self.outcomes.append)
        self.syncs([Job(5)], other.append)
        self.end(5, errno.EIO)
        self.assertEqual((len(self.outcomes), other), (1, []))
        self.end(5)
        self.assertEqual(other, [[None]])

    def test_who_breaks_when_told_stops_nobody(self) -> None:
        """It is reported, and the reactor goes on reading."""

        def burst(errors: Sequence[BaseException | None]) -> None:
            raise ZeroDivisionError

        self.syncs([Job(5)], burst)
        self.syncs([Job(6)], self.outcomes.append)
        self.ring.end(5)
        self.end(6)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.outcomes, [[None]])

    def test_a_stop_waits_for_what_is_under_way(self) -> None:
        """Its owner is told; then the ring goes, and nothing is read."""
        self.syncs([Job(5)], self.outcomes.append)
        self.ring.end(5)
        self.syncs.stop()
        self.assertEqual((self.outcomes, self.ring.closed, self.reactor.readers), ([[None]], True, []))
