"""What makes a log's bytes durable, in an order that leaves no hole at any instant.

A segment is rolled without waiting: its successor is written under ``<base>.log.rolling`` until a round has synced first the old
file, then the new one. A crash in between finds a rolling file that does not go on where the old one ends, and drops it: nothing
in it was promised. So the log never has a hole, and no append ever waits for a sync.
"""

from collections.abc import Callable, Sequence

from flux.crc32c import crc32c
from flux.interfaces import IDirectory, IFile
from flux.storage.checkpoint import replace_file
from flux.storage.closed import write_indexes
from flux.storage.epochs import EpochCache
from flux.storage.opening import EPOCHS, ROLLING
from flux.storage.segment import DIGEST, Segment, file_name

_PIECE = 1 << 20


class LogSync:
    """One round's work for one log: *chain* is every segment with unsynced bytes, oldest first; only the last is still appended to."""

    def __init__(
        self,
        directory: IDirectory,
        parent: IDirectory | None,
        chain: Sequence[Segment],
        rolling: Sequence[Segment],
        epochs: bytes | None,
        end_offset: int,
        done: Callable[["LogSync", BaseException | None], None],
    ) -> None:
        self.chain = chain
        self.rolling = rolling
        self.end_offset = end_offset
        self._directory = directory
        self._parent = parent
        self._epochs = epochs
        self._done = done

    def run(self) -> None:
        """See :class:`~flux.storage.flusher.SyncJob`."""
        if self._epochs is not None:
            replace_file(self._directory, EPOCHS, self._epochs)
        for segment in self.chain:
            segment.file.datasync()
            if segment in self.rolling:
                self._directory.sync()
                self._directory.rename(file_name(segment.base_offset, ROLLING), file_name(segment.base_offset))
                self._directory.sync()
        if self._parent is not None:
            self._directory.sync()
            self._parent.sync()
        for segment in self.chain[:-1]:
            write_indexes(self._directory, segment)
            _write_digest(self._directory, segment)

    def done(self, error: BaseException | None) -> None:
        """See :class:`~flux.storage.flusher.SyncJob`."""
        self._done(self, error)


def _write_digest(directory: IDirectory, segment: Segment) -> None:
    """Size and CRC-32C of a closed file: covers the header bytes that a batch's own CRC leaves out. A hint, like the indexes."""
    try:
        text = f"{segment.file.size} {digest(segment.file):08x}\n"
        replace_file(directory, file_name(segment.base_offset, DIGEST), text.encode())
    except OSError:
        return


def digest(file: IFile) -> int:
    """The CRC-32C of a whole file."""
    value = 0
    for position in range(0, file.size, _PIECE):
        value = crc32c(file.read_at(position, _PIECE), value)
    return value


def write_epochs_unsynced(directory: IDirectory, epochs: EpochCache) -> None:
    """Put the epoch cache in place at once, so that a killed process finds it; the next round makes it durable.

    Were it torn by a power cut, it would be rebuilt from the batches.
    """
    fresh = EPOCHS + ".now"
    if any(entry.name == fresh for entry in directory.list()):
        directory.remove(fresh)
    file = directory.create(fresh)
    try:
        file.append(epochs.to_bytes())
    finally:
        file.close()
    directory.rename(fresh, EPOCHS)
