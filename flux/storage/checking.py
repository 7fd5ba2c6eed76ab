"""A segment read whole from the medium, batch by batch: which of them are sound, which are damaged, and in which epochs they lie."""

from typing import NamedTuple

from flux.batch import BatchHeader
from flux.interfaces import IDirectory
from flux.storage.epochs import EpochCache, Stretch
from flux.storage.gaps import Gaps, Loss
from flux.storage.recovery import Damage, scan
from flux.storage.segment import Segment, file_name


class Checked(NamedTuple):
    """A segment, indexed; the damage its file ends with, if it does; and whether there is no other."""

    segment: Segment
    tail: Damage | None
    sound: bool


class Checker:
    """Checks segments in the order of their offsets against *epochs*, or, if that is None, finds out what the epochs are."""

    def __init__(self, directory: IDirectory, index_interval: int, epochs: EpochCache | None, gaps: Gaps) -> None:
        self.scanned_bytes = 0
        self._directory = directory
        self._interval = index_interval
        self._epochs = epochs
        self._gaps = gaps
        self._stretches: list[Stretch] = []

    @property
    def epochs(self) -> EpochCache:
        """What it was given, or found out."""
        return EpochCache.rebuilt(self._stretches) if self._epochs is None else self._epochs

    def check(self, base_offset: int, expected: int, limit: int) -> Checked:
        """Read that segment, in which *expected* is due, and note what is lost in the middle of it. :raises OSError: the disk failed.

        The next one begins at *limit*: a copy of its batches, after damage in this one, is none of this one.

        From the medium: after a failed sync the page cache holds what will never be written.
        """
        file = self._directory.open(file_name(base_offset))
        try:
            file.drop_cache()
            segment = Segment(base_offset, file, self._interval)
            segment.next_offset = expected
            self.scanned_bytes += file.size
            sound, damage, end = True, None, 0
            for found in scan(file, 0, expected, self._epochs or EpochCache(), limit):
                if isinstance(found, Damage):
                    damage = found
                    continue
                header = found.header
                if damage is not None:
                    self._gaps.note(Loss.of(base_offset, damage, header.base_offset, "damaged, passed over"))
                    sound, damage = False, None
                self._learn_epoch(header)
                segment.note(header.base_offset, header.next_offset, found.position, header.max_timestamp_ms)
                end = found.position + header.length
            if damage is None and end < file.size:
                file.truncate(end)  # zeros that were ready to be written over
            file.datasync()
        except BaseException:
            file.close()
            raise
        return Checked(segment, damage, sound)

    def _learn_epoch(self, header: BatchHeader) -> None:
        if self._epochs is not None:
            return
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.epoch == header.leader_epoch:
            self._stretches[-1] = last._replace(batches=last.batches + 1)
        else:
            self._stretches.append(Stretch(header.leader_epoch, header.base_offset, 1))
