"""What a path leads to: a data directory, or the directory of one partition."""

import os
from typing import NamedTuple

import click

from flux.disk.read_only import ReadOnlyDirectory
from flux.interfaces import IDirectory
from flux.storage.existing import LOCK, META, log_named, logs_in
from flux.storage.removal import Files, look_at


class Place(NamedTuple):
    """What is to be read. ``logs`` are names of directories below ``root``, which is no data directory if ``is_alone``."""

    root: ReadOnlyDirectory
    logs: list[str]
    is_whole: bool  # all of a data directory was asked for, not one partition
    is_alone: bool

    @property
    def is_live(self) -> bool:
        """Whether a broker runs on it now."""
        return not self.is_alone and self.root.is_locked(LOCK)

    def has(self, log: str) -> bool:
        """Whether *log* is still there."""
        return any(entry.name == log for entry in self.root.list())

    def files(self, log: str) -> Files:
        """The segments of *log*."""
        return look_at(self.root.child(log).list())

    @property
    def size_bytes(self) -> int:
        """Of all segments."""
        return sum(sum(self.files(log).sizes.values()) for log in self.logs)


def place_of(path: str) -> Place:
    """:raises click.BadParameter: neither; says what was looked for."""
    path = os.path.realpath(path)
    directory = ReadOnlyDirectory(path)
    if _is_data_directory(directory):
        return Place(directory, [str(tp) for tp in logs_in(directory)], is_whole=True, is_alone=False)
    above, name = os.path.split(path)
    files = look_at(directory.list())
    if not (files.bases or files.rolling or log_named(name)):
        raise click.BadParameter(f"{path} holds neither {META}, as a data directory does, nor segments of a log.")
    root = ReadOnlyDirectory(above)
    return Place(root, [name], is_whole=False, is_alone=not _is_data_directory(root))


def _is_data_directory(directory: IDirectory) -> bool:
    return any(entry.name == META for entry in directory.list())
