"""What a data directory remembers of each log: up to where it is durable, and where it starts.

Names are directories' names. A recovery point that is lost, or too low, costs a scan; one that is too high would be believed, and so
would a start: :meth:`OffsetCheckpoints.lower` and :meth:`OffsetCheckpoints.forget` are durable before what made them true is undone.
"""

from collections.abc import Mapping

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.errors import StorageError
from flux.interfaces import IDirectory, InThread
from flux.storage.checkpoint import Checkpoint

POINTS, STARTS = "recovery-points.json", "log-start-offsets.json"


class OffsetCheckpoints:
    """Name → offset, twice. Whoever asks is told what was last set; what is saved follows. Saves fail with :class:`OSError`."""

    def __init__(self, directory: IDirectory, in_thread: InThread) -> None:
        self._points = _Offsets(Checkpoint(directory, POINTS, in_thread))
        self._starts = _Offsets(Checkpoint(directory, STARTS, in_thread))

    def load(self) -> None:
        """Read what was saved. What cannot be read counts as lost: more is checked, and what was forgotten may be back."""
        self._points.load()
        self._starts.load()

    def point(self, name: str) -> int:
        """Up to which offset the log was durable when last asked."""
        return self._points.current.get(name, 0)

    def start(self, name: str) -> int | None:
        """Where the log starts, None if it never moved."""
        return self._starts.current.get(name)

    def save_points(self, points: Mapping[str, int]) -> "Deferred[None]":
        """Remember that the logs are durable so far; fire when that is."""
        return self._points.set({**self._points.current, **points})

    def save_start(self, name: str, offset: int) -> "Deferred[None]":
        """The log starts at *offset*; fire when that is durable."""
        return self._starts.set({**self._starts.current, name: offset})

    def lower(self, name: str, offset: int) -> "Deferred[None]":
        """The log is about to be cut at *offset*; fire when neither checkpoint is above."""
        return _all([file.set(_lowered(file.current, name, offset)) for file in (self._points, self._starts)])

    def forget(self, name: str) -> "Deferred[None]":
        """There is no such log any more: another of that name begins anew, from this call on. Fire when that is durable."""
        return _all([file.set(_without(file.current, name)) for file in (self._points, self._starts)])


class _Offsets:
    """One of the two: what was last set, and what is known to be saved."""

    _log = Logger()

    def __init__(self, file: Checkpoint) -> None:
        self.current: dict[str, int] = {}
        self._saved: dict[str, int] | None = {}  # None: nobody knows, a save failed
        self._under_way = 0
        self._file = file

    def load(self) -> None:
        try:
            self.current = self._saved = self._file.load()
        except (StorageError, OSError) as error:
            self._log.error("{error}; going on without it", error=error)

    def set(self, offsets: dict[str, int]) -> "Deferred[None]":
        self.current = offsets
        if offsets == self._saved and not self._under_way:
            return succeed(None)
        self._under_way += 1

        def done(result: Failure | None) -> Failure | None:
            self._under_way -= 1
            self._saved = offsets if result is None else None
            return result

        return self._file.save(offsets).addBoth(done)


def _lowered(offsets: dict[str, int], name: str, offset: int) -> dict[str, int]:
    return {**offsets, name: offset} if offsets.get(name, 0) > offset else offsets


def _without(offsets: dict[str, int], name: str) -> dict[str, int]:
    return {other: offset for other, offset in offsets.items() if other != name}


def _all(saves: "list[Deferred[None]]") -> "Deferred[None]":
    return gatherResults(saves, consumeErrors=True).addCallbacks(
        lambda _: None, lambda failure: failure.value.subFailure
    )
