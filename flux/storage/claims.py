"""What the small files of a data directory say of its logs, read without changing anything; and what is wrong with such files."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from flux.interfaces import IDirectory
from flux.storage.checkpoint import PREVIOUS, parse, read_file
from flux.storage.clean_shutdown import CLEAN, clean_ends
from flux.storage.findings import Finding, Kind
from flux.storage.offset_checkpoints import POINTS, STARTS
from flux.storage.opening import CleanEnd

T = TypeVar("T")


class Claims(NamedTuple):
    """Of one log: where it starts, up to where it was durable, and where it ended if the last stop was clean."""

    start: int = 0
    point: int = 0
    clean: CleanEnd | None = None


class AllClaims(NamedTuple):
    """Of all logs, by name. ``clean`` is None if there is no mark of a clean stop."""

    starts: Mapping[str, int]
    points: Mapping[str, int]
    clean: Mapping[str, CleanEnd] | None

    def of(self, name: str) -> Claims:
        """Of that log."""
        clean = None if self.clean is None else self.clean.get(name)
        return Claims(self.starts.get(name, 0), self.points.get(name, 0), clean)


class SmallFiles:
    """Reads checkpoints and remembers what was wrong with them: ``findings``."""

    def __init__(self, directory: IDirectory) -> None:
        self.findings: list[Finding] = []
        self._directory = directory

    def claims(self) -> AllClaims:
        """What is said of the logs; what cannot be read says nothing."""
        points = self.checkpoint(POINTS, _offsets, "a start goes on without it, and checks more")
        starts = self.checkpoint(STARTS, _offsets, "a start goes on without it: what was forgotten may be back")
        clean = None
        try:
            clean = self._read(CLEAN, clean_ends)
        except ValueError as error:
            self.note(CLEAN, str(error), "a start checks every log")
        return AllClaims(starts or {}, points or {}, clean)

    def checkpoint(self, name: str, read: Callable[[Any], T], then: str) -> T | None:
        """What *read* makes of the file *name*, or else, as at a start, of its predecessor; None if neither is there, or good.

        *read* may raise what reading of unknown data raises; *then* is what a start does where neither serves.
        """
        before = name + PREVIOUS
        contents: dict[str, T] = {}
        bad: dict[str, str] = {}
        for file in (name, before):
            try:
                content = self._read(file, read)
            except ValueError as error:
                bad[file] = str(error)
            else:
                if content is not None:
                    contents[file] = content
        if name in bad:
            self.note(name, bad[name], f"a start uses {before}" if before in contents else then)
        elif name not in contents and before in contents:  # as a crash between two renames leaves it
            self.note(name, "is missing", f"a start uses {before}", harmless=True)
        if before in bad:
            self.note(before, bad[before], f"{name} has nothing to fall back on" if name in contents else then)
        return contents.get(name, contents.get(before))

    def note(self, name: str, why: str, then: str, *, harmless: bool = False) -> None:
        """Something is wrong with that file."""
        self.findings.append(Finding(Kind.CHECKPOINT, name, why, then, harmless=harmless))

    def _read(self, name: str, read: Callable[[Any], T]) -> T | None:
        """None if there is no such file. :raises ValueError: it cannot be used; says why."""
        try:
            data = read_file(self._directory, name)
            return None if data is None else read(parse(data)[0])
        except (OSError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"cannot be read: {error}") from error


def _offsets(content: Any) -> dict[str, int]:
    return {str(name): int(offset) for name, offset in content.items()}
