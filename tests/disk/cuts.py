"""Scenes on the model disk, and everything that may be found after a power cut."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from flux.disk.memory import MemoryDisk
from flux.interfaces import IFile
from tests.disk.contract import content, names, put

T = TypeVar("T")

SEEDS = 300


def durable(disk: MemoryDisk, name: str, data: bytes) -> IFile:
    """A file that will survive, open."""
    file = put(disk.root, name, data)
    file.datasync()
    disk.root.sync()
    return file


def after_cuts(scene: Callable[[MemoryDisk], object], look: Callable[[MemoryDisk], T]) -> set[T]:
    """Everything *look* sees after *scene* and a cut, over many seeds."""
    seen = set()
    for seed in range(SEEDS):
        disk = MemoryDisk(Random(seed))
        scene(disk)
        disk.cut()
        found = look(disk)
        disk.cut()
        assert look(disk) == found, "what survived one cut is durable, and must survive the next"
        seen.add(found)
    return seen


def file_content(disk: MemoryDisk) -> bytes:
    return content(disk.root, "file")


def listing(disk: MemoryDisk) -> tuple[str, ...]:
    return tuple(names(disk.root))
