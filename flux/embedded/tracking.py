"""The real files, and which of them are open: a thread that dies leaves its descriptors behind, unlike a process."""

from flux.disk.files import File, FilesDirectory


class Opened(set["TrackedFile"]):
    """The files that are open. With *syncs* false none is ever synced: that is for the power cut, which no kill is."""

    def __init__(self, syncs: bool) -> None:
        super().__init__()
        self.syncs = syncs

    def close(self) -> None:
        """Close them all."""
        for file in list(self):
            file.close()


class TrackedFile(File):
    """A file that is in *opened* for as long as it is open."""

    __slots__ = ("_opened",)

    def __init__(self, file: File, opened: Opened) -> None:
        """Take over *file*'s descriptor."""
        super().__init__(file._descriptor, file._path)
        self._opened = opened
        opened.add(self)

    @property
    def descriptor(self) -> int | None:
        """See :attr:`IFile.descriptor`."""
        return super().descriptor if self._opened.syncs else None

    def datasync(self) -> None:
        """See :meth:`IFile.datasync`."""
        if self._opened.syncs:
            super().datasync()

    def close(self) -> None:
        """See :meth:`IFile.close`."""
        super().close()
        self._opened.discard(self)


class TrackedDirectory(FilesDirectory):
    """The directory at *path*, whose open files, lock files too and those of its children, are in *opened*."""

    __slots__ = ("_opened",)

    def __init__(self, path: str, opened: Opened) -> None:
        super().__init__(path)
        self._opened = opened

    def child(self, name: str) -> "TrackedDirectory":
        """See :meth:`IDirectory.child`."""
        return TrackedDirectory(self._at(name), self._opened)

    def sync(self) -> None:
        """See :meth:`IDirectory.sync`."""
        if self._opened.syncs:
            super().sync()

    def _open(self, name: str, flags: int) -> TrackedFile:
        return TrackedFile(super()._open(name, flags), self._opened)
