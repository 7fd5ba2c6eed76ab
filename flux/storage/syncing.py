"""What makes a log's bytes durable, in an order that leaves no hole at any instant.

A segment is rolled without waiting: its successor is written under ``<base>.log.rolling`` until a round has synced first the old
file, then the new one. A crash in between finds a rolling file that does not go on where the old one ends, and drops it: nothing
in it was promised. So the log never has a hole, and no append ever waits for a sync.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from flux.interfaces import IDirectory
from flux.storage.epoch_file import sync_epochs
from flux.storage.hints import write_hints
from flux.storage.segment import Segment, file_name
from flux.storage.segments import rolling_name


class LogSync:
    """One round's work for one log: *chain* is every segment with unsynced bytes, oldest first; only the last is still appended to.

    *parent* is the directory above, if that does not durably know this one yet; *waiting* are those to be told the outcome.
    """

    def __init__(
        self,
        directory: IDirectory,
        parent: IDirectory | None,
        chain: Sequence[Segment],
        rolling: Sequence[Segment],
        epochs_too: bool,
        end_offset: int,
        waiting: list[Deferred[None]],
        done: Callable[["LogSync", BaseException | None], None],
    ) -> None:
        self.chain = chain
        self.rolling = rolling
        self.end_offset = end_offset
        self.waiting = waiting
        self._directory = directory
        self._parent = parent
        self._epochs_too = epochs_too
        self._done = done

    @property
    def descriptor(self) -> int | None:
        """See :class:`~flux.interfaces.SyncJob`: nearly always, one file has grown and nothing else has changed."""
        if len(self.chain) > 1 or self.rolling or self._epochs_too or self._parent is not None:
            return None
        return self.chain[0].file.descriptor

    def run(self) -> None:
        """See :class:`~flux.interfaces.SyncJob`."""
        if self._epochs_too:
            sync_epochs(self._directory)
        for segment in self.chain:
            if segment is not self.chain[-1]:
                segment.file.trim()
            segment.file.datasync()
            if segment in self.rolling:
                base = segment.base_offset
                self._directory.sync()
                self._directory.rename(rolling_name(base, segment.follows), file_name(base))
                self._directory.sync()
        if self._parent is not None:
            self._directory.sync()
            self._parent.sync()
        for segment in self.chain[:-1]:
            write_hints(self._directory, segment, closed=True)

    def done(self, error: BaseException | None) -> None:
        """See :class:`~flux.storage.flusher.LogJob`."""
        self._done(self, error)
