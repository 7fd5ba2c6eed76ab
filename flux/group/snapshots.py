"""``offsets.json`` and ``groups.json``: snapshots of the group log, each naming the offset up to which it includes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from flux.errors import StorageError
from flux.group.offsets import OffsetChange
from flux.group.records import Change, GenerationChange
from flux.group.table import GroupTable
from flux.interfaces import ICheckpoint, ILog

KEPT_LOG_BYTES = 16 << 20  # a log no larger is not cut: it tells everything, should both snapshots be lost
_SLICE_S = 0.005
_OFFSETS, _GROUPS = "offsets.json", "groups.json"


@dataclass(slots=True)
class Snapshot:
    """One of the two: how to take it, how to put it back, and the offset below which it includes the log."""

    name: str
    checkpoint: ICheckpoint
    field: str
    holds: type[Change]
    take: Callable[[], Iterable[tuple[str, Any]]]
    restore: Callable[[dict[str, Any]], None]
    covers: int = 0

    def content(self, log_offset: int, groups: Mapping[str, Any]) -> dict[str, Any]:
        """The file's."""
        return {"log_offset": log_offset, self.field: groups}


class Snapshots:
    """Both files, and how far the log may be cut behind them.

    *Action*: :meth:`restore` once, then :meth:`save`. *Transition*: what the files cover rises; the log is cut only to what each *and its
    predecessor* cover, so that a file found damaged is made good from the one before it.
    """

    _log = Logger()

    def __init__(
        self,
        table: GroupTable,
        log: ILog,
        offsets: ICheckpoint,
        groups: ICheckpoint,
        clock: IReactorTime,
        kept_log_bytes: int,
    ) -> None:
        self._records = log
        self._clock = clock
        self._kept_log_bytes = kept_log_bytes
        self._one_at_a_time = DeferredLock()
        self._both = (
            Snapshot(_OFFSETS, offsets, "offsets", OffsetChange, table.offsets.snapshot, table.offsets.restore),
            Snapshot(_GROUPS, groups, "groups", GenerationChange, table.snapshot_groups, table.restore_groups),
        )

    @property
    def covers(self) -> Mapping[type[Change], int]:
        """The offset below which the changes of each type are included."""
        return {snapshot.holds: snapshot.covers for snapshot in self._both}

    @property
    def saving(self) -> bool:
        """A :meth:`save` is under way."""
        return bool(self._one_at_a_time.locked)

    # --- at start ---

    def restore(self) -> None:
        """Put back what the files hold.

        :raises StorageError: one of them cannot be used, nor can the log in its place; names the file. Never begins with nothing instead.
        """
        for snapshot in self._both:
            self._restore(snapshot)
        newest = max(snapshot.covers for snapshot in self._both)
        if newest > self._records.end_offset:
            self._go_on_without_the_log(newest)
        elif not self._records.end_offset:
            # So that a file missing later is a loss, whatever the log then holds. Nobody is served before this is durable.
            for snapshot in self._both:
                snapshot.checkpoint.save_now(snapshot.content(0, {}))

    def _restore(self, snapshot: Snapshot) -> None:
        try:
            data = snapshot.checkpoint.load()
            problem = f"{snapshot.name} is missing"
        except StorageError as error:
            data, problem = {}, str(error)
        if data:
            # Should the log begin after what this covers, it is damaged: cut so far it never is.
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

    def _go_on_without_the_log(self, newest: int) -> None:
        """The log ends before a snapshot does, though it was synced first: somebody cut or removed it."""
        for snapshot in self._both:
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
        for snapshot in self._both:
            snapshot.covers = self._records.end_offset
            content = snapshot.content(snapshot.covers, dict(snapshot.take()))
            snapshot.checkpoint.save_now(content)
            # As the predecessor too: the old one would hide what is appended from here to `newest`.
            snapshot.checkpoint.save_now(content)

    # --- ever after ---

    def save(self) -> "Deferred[None]":
        """Save both files, if anything changed since, and cut a large log behind them.

        Fails when a file could not be replaced; then the log is not cut, and the next call tries again.
        """
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._save()))

    async def _save(self) -> None:
        end = self._records.end_offset
        if all(snapshot.covers == end for snapshot in self._both):
            return
        taken = [(snapshot, snapshot.take()) for snapshot in self._both]
        # First the log: a snapshot that knew more than the log would, after a power cut, hide the records appended in their place.
        await self._records.flush()
        cut = end
        for snapshot, groups in taken:
            await snapshot.checkpoint.save(snapshot.content(end, await self._collect(groups)))
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
