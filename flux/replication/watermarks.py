"""High watermarks that outlive the process."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.errors import StorageError
from flux.interfaces import ICheckpoint

HighWatermarks = dict[str, dict[str, Any]]
"""Topic id → its name and, under ``high_watermarks``, partition number → high watermark. By id: a recreated topic starts anew."""


class WatermarkCheckpoint:
    """One small file for all partitions, saved once at a time: whoever asks meanwhile shares the next save.

    After a restart it is a floor for what consumers see, and a tripwire for a log that lost committed records; never more. *current*
    returns all there are; a timer's :meth:`save` brings in those that nobody waits for, and lets go of deleted topics.
    """

    _logger = Logger()

    def __init__(self, checkpoint: ICheckpoint, clock: IReactorTime, current: Callable[[], HighWatermarks]) -> None:
        self._checkpoint = checkpoint
        self._clock = clock
        self._current = current
        self._saved: HighWatermarks = {}
        self._saving: HighWatermarks | None = None
        self._next: HighWatermarks = {}  # what is to be saved; ahead of the others
        self._waiting: list[Deferred[None]] = []  # for the save under way
        self._waiting_next: list[Deferred[None]] = []
        self._soon: IDelayedCall | None = None
        self._is_failing = False

    def load(self) -> None:
        """Read what was saved. Damage is reported; leaders then learn the watermarks from their replicas again."""
        try:
            loaded = self._checkpoint.load().get("topics", {})
        except StorageError as error:
            self._logger.error("the high watermarks are lost: {error}", error=error)
            return
        try:
            self._saved, self._next = loaded, _copy(loaded)
        except (AttributeError, KeyError, TypeError, ValueError):
            self._saved = {}
            self._logger.error("the high watermarks are lost: their file holds something else")

    def loaded(self, topic_id: str, partition: int) -> int:
        """The watermark last saved; 0 if none was."""
        return max(_stands(self._saved, topic_id, partition), 0)

    def remember(self, topic_id: str, topic: str, partition: int, high_watermark: int) -> "Deferred[None] | None":
        """None if a restart would know *high_watermark* now, else a Deferred that fires when it would, or fails if it was not saved."""
        if _stands(self._saved, topic_id, partition) >= high_watermark:
            return None
        waiter: Deferred[None] = Deferred()
        if self._saving is not None and _stands(self._saving, topic_id, partition) >= high_watermark:
            self._waiting.append(waiter)
            return waiter
        entry = self._next.setdefault(topic_id, {"topic": topic, "high_watermarks": {}})
        entry["high_watermarks"][str(partition)] = high_watermark
        self._waiting_next.append(waiter)
        if self._saving is None and self._soon is None:
            self._soon = self._clock.callLater(0, self._save_next)  # with whatever else rises in this reactor turn
        return waiter

    def save(self) -> None:
        """Save all there are, if anything changed; a save under way is not waited for, the next time will do."""
        if self._saving is not None:
            return
        self._next = self._current()
        if self._next != self._saved:
            self._save_next()

    def close(self) -> "Deferred[None]":
        """Save a last time; fire when that is durable, or when it failed and the log says so."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        while self._saving is not None:
            under_way: Deferred[None] = Deferred()
            self._waiting.append(under_way.addErrback(lambda _: None))
            await under_way
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        current, failure = self._current(), None
        if current != self._saved:
            try:
                self._checkpoint.save_now(_document(current))
                self._saved = current
            except OSError as error:
                failure = Failure()
                self._logger.error(
                    "the high watermarks are not saved, the next start knows those of the last save: {error}",
                    error=error,
                )
        self._tell(self._waiting_next, failure)

    def _save_next(self) -> None:
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        self._soon = None
        self._saving = _copy(self._next)
        self._waiting, self._waiting_next = self._waiting_next, []
        self._checkpoint.save(_document(self._saving)).addCallbacks(self._done, self._failed)

    def _done(self, _: object) -> None:
        assert self._saving is not None, "a save ends once"
        self._saved, self._saving = self._saving, None
        self._is_failing = False
        self._end(None)

    def _failed(self, failure: Failure) -> None:
        self._saving = None
        if not self._is_failing:
            self._is_failing = True
            self._logger.error("the high watermarks are not saved: {reason}", reason=failure.getErrorMessage())
        self._end(failure)

    def _end(self, failure: Failure | None) -> None:
        # Waiters first: what they ask to be remembered shares the next save.
        self._tell(self._waiting, failure)
        if self._waiting_next and self._saving is None:
            self._save_next()

    def _tell(self, waiting: list[Deferred[None]], failure: Failure | None) -> None:
        told = waiting[:]
        waiting.clear()
        for waiter in told:
            if failure is None:
                waiter.callback(None)
            else:
                waiter.errback(failure)


def _stands(watermarks: HighWatermarks, topic_id: str, partition: int) -> int:
    """What *watermarks* say of a partition; -1 if nothing."""
    try:
        return int(watermarks[topic_id]["high_watermarks"][str(partition)])
    except (KeyError, TypeError, ValueError):
        return -1


def _copy(watermarks: HighWatermarks) -> HighWatermarks:
    return {
        topic_id: {"topic": entry["topic"], "high_watermarks": dict(entry["high_watermarks"])}
        for topic_id, entry in watermarks.items()
    }


def _document(current: HighWatermarks) -> dict[str, Any]:
    return {"version": 1, "topics": current}
