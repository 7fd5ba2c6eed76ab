"""Whether batches carry the leader epochs that the epoch cache says, and which of the two to believe where they do not. Pure."""

from dataclasses import dataclass, replace

from flux.batch import BatchHeader
from flux.storage.epochs import EpochCache, Stretch


@dataclass(slots=True)
class Stray:
    """Batches that follow each other in a segment and carry epoch *says* where *due* was due."""

    file: str
    position: int
    end: int
    first: int
    next: int
    batches: int
    says: int
    due: int


class EpochWitness:
    """*Action*: :meth:`pass_batch` for each sound batch, in order. ``strays`` is then what disagrees with *epochs*, or, if that is None
    because there is no cache to be believed, with what the batches say together.
    """

    def __init__(self, epochs: EpochCache | None) -> None:
        self._epochs = epochs
        self._stretches: list[Stretch] = []
        self._runs: list[Stray] = []  # where there is a cache, only those that disagree with it

    @property
    def strays(self) -> list[Stray]:
        """In the order of their offsets."""
        if self._epochs is not None:
            return self._runs
        rebuilt = EpochCache.rebuilt(self._stretches)
        judged = (replace(run, due=rebuilt.epoch_of(run.first)) for run in self._runs)
        return [run for run in judged if run.due not in (-1, run.says)]

    def disagrees_in(self, file: str) -> bool:
        """Whether a batch of *file*, the last one that was read, is not of the epoch that the cache says."""
        return self._epochs is not None and bool(self._runs) and self._runs[-1].file == file

    @property
    def last_begins(self) -> int:
        """At which offset the last epoch of the cache does."""
        return self._epochs.entries[-1][1] if self._epochs is not None and self._epochs.entries else 0

    def pass_batch(self, file: str, header: BatchHeader, position: int) -> None:
        """A sound batch of the segment *file*."""
        says, base = header.leader_epoch, header.base_offset
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.epoch == says:
            self._stretches[-1] = last._replace(batches=last.batches + 1)
        else:
            self._stretches.append(Stretch(says, base, 1))
        due = -1 if self._epochs is None else self._epochs.epoch_of(base)
        if self._epochs is not None and due in (-1, says):
            return
        end, run = position + header.length, self._runs[-1] if self._runs else None
        if run is not None and (run.file, run.end, run.says, run.due) == (file, position, says, due):
            run.end, run.next, run.batches = end, header.next_offset, run.batches + 1
        else:
            self._runs.append(Stray(file, position, end, base, header.next_offset, 1, says, due))

    def wrong_entries(self) -> list[Stray]:
        """Where it is the cache that is wrong: several batches agree, and fit in with all others. One alone is taken for damaged.

        Each epoch that batches carry is told once, from the first of them to the last.
        """
        if self._epochs is None:
            return []
        rebuilt = EpochCache.rebuilt(self._stretches)
        found: dict[tuple[int, int], Stray] = {}
        for stray in self.strays:
            if rebuilt.epoch_of(stray.first) == stray.says:
                known = found.setdefault((stray.says, stray.due), replace(stray, batches=0))
                known.batches, known.next = known.batches + stray.batches, stray.next
        return [entry for entry in found.values() if entry.batches > 1]
