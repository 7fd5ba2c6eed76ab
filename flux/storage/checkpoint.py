"""Small files replaced whole: the old content or the new one, never a mix.

Four steps, all or nothing (each left out was seen to lose data): write a new file, sync it, rename it over the old one, sync
the directory. The one before is kept as ``<name>.prev``.
"""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.crc32c import crc32c
from flux.errors import StorageError
from flux.interfaces import ICheckpoint, IDirectory, InThread

_FORMAT = 1


def replace_file(directory: IDirectory, name: str, data: bytes, *, keep: bool = False) -> None:
    """Make *data* the content of *name*, durably; with *keep* the present content becomes ``<name>.prev``.

    :raises OSError: the old content is still there.
    """
    fresh = name + ".new"
    names = {entry.name for entry in directory.list()}
    if fresh in names:
        directory.remove(fresh)
    file = directory.create(fresh)
    try:
        file.append(data)
        file.datasync()
    finally:
        file.close()
    if keep and name in names:
        directory.rename(name, name + ".prev")
    directory.rename(fresh, name)
    directory.sync()


def read_file(directory: IDirectory, name: str) -> bytes | None:
    """The content of a small file, None if there is none."""
    try:
        file = directory.open(name)
    except FileNotFoundError:
        return None
    try:
        return bytes(file.read_at(0, file.size))
    finally:
        file.close()


@implementer(ICheckpoint)
class Checkpoint:
    """A dictionary in a JSON file that carries its format, a generation and the CRC-32C of its content.

    Saves take effect in call order; those that come while one is being written are written together, the newest as it then is.
    """

    _log = Logger()

    def __init__(self, directory: IDirectory, name: str, in_thread: InThread) -> None:
        self._directory = directory
        self._name = name
        self._in_thread = in_thread
        self._generation = 0
        self._writing = False
        self._next: dict[str, Any] | None = None
        self._waiting: list[Deferred[None]] = []

    def load(self) -> dict[str, Any]:
        """See :class:`~flux.interfaces.ICheckpoint`. Falls back to ``.prev``, and says so."""
        problems = []
        for name in (self._name, self._name + ".prev"):
            data = read_file(self._directory, name)
            if data is None:
                continue
            try:
                self._generation, content = _parse(data)
            except ValueError as error:
                problems.append(f"{self._directory.path}/{name}: {error}")
                continue
            for problem in problems:
                self._log.error("damaged: {problem}; the one before it is used", problem=problem)
            return content
        if problems:
            raise StorageError("; ".join(problems) + "; restore one of them from a backup")
        return {}

    def save(self, data: dict[str, Any]) -> Deferred[None]:
        """See :class:`~flux.interfaces.ICheckpoint`. *data* is not to be changed until the Deferred fires."""
        done: Deferred[None] = Deferred()
        self._next = data
        self._waiting.append(done)
        if not self._writing:
            self._write()
        return done

    def save_now(self, data: dict[str, Any]) -> None:
        """See :class:`~flux.interfaces.ICheckpoint`."""
        self._replace(data)

    def _write(self) -> None:
        data, self._next = self._next, None
        waiting, self._waiting = self._waiting, []
        assert data is not None
        self._writing = True

        def written(result: Failure | None) -> None:
            self._writing = False
            if self._next is not None:
                self._write()
            for done in waiting:
                done.callback(None) if result is None else done.errback(result)

        self._in_thread(self._replace, data).addBoth(written)

    def _replace(self, data: dict[str, Any]) -> None:
        self._generation += 1
        replace_file(self._directory, self._name, _render(self._generation, data), keep=True)


def _render(generation: int, data: dict[str, Any]) -> bytes:
    body = json.dumps(data, indent=1, sort_keys=True)
    head = {"format": _FORMAT, "generation": generation, "crc32c": f"{crc32c(body.encode()):08x}"}
    return f'{json.dumps(head)[:-1]}, "data":\n{body}}}\n'.encode()


def _parse(data: bytes) -> tuple[int, dict[str, Any]]:
    """:raises ValueError: says what is wrong."""
    try:
        whole = json.loads(data)
        body = json.dumps(whole["data"], indent=1, sort_keys=True).encode()
        if whole["format"] != _FORMAT:
            raise ValueError(f"format {whole['format']}, this version reads {_FORMAT}")
        if f"{crc32c(body):08x}" != whole["crc32c"]:
            raise ValueError("the CRC does not match")
        return int(whole["generation"]), dict(whole["data"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a checkpoint ({error!r})") from error


