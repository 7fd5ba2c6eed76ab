"""One segment read whole: its batches go to whoever watches, what is no batch is told."""

from collections.abc import Callable, Iterator, Sequence

from flux.batch import BatchHeader, CodecMissing, CorruptBatch
from flux.errors import StorageError
from flux.interfaces import IFile
from flux.storage.epochs import EpochCache
from flux.storage.findings import Finding, Kind
from flux.storage.recovery import Damage, Sound, scan
from flux.storage.wording import damaged_batch

Watch = Callable[[BatchHeader, int], object]
"""Is told of each sound batch and its position."""

LookInto = Callable[[bytes], object]
"""Is given each sound batch; raises CorruptBatch, StorageError or CodecMissing at what is wrong with its records."""


class SegmentWalk:
    """*Action*: iterate over :meth:`findings` to its end. *Transition*: ``next_offset`` and ``end`` move on with each sound batch.

    ``tail`` is the damage the file ends with, if it does, which is for the caller to tell: it may be the end of the log. ``sound`` is
    whether there was no damage at all.
    """

    def __init__(
        self,
        name: str,
        file: IFile,
        expected: int,
        limit: int,
        watchers: Sequence[Watch],
        look_into: LookInto | None,
    ) -> None:
        """Offset *expected* is due at the start of *file*, and at *limit* the next segment begins."""
        self.next_offset = expected
        self.end = 0  # of what was written, in bytes
        self.tail: Damage | None = None
        self.sound = True
        self._name = name
        self._file = file
        self._limit = limit
        self._watchers = watchers
        self._look_into = look_into

    def findings(self) -> Iterator[Finding]:
        """Damage with sound batches after it, and batches with bad records. :raises OSError: the disk failed."""
        # Any epoch goes: which are right is told when all are known.
        for found in scan(self._file, 0, self.next_offset, EpochCache(), self._limit):
            if isinstance(found, Damage):
                self.tail, self.sound, self.end = found, False, found.end
                continue
            if self.tail is not None:
                yield damaged_batch(self._name, self.tail, found.header.base_offset)
                self.tail = None
            self.next_offset = found.header.next_offset
            self.end = found.position + found.header.length
            for watch in self._watchers:
                watch(found.header, found.position)
            if self._look_into is not None:
                yield from self._records(found, self._look_into)

    def _records(self, found: Sound, look_into: LookInto) -> Iterator[Finding]:
        header, position = found.header, found.position
        then, missing = "whoever reads it is refused", False
        try:
            look_into(self._file.read_at(position, header.length))
            return
        except CodecMissing as error:
            why, then, missing = str(error), "its records were not looked at", True
        except (CorruptBatch, StorageError) as error:
            why = str(error)
        where = (position, header.length, header.base_offset, header.next_offset)
        yield Finding(Kind.RECORDS, self._name, why, then, *where, harmless=missing)
