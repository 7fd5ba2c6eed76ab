"""How much of a log is durable, and who waits for more."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from flux.errors import StorageError, system_reason
from flux.interfaces import IDirectory
from flux.model import FsyncMode, TopicPartition
from flux.storage.flusher import Flusher
from flux.storage.segments import Segments
from flux.storage.syncing import LogSync
from flux.watermark import Watermark


class Durability:
    """What the flusher knows of one log: see :class:`~flux.storage.flusher.Dirty`.

    *Actions*: :meth:`appended`, :meth:`epochs_changed`, :meth:`flush`. *Transitions*: ``flushed`` rises when the flusher has been
    round, ``promised`` with it or, where the mode promises no more, with each append. :meth:`fail` and :meth:`end` are final.
    """

    _log = Logger()

    def __init__(
        self,
        tp: TopicPartition,
        directory: IDirectory,
        unsynced_parent: IDirectory | None,
        segments: Segments,
        mode: FsyncMode,
        flusher: Flusher,
    ) -> None:
        """*unsynced_parent* is the directory above *directory*, if that does not durably know it yet."""
        self.failure: StorageError | None = None
        self.flushed = Watermark(segments.end_offset)
        self.promised = self.flushed if mode is FsyncMode.ALWAYS else Watermark(segments.end_offset)
        self._tp = tp
        self._directory = directory
        self._unsynced_parent = unsynced_parent
        self._segments = segments
        self._mode = mode
        self._flusher = flusher
        self._unsynced_bytes = 0
        self._epochs_unsynced = False
        self._held = False
        self._running: LogSync | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def dirty(self) -> bool:
        """Whether anything is not known to be durable."""
        return self.flushed.value < self._segments.end_offset or len(self._segments.hot) > 1 or self._epochs_unsynced

    @property
    def settled(self) -> bool:
        """Everything is durable, and no round is under way."""
        return not self.dirty and self._running is None

    def appended(self, size: int, flush_bytes: int) -> None:
        """*size* bytes were written at the end."""
        self._unsynced_bytes += size
        if self.promised is self.flushed:
            self._flusher.want(self)
            return
        if self._mode is FsyncMode.INTERVAL and self._unsynced_bytes >= flush_bytes:
            self._flusher.want(self)
        self.promised.advance(self._segments.end_offset)

    def rolled(self) -> None:
        """There is a new segment: the one before may now become durable and be closed."""
        self._flusher.want(self)

    def epochs_changed(self) -> None:
        """The epoch cache was written, and has to be durable before anything that follows is."""
        self._epochs_unsynced = True

    def hold(self, offset: int) -> None:
        """The log is about to be cut at *offset*: until :meth:`let_go` nothing above it counts as durable, and no round begins."""
        self._held = True
        self.lower(offset)

    def let_go(self) -> None:
        """It was cut, or not: rounds go on."""
        self._held = False
        if self.failure is None:
            self._flusher.want(self)

    def lower(self, offset: int) -> None:
        """The log ends at *offset* at most."""
        self.flushed.lower(offset)
        self.promised.lower(offset)

    def flush(self) -> Deferred[None]:
        """Fire when everything appended so far is durable. Fails with :class:`~flux.errors.StorageError`."""
        if self.failure is not None:
            return fail(self.failure)
        if self.settled:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self._flusher.want(self)
        return done

    def begin_sync(self) -> LogSync | None:
        """See :class:`~flux.storage.flusher.Dirty`."""
        if self.failure is not None or self._held:
            return None
        waiting, self._waiting = self._waiting, []
        if not self.dirty:  # the round before took it all along
            for waiter in waiting:
                waiter.callback(None)
            return None
        epochs_too, self._epochs_unsynced = self._epochs_unsynced, False
        self._unsynced_bytes = 0
        self._running = LogSync(
            self._directory,
            self._unsynced_parent,
            list(self._segments.hot),
            list(self._segments.rolling),
            epochs_too,
            self._segments.end_offset,
            waiting,
            self._synced,
        )
        return self._running

    def _synced(self, sync: LogSync, error: BaseException | None) -> None:
        self._running = None
        if error is not None and self.failure is None:
            self.fail(error)
        if self.failure is None:
            self._unsynced_parent = None
            self._segments.settle(sync.chain[:-1], sync.rolling)
            self.flushed.advance(sync.end_offset)
        for waiter in sync.waiting:
            waiter.callback(None) if self.failure is None else waiter.errback(self.failure)

    def fail(self, error: BaseException) -> StorageError:
        """The disk failed: nothing is written any more."""
        self._log.critical("{tp} failed and is read-only from now on: {error}", tp=self._tp, error=error)
        failure = StorageError(
            f"{self._tp}: the disk failed ({system_reason(error)}); what was not acknowledged may be lost, and nothing more is written "
            f"until the broker is restarted"
        )
        self.end(failure, failure)
        return failure

    def end(self, failure: StorageError, reason: Exception) -> None:
        """Refuse with *failure* from now on; whoever waits is told *reason*."""
        self.failure = failure
        self.flushed.fail(reason)
        self.promised.fail(reason)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(reason)
