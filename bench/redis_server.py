"""Redis Streams as a contender: an append-only file, no snapshots, and no rewriting of the file while it is measured."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.servers import Request, Server, directory_or_temporary, first_line, free_port, running

_FSYNC = {"interval": "everysec", "always": "always", "never": "no"}


class Redis:
    """Debian: ``apt-get install redis-server``."""

    kind = "redis"

    def version(self) -> str | None:
        """As ``redis-server --version`` says it."""
        line = first_line(["redis-server", "--version"])
        return line and line.partition("v=")[2].partition(" ")[0]

    def durability(self, mode: str) -> str | None:
        """``appendfsync``."""
        return _FSYNC[mode]

    @contextlib.contextmanager
    def start(self, mode: str, directory: Path | None = None) -> Iterator[Server]:
        """Streams are created on first use."""
        with directory_or_temporary(directory) as place:
            port = free_port()
            options = {
                "port": port,
                "bind": "127.0.0.1",
                "dir": place,
                "save": "",
                "appendonly": "yes",
                "appendfsync": _FSYNC[mode],
                "auto-aof-rewrite-percentage": 0,
            }
            words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
            with running("redis", ["redis-server", *words], port, place) as server:
                yield server

    def produce(self) -> Request:
        """XADD with an id of the server's choice."""
        return Request(r"*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nv\r\n$%l\r\n%p\r\n", "$", lines=2)

    def numbered(self) -> Request:
        """XADD with ids that count, for :meth:`pages`."""
        return Request(r"XADD bench 1-%i v %p\r\n", "$", lines=2)

    def pages(self, server: Server, records: int) -> Request:
        """XRANGE: the array, and eight lines a record."""
        return Request(rf"XRANGE bench 1-%o + COUNT {records}\r\n", f"*{records}\r", lines=1 + 8 * records)
