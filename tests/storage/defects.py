"""Planted defects: each leaves out, or reorders, one step that storage takes on the disk.

A defect is the disk with a layer in between that does not do all it is asked to; storage itself is as it is.
"""

from contextlib import suppress

from flux.interfaces import IDirectory, IFile
from tests.storage.layer import Layer


def is_log(path: str) -> bool:
    """A segment, with its name or on the way to it."""
    return ".log" in path


class NoSync(Layer):
    """Segments are never synced, but for what recovery does."""

    def datasync(self, file: IFile, path: str) -> None:
        if not is_log(path) or self.recovering:
            file.datasync()


class NoDirectorySync(Layer):
    """Names in a log's directory are never made durable."""

    def sync(self, directory: IDirectory) -> None:
        if directory.path == "/":
            directory.sync()


class NoParentSync(Layer):
    """The data directory's names are never made durable: a log's own directory among them."""

    def sync(self, directory: IDirectory) -> None:
        if directory.path != "/":
            directory.sync()


class NoSyncAtRecovery(Layer):
    """What a killed process wrote is served without being synced."""

    def datasync(self, file: IFile, path: str) -> None:
        if not self.recovering:
            file.datasync()

    def drop_cache(self, file: IFile, path: str) -> None:
        """The sync it begins with is left out, and dirty pages are not dropped."""


class NoDirectorySyncAfterRecovery(Layer):
    """Names that a killed process left are served without being synced."""

    def sync(self, directory: IDirectory) -> None:
        if not self.recovering:
            directory.sync()


class NoSyncOnRoll(Layer):
    """The segment before the last is not synced: only what is appended to is."""

    def __call__(self, directory: IDirectory) -> IDirectory:
        self._top = directory
        return super().__call__(directory)

    def datasync(self, file: IFile, path: str) -> None:
        above, _, name = path.strip("/").rpartition("/")
        if is_log(path) and not self.recovering:
            names = [entry.name for entry in self._top.child(above).list() if is_log(entry.name)]
            if names and max(names)[:20] > name[:20]:
                return
        file.datasync()


class NamedBeforeSynced(Layer):
    """A rolled segment gets its final name before its bytes are durable."""

    def datasync(self, file: IFile, path: str) -> None:
        if ".rolling" not in path or self.recovering:
            file.datasync()


class RetryAndPretend(Layer):
    """A failed sync is tried again, and what that says is believed."""

    def datasync(self, file: IFile, path: str) -> None:
        try:
            file.datasync()
        except OSError:
            file.datasync()


class RecoverFromPageCache(Layer):
    """Recovery syncs, and reads what the page cache holds."""

    def drop_cache(self, file: IFile, path: str) -> None:
        file.datasync()


class CheckpointInPlace(Layer):
    """A checkpoint is overwritten where it lies."""

    def rename(self, directory: IDirectory, old: str, new: str) -> None:
        if not (old.endswith(".json.new") and directory.path == "/"):
            if not new.endswith(".json.prev"):
                directory.rename(old, new)
            return
        fresh = directory.open(old)
        data = fresh.read_at(0, fresh.size)
        fresh.close()
        try:
            file = directory.open(new)
        except FileNotFoundError:
            file = directory.create(new)
        file.truncate(0)
        file.append(data)
        file.datasync()
        file.close()
        directory.remove(old)


class CheckpointWithoutSync(Layer):
    """A checkpoint is renamed into place before its bytes are durable."""

    def datasync(self, file: IFile, path: str) -> None:
        if not path.endswith(".json.new"):
            file.datasync()


class CheckpointWithoutDirectorySync(Layer):
    """A checkpoint's new name is not made durable."""

    def __init__(self) -> None:
        super().__init__()
        self._renamed = False

    def rename(self, directory: IDirectory, old: str, new: str) -> None:
        directory.rename(old, new)
        self._renamed = new.endswith(".json")

    def sync(self, directory: IDirectory) -> None:
        if not self._renamed:
            directory.sync()
        self._renamed = False


class EpochsWithoutDirectorySync(Layer):
    """The epoch cache's new name is not made durable before batches of the new epoch are."""

    def __init__(self) -> None:
        super().__init__()
        self._synced = False

    def datasync(self, file: IFile, path: str) -> None:
        file.datasync()
        self._synced = "leader-epoch" in path

    def sync(self, directory: IDirectory) -> None:
        if not self._synced or self.recovering:
            directory.sync()
        self._synced = False


class MarkStays(Layer):
    """The clean-shutdown mark is not durably taken away before the logs are written again."""

    def __init__(self) -> None:
        super().__init__()
        self._mark: bytes | None = None

    def remove(self, directory: IDirectory, name: str) -> None:
        if name != "clean-shutdown":
            directory.remove(name)

    def rename(self, directory: IDirectory, old: str, new: str) -> None:
        if new == "clean-shutdown":
            with suppress(FileNotFoundError):
                directory.remove(new)
        directory.rename(old, new)


class NoSyncAfterTruncation(Layer):
    """A torn tail is cut off, and that is not synced."""

    def datasync(self, file: IFile, path: str) -> None:
        if not (self.recovering and is_log(path)):
            file.datasync()


class EpochsWithoutSync(Layer):
    """The epoch cache's name is durable, its bytes are not."""

    def datasync(self, file: IFile, path: str) -> None:
        if "leader-epoch" not in path:
            file.datasync()


class ListedNowhere(Layer):
    """The recovery points are never saved: every start after a crash checks everything."""

    def rename(self, directory: IDirectory, old: str, new: str) -> None:
        if new != "recovery-points.json":
            directory.rename(old, new)


DEFECTS: tuple[type[Layer], ...] = (
    NoSync,
    NoDirectorySync,
    NoParentSync,
    NoSyncAtRecovery,
    NoDirectorySyncAfterRecovery,
    NoSyncOnRoll,
    NamedBeforeSynced,
    RetryAndPretend,
    RecoverFromPageCache,
    CheckpointInPlace,
    CheckpointWithoutSync,
    CheckpointWithoutDirectorySync,
    EpochsWithoutDirectorySync,
    MarkStays,
)

EQUIVALENT: dict[type[Layer], str] = {
    NoSyncAfterTruncation: "the torn bytes may come back, and are cut again; what is appended in their place is synced with the cut",
    EpochsWithoutSync: "the file carries a CRC: one whose bytes are not there is made anew from the batches, at the cost of a scan",
    ListedNowhere: "a recovery point saves time, and is a second witness of what was given; the batches are the first",
}
"""What loses nothing, and why: these cannot be found out, and need not be."""
