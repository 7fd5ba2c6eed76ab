"""Stand-ins for what a process has but a test wants in its own hands: the disk and the threads.

Public: Flux's own tests are written with them, and so can a plugin's be. Each keeps the promise of what it stands in for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from flux.disk.faults import Call, PowerCut, ProcessKilled, Stopped
from flux.disk.memory import MemoryDisk
from flux.interfaces import InThread, Synced, SyncJob, Syncs

__all__ = ["Call", "MemoryDisk", "PowerCut", "ProcessKilled", "QueuedThread", "Stopped", "run_now", "syncs_in"]

T = TypeVar("T")

_MOST_CALLS = 100_000  # perform_all() ends, even when every call queues another


def run_now(function: Callable[..., T], /, *args: Any) -> Deferred[T]:
    """An :class:`~flux.interfaces.InThread` that calls at once: the Deferred has fired, or failed, already."""
    return execute(function, *args)


def syncs_in(thread: InThread) -> Syncs:
    """:class:`~flux.interfaces.Syncs` that *thread* does, one after another, in order."""

    def syncs(jobs: Sequence[SyncJob], synced: Synced, /) -> None:
        def run() -> list[BaseException | None]:
            return [_outcome(job) for job in jobs]

        thread(run).addCallback(synced)

    return syncs


def _outcome(job: SyncJob) -> BaseException | None:
    try:
        job.run()
    except BaseException as error:
        return error
    return None


class QueuedThread:
    """An :class:`~flux.interfaces.InThread` whose one thread works when the test says so, in the order of asking."""

    def __init__(self) -> None:
        self._calls: deque[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """Queue the call. Cancelling the Deferred does not take it back, as it would not in a thread."""
        done: Deferred[T] = Deferred()
        self._calls.append((done, function, args))
        return done

    def __len__(self) -> int:
        """How many calls are waiting."""
        return len(self._calls)

    def perform(self) -> None:
        """Make the oldest call and fire its Deferred. :raises IndexError: none is waiting."""
        done, function, args = self._calls.popleft()
        try:
            result = function(*args)
        except BaseException:
            done.errback(Failure())
        else:
            done.callback(result)

    def perform_all(self) -> None:
        """Make every call, those included that are queued meanwhile. :raises AssertionError: there is no end to them."""
        for _ in range(_MOST_CALLS):
            if not self._calls:
                return
            self.perform()
        raise AssertionError(f"{_MOST_CALLS} calls, and each queued another")
