"""What a storage room promised, and whether it kept it: the oracle of the tests that cut the power.

Everything once served counts as promised from then on: a consumer acted on it.
"""

import contextlib  # by name: trial gives a module-level "suppress" a meaning
from collections import defaultdict
from itertools import count

from twisted.python.failure import Failure

from flux.batch import decode, walk
from flux.errors import DiskFull, OffsetOutOfRange, StorageError
from flux.model import FsyncMode, TopicPartition
from flux.testing import Stopped
from tests.storage.scene import Scene

_ALL = 1 << 63
Given = tuple[bytes, int]  # a value, and the leader epoch it was given in


class Broken(AssertionError):
    """A promise was not kept."""


class Kept:
    """What is known of one partition, by offset."""

    def __init__(self) -> None:
        self.tried: dict[int, set[Given]] = defaultdict(set)  # appends, whatever became of them
        self.taken: dict[tuple[int, int], bytes] = {}  # offset and epoch of appends that returned
        self.refused: set[bytes] = set()  # values of appends that kept nothing
        self.written: dict[int, bytes] = {}  # what a kill leaves
        self.durable: dict[int, bytes] = {}  # what nothing takes away any more
        self.bases: list[int] = []  # where batches began
        self.start = 0  # durably forgotten below
        self.start_asked = 0  # perhaps forgotten below
        self.cut_asked: int | None = None  # a truncation of which the outcome is not known
        self.epoch = 0


class History:
    """Acts on a scene and remembers. Actions raise :class:`Stopped` when the disk's plan has ended the process."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.mode = scene.config.fsync_mode
        self.kept: dict[TopicPartition, Kept] = {tp: Kept() for tp in scene.tps}
        self.acknowledged = 0
        self._numbers = count()
        self._faulty = False

    # --- what a broker does

    def produce(self, tp: TopicPartition, records: int = 1, size: int = 20) -> None:
        """Append one batch; it is acknowledged when what the log promises of it is met."""
        kept, log = self.kept[tp], self.scene.logs[tp]
        values = [b"%s %d " % (str(tp).encode(), next(self._numbers)) + b"x" * size for _ in range(records)]
        placed = dict(enumerate(values, log.end_offset))
        epoch = kept.epoch
        for offset, value in placed.items():
            kept.tried[offset].add((value, epoch))
        try:
            base = self.scene.put(*values, epoch=epoch, tp=tp)
        except DiskFull:
            self._must_run()
            kept.refused.update(values)
            return
        except StorageError:
            self._must_run()
            return
        if base != min(placed):
            raise Broken(f"{tp}: the log ended at {min(placed)}, and an append got {base}")
        for offset, value in placed.items():
            if (offset, epoch) in kept.taken:
                raise Broken(f"{tp}: offset {offset} was given twice in epoch {epoch}")
            kept.taken[offset, epoch] = value
        kept.written.update(placed)
        kept.bases.append(base)
        if self.mode is FsyncMode.ALWAYS:
            promised = log.promised.reach(base + records)
            promised.addCallbacks(lambda _: self._is_durable(tp, placed), self._told)
        self._must_run()

    def flush(self, tp: TopicPartition) -> None:
        """Ask for what is written to be durable."""
        written = dict(self.kept[tp].written)
        self.scene.logs[tp].flush().addCallbacks(lambda _: self._is_durable(tp, written), self._told)
        self._must_run()

    def consume(self, tp: TopicPartition) -> None:
        """Read all that a consumer is shown, unless the disk refuses, or it is forgotten meanwhile."""
        try:
            end = self.scene.logs[tp].promised.value
            self._compare(tp, end, end)
        except (StorageError, OffsetOutOfRange):
            self._must_run()

    def begin_epoch(self, tp: TopicPartition) -> None:
        """Another leadership begins."""
        kept = self.kept[tp]
        kept.epoch += 1
        with contextlib.suppress(StorageError):
            self.scene.logs[tp].begin_epoch(kept.epoch)
        self._must_run()

    def move_start(self, tp: TopicPartition, offset: int) -> None:
        """Forget what is below."""
        kept, log = self.kept[tp], self.scene.logs[tp]
        offset = min(offset, log.end_offset)
        kept.start_asked = max(kept.start_asked, offset)
        log.move_start(offset).addCallbacks(lambda _: self._forgot(tp, min(offset, log.end_offset)), self._told)
        self._must_run()

    def truncate(self, tp: TopicPartition, back: int) -> None:
        """Forget the last *back* batches, as a follower does; its leader is in another epoch."""
        kept, log = self.kept[tp], self.scene.logs[tp]
        start = max(log.start_offset, kept.start_asked)  # nobody cuts below it: it is never above the watermark
        bases = [base for base in kept.bases if start < base < log.end_offset]
        if kept.cut_asked is not None or not bases:
            return
        kept.cut_asked = offset = bases[-min(back, len(bases))]
        log.truncate(offset).addCallbacks(lambda _: self._was_cut(tp, offset), self._told)
        self._must_run()

    def turn(self) -> None:
        """Let everything run that can."""
        self.scene.turn()
        self._must_run()
        self._look()

    def advance(self, seconds: float) -> None:
        """Let time pass: timers sync, save and forget."""
        for tp, log in self.scene.logs.items():  # by retention anything closed may go
            self.kept[tp].start_asked = max(self.kept[tp].start_asked, log.retention_limit())
        self.scene.advance(seconds)
        self._must_run()
        for tp, log in self.scene.logs.items():
            self._forgot(tp, log.start_offset)
        self._look()

    def retain(self, seconds: float) -> None:
        """Let so much time pass that records become too old; the settings are the scene's."""
        for tp in self.scene.tps:
            self.scene.open(tp)  # again, for the settings
        self.advance(seconds)

    def fail(self, error: int, kind: str | None, nth: int) -> None:
        """One call of the disk will fail."""
        self._faulty = True
        self.scene.disk.fail(error, kind, nth=nth)

    # --- how lives end and begin

    def stop(self) -> None:
        """A clean stop, which makes everything durable but for logs that failed."""
        stopped = self.scene.manager.stopService().addErrback(self._told)
        for _ in range(10):
            self.scene.turn()
            self._must_run()
        if not stopped.called:
            raise Broken("the stop does not end")
        for tp, log in self.scene.logs.items():
            if log.failure is None and not self._faulty:
                self._is_durable(tp, self.kept[tp].written)
        self.scene.die()
        self._ended(lost_power=False)

    def die(self) -> None:
        """SIGKILL."""
        self.scene.die()
        self._ended(lost_power=False)

    def lose_power(self) -> None:
        """A power cut."""
        self.scene.lose_power()
        self._ended(lost_power=True)

    def was_stopped(self, *, lost_power: bool) -> None:
        """The disk's own plan ended the process."""
        self.scene.reboot()
        self._ended(lost_power=lost_power)

    def start(self) -> None:
        """A new process: it must find what is promised, and promises what it finds."""
        self.scene.start()
        self._must_run()
        for tp in self.scene.tps:
            kept, log = self.kept[tp], self.scene.logs[tp]
            if self.scene.manager.unclean:
                kept.epoch += 1  # as the controller does: offsets may be given again
            if kept.cut_asked is not None:
                self._forget_above(tp, kept.cut_asked)
            kept.durable.update(kept.written)  # after a kill: nothing of it may be missing either
            found = self._compare(tp, log.end_offset, _ALL)
            kept.written = dict(found)
            kept.start_asked = kept.start = max(kept.start, log.start_offset)
        self._look()

    def _ended(self, *, lost_power: bool) -> None:
        for kept in self.kept.values():
            if lost_power or self._faulty:
                kept.written = dict(kept.durable)
        self._faulty = False
        self.scene.disk.heal()

    # --- bookkeeping

    def _must_run(self) -> None:
        if self.scene.stopped:
            raise Stopped

    def _told(self, failure: Failure) -> None:
        if not isinstance(failure.value, (StorageError, Stopped)):  # trap() knows no BaseException
            failure.raiseException()

    def _look(self) -> None:
        """What the log says is on the medium is from now on."""
        for tp, log in self.scene.logs.items():
            kept = self.kept[tp]
            self._is_durable(tp, {o: value for o, value in kept.written.items() if o < log.flushed.value})

    def _is_durable(self, tp: TopicPartition, values: dict[int, bytes]) -> None:
        kept = self.kept[tp]
        cut = kept.cut_asked
        fresh = {o: v for o, v in values.items() if o not in kept.durable and (cut is None or o < cut)}
        fresh = {o: v for o, v in fresh.items() if kept.written.get(o) == v}
        self.acknowledged += len(fresh)
        kept.durable.update(fresh)

    def _forgot(self, tp: TopicPartition, offset: int) -> None:
        self.kept[tp].start = max(self.kept[tp].start, offset)

    def _was_cut(self, tp: TopicPartition, offset: int) -> None:
        end = self.scene.logs[tp].end_offset
        if end > offset:
            raise Broken(f"{tp} was truncated at {offset} and ends at {end}")
        self._forget_above(tp, offset)

    def _forget_above(self, tp: TopicPartition, offset: int) -> None:
        kept = self.kept[tp]
        for values in (kept.written, kept.durable):
            for above in [o for o in values if o >= offset]:
                del values[above]
        kept.bases = [base for base in kept.bases if base < offset]
        kept.start, kept.start_asked = min(kept.start, offset), min(kept.start_asked, offset)
        kept.cut_asked = None
        kept.epoch += 1

    def _compare(self, tp: TopicPartition, end: int, must: int) -> dict[int, bytes]:
        """What is readable below *end* against what it may be, and below *must* has to be. Returns it."""
        kept, log = self.kept[tp], self.scene.logs[tp]
        if log.start_offset < kept.start:
            raise Broken(f"{tp}: offset {kept.start} was durably the start, and now {log.start_offset} is")
        found = self._read(tp, end)
        for offset, value in found.items():
            if value in kept.refused:
                raise Broken(f"{tp}: {value!r} at {offset} was refused")
            due = kept.durable.get(offset, value)
            if value != due:
                raise Broken(f"{tp}: {value!r} is at {offset}, promised was {due!r}")
        start = max(kept.start_asked, kept.start)
        lost = [o for o in kept.durable if start <= o < must and o not in found]
        if lost and kept.cut_asked is None:
            raise Broken(f"{tp}: offsets {lost} are missing below {end}; the log holds {sorted(found)}")
        return found

    def _read(self, tp: TopicPartition, end: int) -> dict[int, bytes]:
        kept, log = self.kept[tp], self.scene.logs[tp]
        found: dict[int, bytes] = {}
        bases: list[int] = []
        offset = log.start_offset
        while offset < end:
            data = self.scene.done(log.read(offset, 1500, end))
            for header, position in walk(data):
                batch = data[position : position + header.length]
                bases.append(header.base_offset)
                for record in decode(batch, offset):
                    if record.offset in found or (found and record.offset < max(found)):
                        raise Broken(f"{tp}: offset {record.offset} after {max(found)}")
                    if record.value is None or (record.value, header.leader_epoch) not in kept.tried[record.offset]:
                        raise Broken(
                            f"{tp}: {record.value!r} of epoch {header.leader_epoch} at {record.offset} was never produced there"
                        )
                    found[record.offset] = record.value
            if not data:
                break
            offset = header.next_offset
        kept.bases = [*(base for base in kept.bases if base >= end), *bases] if end < log.end_offset else bases
        return {o: value for o, value in found.items() if o < end}
