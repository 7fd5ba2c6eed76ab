"""Small files replaced whole: the old content or the new one, never a mix.

Four steps, all or nothing (each left out was seen to lose data): write a new file, sync it, rename it over the old one, sync
the directory. The one before is kept as ``<name>.prev``.
"""

import json
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.crc32c import crc32c
from flux.errors import StorageError
from flux.interfaces import ICheckpoint, IDirectory, InThread

FRESH, UNSYNCED, PREVIOUS = ".new", ".now", ".prev"
_FORMAT = 1
_BETWEEN, _END = b', "data":\n', b"}\n"


def replace_file(directory: IDirectory, name: str, data: bytes, *, keep: bool = False) -> None:
    """Make *data* the content of *name*, durably; with *keep* the present content becomes ``<name>.prev``.

    :raises OSError: the old content is still there, under its name or as ``.prev``, or the new one is and may not be durable.
    """
    fresh = name + FRESH
    _write(directory, fresh, data, sync=True)
    if keep:
        with suppress(FileNotFoundError):  # there was none before
            directory.rename(name, name + PREVIOUS)
    directory.rename(fresh, name)
    directory.sync()


def write_unsynced(directory: IDirectory, name: str, data: bytes) -> None:
    """Make *data* the content of *name*, for a killed process to leave behind. A power cut leaves the old content, this, or rubbish.

    :raises OSError: the old content is still there.
    """
    fresh = name + UNSYNCED
    _write(directory, fresh, data, sync=False)
    directory.rename(fresh, name)


def _write(directory: IDirectory, name: str, data: bytes, *, sync: bool) -> None:
    """A new file, in place of what a crash may have left under that name; none if it cannot be written."""
    try:
        file = directory.create(name)
    except FileExistsError:
        directory.remove(name)
        file = directory.create(name)
    try:
        file.append(data)
        if sync:
            file.datasync()
    except OSError:
        with suppress(OSError):
            directory.remove(name)
        raise
    finally:
        file.close()


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


def render(data: Any, generation: int = 0) -> bytes:
    """*data* as a JSON file that carries its format, *generation* and the CRC-32C of its content, for people to read too."""
    body = _text(data, 2).encode()
    head = {"format": _FORMAT, "generation": generation, "crc32c": f"{crc32c(body):08x}"}
    return json.dumps(head)[:-1].encode() + _BETWEEN + body + _END


def _text(data: Any, levels: int) -> str:
    """JSON, an entry a line down to *levels*; not by ``indent``, which costs 20 times as much: it has no C encoder."""
    if not levels or not isinstance(data, dict) or not data:
        return json.dumps(data, sort_keys=True)
    entries = sorted((str(key), value) for key, value in data.items())
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_text(value, levels - 1)}" for key, value in entries) + "\n}"


def parse(data: bytes) -> tuple[Any, int]:
    """What :func:`render` was given. :raises ValueError: says what is wrong."""
    head, between, body = data.partition(_BETWEEN)
    if not between or not body.endswith(_END):
        raise ValueError("not a checkpoint, or cut short")
    body = body[: -len(_END)]
    try:
        known = json.loads(head + b"}")
        if known["format"] != _FORMAT:
            raise ValueError(f"format {known['format']}, this version reads {_FORMAT}")
        if f"{crc32c(body):08x}" != known["crc32c"]:
            raise ValueError("the CRC does not match")
        return json.loads(body), int(known["generation"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a checkpoint ({error!r})") from error


@implementer(ICheckpoint)
class Checkpoint:
    """A dictionary in a JSON file, see :func:`render`.

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
        for name in (self._name, self._name + PREVIOUS):
            data = read_file(self._directory, name)
            if data is None:
                continue
            try:
                content, self._generation = parse(data)
                content = dict(content)
            except (ValueError, TypeError) as error:
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
        replace_file(self._directory, self._name, render(data, self._generation), keep=True)
