"""High watermarks that outlive the process."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.errors import StorageError
from flux.interfaces import ICheckpoint

_SPACING_S = 0.05  # between two saves that were asked for at once: each writes the watermarks of every partition

HighWatermarks = dict[str, dict[str, Any]]
"""Topic id → its name and, under ``high_watermarks``, partition number → high watermark. By id: a recreated topic starts anew."""


class WatermarkCheckpoint:
    """Saves what *current* returns: one save at a time, none if nothing changed.

    After a restart it is a floor for what consumers see, and a tripwire for a log that lost committed records; never more.
    """

    _logger = Logger()

    def __init__(self, checkpoint: ICheckpoint, clock: IReactorTime, current: Callable[[], HighWatermarks]) -> None:
        self._checkpoint = checkpoint
        self._clock = clock
        self._current = current
        self._saved: HighWatermarks = {}
        self._soon: IDelayedCall | None = None
        self._saving: Deferred[None] | None = None
        self._again = False  # a watermark moved while a save was under way

    def load(self) -> None:
        """Read what was saved. Damage is reported; leaders then learn the watermarks from their replicas again."""
        try:
            loaded = self._checkpoint.load().get("topics", {})
        except StorageError as error:
            self._logger.error("the high watermarks are lost: {error}", error=error)
            return
        if isinstance(loaded, dict):
            self._saved = loaded

    def loaded(self, topic_id: str, partition: int) -> int:
        """The watermark last saved; 0 if none was."""
        try:
            return int(self._saved[topic_id]["high_watermarks"][str(partition)])
        except (KeyError, TypeError, ValueError):
            return 0

    def moved(self, _high_watermark: int) -> None:
        """A watermark that only this checkpoint remembers rose: save at the end of this reactor turn, or soon after the last save."""
        if self._saving is not None:
            self._again = True
        elif self._soon is None:
            self._soon = self._clock.callLater(0, self._save_soon)

    def save(self) -> None:
        """Save what changed, unless a save is under way."""
        current = self._current()
        if self._saving is not None or current == self._saved:
            return
        self._saving = self._checkpoint.save(_document(current))
        self._saving.addCallbacks(self._done, self._failed, callbackArgs=(current,)).addBoth(self._next)

    def close(self) -> "Deferred[None]":
        """Save a last time; fire when that is durable."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._again = False
        under_way = self._saving if self._saving is not None else succeed(None)
        return under_way.addCallback(self._save_now)

    def _save_soon(self) -> None:
        self._soon = None
        self.save()

    def _save_now(self, _: object) -> None:
        current = self._current()
        if current != self._saved:
            self._checkpoint.save_now(_document(current))
            self._saved = current

    def _done(self, _: object, saved: HighWatermarks) -> None:
        self._saved = saved

    def _failed(self, failure: Failure) -> None:
        self._logger.error("the high watermarks were not saved: {reason}", reason=failure.getErrorMessage())

    def _next(self, _: object) -> None:
        self._saving = None
        if self._again:
            self._again = False
            self._soon = self._clock.callLater(_SPACING_S, self._save_soon)


def _document(current: HighWatermarks) -> dict[str, Any]:
    return {"version": 1, "topics": current}
