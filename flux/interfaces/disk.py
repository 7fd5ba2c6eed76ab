"""What the disk room promises: one file, one directory."""

from collections.abc import Callable
from typing import NamedTuple

from zope.interface import Attribute, Interface


class Entry(NamedTuple):
    """One name in a directory."""

    name: str
    is_directory: bool
    size: int


class IFile(Interface):
    """One open file and its tracked end: appends go there, never to wherever the system thinks the end is.

    Any method may raise :class:`OSError`. Methods may be called from any thread, one at a time for those that write.
    """

    size: int = Attribute("The tracked end in bytes, which is where the next append goes.")
    ready: int = Attribute(
        "Where the file ends for the system: at the tracked end, or behind it after :meth:`make_ready`."
    )
    descriptor: int | None = Attribute(
        "What the system knows it by, if ``fdatasync`` of that is all of :meth:`datasync`."
    )

    def append(*chunks: bytes) -> int:
        """Write all of *chunks* at the tracked end; return the position of the first byte.

        All or nothing: after a short write or an error the file is cut back to where it was. Where even that fails the raised
        error has ``errno.EIO`` and the file is not to be written again.
        """

    def read_at(position: int, length: int) -> bytes:
        """Up to *length* bytes from *position*; fewer only at the end of the file."""

    def allocate(size: int) -> None:
        """Make sure *size* bytes of the medium belong to this file, growing it with zeros. :raises OSError: there is no room."""

    def make_ready(size: int) -> None:
        """Write zeros behind the tracked end, up to byte *size*: to sync what is written over them no metadata is written.

        Nobody reads them: they are for :meth:`append`. All or nothing, as there.
        """

    def trim() -> None:
        """End the file at the tracked end, for the system too."""

    def truncate(size: int) -> None:
        """Cut the file to *size* bytes, and the tracked end with it."""

    def datasync() -> None:
        """Return when every byte appended so far is durable. A failure is final: never call it again on this file."""

    def drop_cache() -> None:
        """Sync, then forget cached pages, so that the next read sees what the medium holds."""

    def close() -> None:
        """Release the descriptor; nothing is synced."""


class IDirectory(Interface):
    """One directory. Names are single path components. Changes of names are durable only after :meth:`sync`."""

    path: str = Attribute("Where it is, for messages.")

    def child(name: str) -> "IDirectory":
        """The directory *name* below this one, which need not exist yet. No I/O."""

    def make() -> bool:
        """Create this directory if it is missing; whether it was."""

    def list() -> list[Entry]:
        """What it holds, in order of name; empty if it does not exist."""

    def open(name: str) -> IFile:
        """An existing file, tracked from its present end. :raises FileNotFoundError: there is none."""

    def create(name: str) -> IFile:
        """A new, empty file. :raises FileExistsError: there is one already."""

    def rename(old: str, new: str) -> None:
        """Give the entry *old* the name *new*, replacing a file of that name atomically."""

    def remove(name: str) -> None:
        """Remove a file. :raises FileNotFoundError: there is none."""

    def remove_directory(name: str) -> None:
        """Remove an empty directory."""

    def sync() -> None:
        """Return when every creation, renaming and removal of names in this directory is durable."""

    def free() -> tuple[int, int]:
        """Bytes free for us, and bytes in all, of the file system it lies on."""

    def lock(name: str) -> Callable[[], None]:
        """Lock the file *name*, creating it if need be; return the function that lets go.

        :raises BlockingIOError: another process holds it.
        """
