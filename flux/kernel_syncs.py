"""Syncs done by the kernel, where it has a ring for them; by threads, where it has none."""

import errno
import os
import select
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.interfaces import Synced, SyncJob, Syncs
from flux.io_uring import Ring
from flux.threads import Threads

_ENTRIES = 64  # syncs at once, of which the kernel itself runs some four a core; threads take what is more


_NOT_BEGUN = errno.ECANCELED  # the ring's own word for an entry it took and never ran; no file system's


class KernelThreads(Threads):
    """Threads, of which those for syncing are the kernel's own if it lets us."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._kernels: list[KernelSyncs] = []

    def several(self, name: str, count: int) -> Syncs:
        """The kernel, and *count* threads for what it does not do."""
        kernel = KernelSyncs(self._reactor, super().several(name, count))
        self._kernels.append(kernel)
        if self.running:
            kernel.start()
        return kernel

    def startService(self) -> None:
        """Start them."""
        super().startService()
        for kernel in self._kernels:
            kernel.start()

    def stopService(self) -> None:
        """Wait for what they are doing, then end them."""
        for kernel in self._kernels:  # first: they may leave something to the threads yet
            kernel.stop()
        super().stopService()


@implementer(IReadDescriptor)
class KernelSyncs:
    """Has an ``fdatasync`` done by the kernel, and everything else, or all if there is no ring, by *others*. See :class:`Syncs`.

    A thread of ours comes back from the disk to wait for the interpreter, which the reactor holds, and takes it away from it: 50
    producers that wait for each answer did 41 k/s through threads, 43 to 49 k/s through the ring.

    What the kernel cancelled before it began, *others* do: no sync was called, so none has failed, and no error of the file was
    taken off it by being told. Every other outcome is final. Even EINTR: a file system that was interrupted may have met an error and
    marked it as told, and the next sync would say that all is well.
    """

    _log = Logger()

    def __init__(self, reactor: Any, others: Syncs, new_ring: Callable[[int], Ring] = Ring) -> None:
        self._reactor: IReactorFDSet = reactor
        self._others = others
        self._new_ring = new_ring
        self._ring: Ring | None = None
        self._under_way: dict[int, tuple[_Together, int]] = {}  # by token
        self._next_token = 0

    def start(self) -> None:
        """From now on."""
        try:
            self._ring = self._new_ring(_ENTRIES)
        except OSError as error:
            self._log.info("no io_uring here ({error}): threads sync", error=error)
            return
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Return when all that was begun has ended."""
        ring, self._ring = self._ring, None
        if ring is None:
            return
        self._reactor.removeReader(self)
        ended = select.poll()
        ended.register(ring, select.POLLIN)
        while ring.under_way:
            ended.poll()
            self._tell(ring)
        ring.close()

    def __call__(self, jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        """See :class:`~flux.interfaces.Syncs`."""
        wanted: list[tuple[int, int]] = []
        places: list[int] = []
        for place, job in enumerate(jobs if self._ring is not None else ()):
            descriptor = job.descriptor
            if descriptor is not None:
                wanted.append((self._next_token + len(wanted), descriptor))
                places.append(place)
        together = _Together(jobs, synced)
        begun = self._ring.fdatasync(wanted) if self._ring is not None else 0
        if self._ring is not None and self._ring.refusal is not None:
            self._log.info("no io_uring here ({error}): threads sync", error=self._ring.refusal)
            self.stop()
        for (token, _), place in zip(wanted[:begun], places, strict=False):
            self._under_way[token] = (together, place)
        self._next_token += begun
        if begun < len(jobs):
            mine = set(places[:begun])
            self._leave_to_others(together, [place for place in range(len(jobs)) if place not in mine])

    def _leave_to_others(self, together: "_Together", places: Sequence[int]) -> None:
        try:
            self._others(
                [together.jobs[place] for place in places],
                lambda errors: together.end(zip(places, errors, strict=True)),
            )
        except Exception as error:  # the kernel has begun with its part, and tells of it in any case
            self._log.failure("some syncs could not begin")
            together.end([(place, error) for place in places])

    # --- the reactor's

    def fileno(self) -> int:
        """Readable when a sync has ended."""
        return -1 if self._ring is None else self._ring.fileno()

    def doRead(self) -> None:
        """Some have ended."""
        if self._ring is not None:
            self._tell(self._ring)

    def connectionLost(self, reason: Failure) -> None:
        """There is no connection; the reactor ends, and :meth:`stop` was called."""

    def logPrefix(self) -> str:
        """Who speaks in a log line."""
        return "syncs"

    def _tell(self, ring: Ring) -> None:
        for token, code in ring.completed():
            together, place = self._under_way.pop(token)
            try:
                if code == _NOT_BEGUN:
                    self._leave_to_others(together, [place])
                    continue
                together.end([(place, OSError(code, os.strerror(code)) if code else None)])
            except Exception:  # the others are to be told all the same, and the reactor to go on reading
                self._log.failure("who waited for a sync broke")


class _Together:
    """Jobs whose owner is told of all of them at once."""

    __slots__ = ("_errors", "_left", "_synced", "jobs")

    def __init__(self, jobs: Sequence[SyncJob], synced: Synced) -> None:
        self.jobs = jobs
        self._errors: list[BaseException | None] = [None] * len(jobs)
        self._left = len(jobs)
        self._synced = synced

    def end(self, outcomes: Iterable[tuple[int, BaseException | None]]) -> None:
        """Some have ended: their places, and what became of them."""
        for place, error in outcomes:
            self._errors[place] = error
            self._left -= 1
        if not self._left:
            self._synced(self._errors)
