"""Leader epoch → first offset, as Kafka's ``leader-epoch-checkpoint`` keeps it. Pure; :mod:`flux.storage.epoch_file` has the file.

The file is text: a version (0), the number of entries, then ``<epoch> <first offset>`` a line.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Stretch(NamedTuple):
    """Batches that follow each other and carry the same leader epoch."""

    epoch: int
    offset: int
    batches: int


class EpochCache:
    """Which leader epoch each stretch of the log was written in."""

    __slots__ = ("entries",)

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        self.entries = list(entries)

    @property
    def latest(self) -> int:
        """The epoch of the last stretch, -1 if nothing was written yet."""
        return self.entries[-1][0] if self.entries else -1

    def assign(self, epoch: int, offset: int) -> bool:
        """*epoch* begins at *offset*; whether that is news. An epoch in which nothing was written yields to the next.

        :raises ValueError: epochs do not fall.
        """
        if epoch == self.latest:
            return False
        if epoch < self.latest:
            raise ValueError(f"epoch {epoch} after epoch {self.latest}")
        while self.entries and self.entries[-1][1] >= offset:
            self.entries.pop()
        self.entries.append((epoch, offset))
        return True

    def epoch_of(self, offset: int) -> int:
        """The epoch *offset* was written in, -1 if that is unknown."""
        entries = self.entries
        if entries and offset >= entries[-1][1]:
            return entries[-1][0]  # as a rule: asked for every batch that is read
        at = bisect_right(self.entries, offset, key=lambda entry: entry[1])
        return self.entries[at - 1][0] if at else -1

    def end_of(self, epoch: int, log_end: int) -> tuple[int, int]:
        """The largest epoch not above *epoch*, and one past its last offset; (-1, -1) if there is none (KIP-101, KIP-279)."""
        at = bisect_right(self.entries, epoch, key=lambda entry: entry[0])
        if not at:
            return -1, -1
        return self.entries[at - 1][0], self.entries[at][1] if at < len(self.entries) else log_end

    def cut_end(self, offset: int) -> None:
        """The log was truncated at *offset*."""
        self.entries = [entry for entry in self.entries if entry[1] < offset]

    def cut_start(self, offset: int) -> None:
        """The log now starts at *offset*: the epoch it lies in begins there."""
        epoch = self.epoch_of(offset)
        self.entries = [entry for entry in self.entries if entry[1] > offset]
        if epoch >= 0:
            self.entries.insert(0, (epoch, offset))

    def to_bytes(self) -> bytes:
        """As the file holds it."""
        lines = ["0", str(len(self.entries)), *(f"{epoch} {offset}" for epoch, offset in self.entries)]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> "EpochCache":
        """:raises ValueError: this is no such file, or epochs or offsets do not ascend."""
        lines = data.decode("ascii").split("\n")
        if len(lines) < 3 or lines[0] != "0" or len(lines) != int(lines[1]) + 3:
            raise ValueError("not a leader-epoch-checkpoint of version 0, or cut short")
        entries: list[tuple[int, int]] = []
        for line in lines[2:-1]:
            epoch, offset = map(int, line.split(" "))
            if entries and (epoch <= entries[-1][0] or offset <= entries[-1][1]):
                raise ValueError("epochs or offsets do not ascend")
            entries.append((epoch, offset))
        return cls(entries)

    @classmethod
    def rebuilt(cls, stretches: Iterable[Stretch]) -> "EpochCache":
        """What the batches themselves say, in the order of their offsets.

        Epochs do not fall; where they seem to, a header was damaged, and the shorter stretch of the two is the one not believed.
        """
        kept: list[Stretch] = []
        for stretch in stretches:
            while kept and kept[-1].epoch > stretch.epoch and kept[-1].batches <= stretch.batches:
                kept.pop()
            if not kept or kept[-1].epoch < stretch.epoch:
                kept.append(stretch)
            elif kept[-1].epoch == stretch.epoch:
                kept[-1] = kept[-1]._replace(batches=kept[-1].batches + stretch.batches)
        return cls((stretch.epoch, stretch.offset) for stretch in kept)
