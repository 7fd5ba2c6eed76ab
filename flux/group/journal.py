"""The internal log and its snapshots: changes become durable here, in the order they were decided.

``offsets.json`` and ``groups.json`` are snapshots of the log, each naming the offset up to which it includes it; start-up is
snapshot and tail. A commit therefore costs the same however many offsets there are, and the log is cut behind the snapshots.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.batch import decode, encode, walk
from flux.errors import FluxError, NotLeader, StorageError
from flux.group import records
from flux.group.offsets import OffsetChange
from flux.group.records import Change, GenerationChange
from flux.group.table import GroupTable
from flux.interfaces import ICheckpoint, ILog, IPartition, Now
from flux.model import Acks
from flux.watermark import Watermark

KEPT_LOG_BYTES = 16 << 20  # a log no larger is not cut: it tells everything, should both snapshots be lost
_SLICE_S = 0.005
OFFSETS_FILE, GROUPS_FILE = "offsets.json", "groups.json"


@dataclass(slots=True)
class Snapshot:
    """One of the two files: how to take it, how to put it back, and the log offset below which it includes everything."""

    name: str
    checkpoint: ICheckpoint
    field: str
    holds: type[Change]
    take: Callable[[], Iterable[tuple[str, Any]]]
    restore: Callable[[dict[str, Any]], None]
    covers: int = 0


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
        offsets: ICheckpoint,
        groups: ICheckpoint,
        clock: IReactorTime,
        now: Now,
        snapshot_records: int,
        kept_log_bytes: int,
    ) -> None:
        self.refusal: FluxError | None = None
        self.lost_records = 0  # offsets that were missing from the log when it was read
        self.end = 0  # of the log, after the last change
        self._table = table
        self._partition = partition
        self._records = log
        self._clock = clock
        self._now = now
        self._snapshot_records = snapshot_records
        self._kept_log_bytes = kept_log_bytes
        self._unsnapshotted = 0
        self._durable = Watermark()
        self._commits_end = 0
        self._one_at_a_time = DeferredLock()
        self._snapshots = (
            Snapshot(OFFSETS_FILE, offsets, "offsets", OffsetChange, table.offsets.snapshot, table.offsets.restore),
            Snapshot(GROUPS_FILE, groups, "groups", GenerationChange, table.snapshot_groups, table.restore_groups),
        )

    # --- at start ---

    def load(self) -> None:
        """Become what was acknowledged before the stop: the snapshots, then the rest of the log.

        :raises StorageError: neither the snapshot nor the log holds it any more; names the file. Never begins with nothing instead.
        """
        for snapshot in self._snapshots:
            self._restore(snapshot)
        newest = max(snapshot.covers for snapshot in self._snapshots)
        if newest > self._records.end_offset:
            self._log_was_cut(newest)
        if not self._records.end_offset:
            # So that a file missing later is a loss, whatever the log then holds. Nobody is served before this is durable.
            for snapshot in self._snapshots:
                snapshot.checkpoint.save_now(_content(snapshot, 0, dict(snapshot.take())))
        self._replay()
        self.end = self._records.end_offset
        self._durable.advance(self.end)

    def _restore(self, snapshot: Snapshot) -> None:
        try:
            data = snapshot.checkpoint.load()
            problem = f"{snapshot.name} is missing"
        except StorageError as error:
            data, problem = {}, str(error)
        if data:
            # The log is never cut to beyond what a snapshot and its predecessor include: if it begins after this one, it is damaged.
            try:
                snapshot.restore(data[snapshot.field])
                snapshot.covers = int(data["log_offset"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise StorageError(
                    f"{snapshot.name} is whole, but not of the form this version reads ({error!r});"
                    " start the version that wrote it"
                ) from error
        elif self._records.start_offset:
            raise StorageError(
                f"{problem}, and the group log begins at offset {self._records.start_offset}, so it cannot be rebuilt:"
                f" restore {snapshot.name} from a backup; starting without it would forget what groups committed"
            )
        elif self._records.end_offset:
            self._log.warn("{problem}; it is rebuilt from the group log", problem=problem)

    def _log_was_cut(self, newest: int) -> None:
        """The log ends before a snapshot does, though it was synced first: somebody cut or removed it."""
        for snapshot in self._snapshots:
            if snapshot.covers < newest:
                raise StorageError(
                    f"{snapshot.name} includes the group log up to offset {snapshot.covers}, the other snapshot up to {newest},"
                    f" but the log ends at {self._records.end_offset}: restore the log or {snapshot.name} from a backup"
                )
        self._log.error(
            "the group log ends at {end}, its snapshots include it up to {newest}: it was cut or removed;"
            " going on from the snapshots, which are complete",
            end=self._records.end_offset,
            newest=newest,
        )
        for snapshot in self._snapshots:
            snapshot.covers = self._records.end_offset
            content = _content(snapshot, snapshot.covers, dict(snapshot.take()))
            snapshot.checkpoint.save_now(content)
            # As the predecessor too: the old one would hide what is appended from here to `newest`.
            snapshot.checkpoint.save_now(content)

    def _replay(self) -> None:
        covers = {snapshot.holds: snapshot.covers for snapshot in self._snapshots}
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
        if self._unsnapshotted >= max(self._snapshot_records, self._table.size) and not self._one_at_a_time.locked:
            self.snapshot_reporting()
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
        if failure.check(NotLeader):
            # Leadership is lost, the log is not: what was applied is still what it says. Who waits does not know, who comes later will.
            self._durable.release(NotLeader(str(failure.value)))
            self._records.flush().addCallbacks(lambda _: self._durable.advance(end), self._failed)
        else:
            self._failed(failure)

    def _failed(self, failure: Failure) -> None:
        if self.refusal is None:
            self._log.failure("the group log failed; groups are refused until a restart", failure)
        reason = failure.value if isinstance(failure.value, FluxError) else StorageError(str(failure.value))
        self.refuse(reason)

    # --- snapshots ---

    def snapshot(self) -> "Deferred[None]":
        """Save both files, if anything changed, and cut a large log to what they *and their predecessors* include.

        Fails when a file could not be replaced; then the log is not cut, and the next snapshot tries again.
        """
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._save()))

    async def _save(self) -> None:
        if not self._unsnapshotted or self.refusal is not None:
            return
        self._unsnapshotted = 0
        end = self.end
        taken = [(snapshot, snapshot.take()) for snapshot in self._snapshots]
        # First the log: a snapshot that knew more than the log would, after a power cut, hide the records appended in their place.
        await self._records.flush()
        cut = end
        for snapshot, groups in taken:
            await snapshot.checkpoint.save(_content(snapshot, end, await self._collect(groups)))
            cut = min(cut, snapshot.covers)
            snapshot.covers = end
        if cut > self._records.start_offset and self._records.size_bytes > self._kept_log_bytes:
            await self._records.move_start(cut)

    async def _collect(self, groups: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """All of *groups*, made a slice at a time: whoever asks something meanwhile is answered between."""
        collected, begun = {}, self._clock.seconds()
        for group, content in groups:
            collected[group] = content
            if self._clock.seconds() - begun > _SLICE_S:
                await deferLater(self._clock, 0)
                begun = self._clock.seconds()
        return collected

    def snapshot_reporting(self) -> "Deferred[None]":
        """The same, but a failure is only logged: the next one tries again, and nothing is lost meanwhile."""
        return self.snapshot().addErrback(self._snapshot_failed)

    def _snapshot_failed(self, failure: Failure) -> None:
        self._log.failure("group snapshots could not be saved; the group log keeps everything and grows", failure)


def _content(snapshot: Snapshot, log_offset: int, groups: dict[str, Any]) -> dict[str, Any]:
    return {"log_offset": log_offset, snapshot.field: groups}
