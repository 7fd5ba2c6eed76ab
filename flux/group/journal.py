"""The internal log: changes become durable here, in the order they were decided. Start-up is the snapshots and what follows them."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.batch import decode, encode, walk
from flux.errors import FluxError, NotLeader, ReplicationTimeout, StorageError
from flux.group import records
from flux.group.offsets import OffsetChange
from flux.group.records import Change
from flux.group.snapshots import Snapshots
from flux.group.table import GroupTable
from flux.interfaces import ILog, IPartition, Now
from flux.model import Acks
from flux.watermark import Watermark


class Journal:
    """Writes changes to the internal log, applies them to *table*, and says when they are durable.

    *Action*: :meth:`load` once, then :meth:`write`. *Transition*: :attr:`refusal`, once set, is final: after a failed sync nobody knows
    which of the applied changes a restart will find, so nothing may be built on them.
    """

    _log = Logger()

    def __init__(
        self,
        table: GroupTable,
        partition: IPartition,
        log: ILog,
        snapshots: Snapshots,
        now: Now,
        snapshot_records: int,
    ) -> None:
        self.refusal: FluxError | None = None
        self.lost_records = 0  # offsets that were missing from the log when it was read
        self.end = 0  # of the log, after the last change
        self._table = table
        self._partition = partition
        self._records = log
        self._snapshots = snapshots
        self._now = now
        self._snapshot_records = snapshot_records
        self._unsnapshotted = 0
        self._durable = Watermark()
        self._commits_end = 0

    # --- at start ---

    def load(self) -> None:
        """Become what was acknowledged before the stop: the snapshots, then the rest of the log.

        :raises StorageError: neither the snapshot nor the log holds it any more; names the file. Never begins with nothing instead.
        """
        self._snapshots.restore()
        self._replay()
        self.end = self._records.end_offset
        self._durable.advance(self.end)

    def _replay(self) -> None:
        covers = self._snapshots.covers
        expected, epoch = min(covers.values()), None
        for piece in self._records.scan(max(self._records.start_offset, expected - 1)):
            for header, _ in walk(piece):
                if header.base_offset > expected:
                    # Nothing comes before the first batch of all; whoever tore it was the first life, and this is a later one.
                    torn = not expected if epoch is None else header.leader_epoch > epoch
                    self._missing(expected, header.base_offset, torn)
                expected, epoch = max(expected, header.next_offset), header.leader_epoch
            for record in decode(piece):
                change = records.decode(record.offset, record.key, record.value)
                if record.offset >= covers[type(change)]:
                    self._table.apply(change)
                    self._unsnapshotted += 1
        if expected < self._records.end_offset:
            self._missing(expected, self._records.end_offset, torn=epoch is not None or not expected)

    def _missing(self, first: int, end: int, torn: bool) -> None:
        """Offsets that hold nothing. *torn*: another life went on after them, so they are the tail of a write that a power cut tore,
        and that nobody was told of; else they were whole once.
        """
        if torn:
            self._log.info("group log: offsets {first} to {last} were never whole", first=first, last=end - 1)
            return
        self.lost_records += end - first
        self._log.error(
            "group log: offsets {first} to {last} are damaged; commits and generations among them are lost, older ones hold",
            first=first,
            last=end - 1,
        )

    # --- ever after ---

    def write(self, changes: Sequence[Change]) -> int:
        """Append *changes* as one batch, apply them, and return where the log then ends: see :meth:`durable`.

        :raises StorageError: nothing was kept and nothing changed.
        """
        self.must_serve()
        keys, values = zip(*map(records.encode, changes), strict=True)
        batch = encode(keys, values, int(self._now() * 1000))
        appended = self._partition.append(batch, Acks.LEADER)
        end = self.end = appended.end_offset
        for change in changes:
            self._table.apply(change)
            if isinstance(change, OffsetChange):
                self._commits_end = end
            else:
                self._table.groups[change.group][change.topic].settles_at = end
        self._unsnapshotted += len(changes)
        waiting = self._partition.when_acknowledged(appended, Acks.LEADER)
        if waiting is None:
            self._durable.advance(end)
        else:
            waiting.addCallbacks(lambda _: self._durable.advance(end), self._unacknowledged, errbackArgs=(end,))
        # As many records as there are entries: so a snapshot costs each record the same, however large it is.
        if self._unsnapshotted >= max(self._snapshot_records, self._table.size) and not self._snapshots.saving:
            self.snapshot()
        return end

    def durable(self, end: int) -> "Deferred[int]":
        """Fire when everything below *end* is. Fires in order of *end*. :raises StorageError: nobody will ever know."""
        return self._durable.reach(end)

    @property
    def commits_end(self) -> int:
        """Where the log ended after the last commit: what is read from the offsets holds once that is durable."""
        return self._commits_end

    def must_serve(self) -> None:
        """:raises StorageError: a sync failed. :raises ShuttingDown: the broker drains."""
        if self.refusal is not None:
            raise self.refusal

    def refuse(self, reason: FluxError) -> None:
        """Write nothing any more; whoever waits, and whoever comes, gets *reason*."""
        if self.refusal is None:
            self.refusal = reason
            self._durable.fail(reason)

    def _unacknowledged(self, failure: Failure, end: int) -> None:
        if failure.check(ReplicationTimeout):
            # Leadership is lost, the log is not: what was applied is still what it says. Who waits does not know, who comes later will.
            # NOT_LEADER to him, because asking a group twice does no harm.
            self._durable.release(NotLeader(str(failure.value)))
            self._records.flush().addCallbacks(lambda _: self._durable.advance(end), self._failed)
        else:
            self._failed(failure)

    def _failed(self, failure: Failure) -> None:
        if self.refusal is None:
            self._report("the group log failed; groups are refused until a restart", failure)
        reason = failure.value if isinstance(failure.value, FluxError) else StorageError(str(failure.value))
        self.refuse(reason)

    def snapshot(self) -> "Deferred[None]":
        """Save the snapshots; a failure is only logged, because the next one tries again and nothing is lost meanwhile."""
        if self.refusal is not None:
            return succeed(None)
        self._unsnapshotted = 0
        return self._snapshots.save().addErrback(
            lambda failure: self._report(
                "group snapshots are not saved; the group log keeps everything and grows", failure
            )
        )

    def _report(self, what: str, failure: Failure) -> None:
        """In one line if the disk refused, for then the traceback says no more; else whole."""
        if failure.check(OSError, FluxError):
            self._log.error("{what}: {reason}", what=what, reason=failure.getErrorMessage())
        else:
            self._log.failure("{what}", failure, what=what)
