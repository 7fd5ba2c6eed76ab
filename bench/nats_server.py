"""NATS JetStream as a contender: a stream in files, publishes that are acknowledged, batches that are pulled."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.servers import Request, Server, directory_or_temporary, first_line, free_port, running

_HELLO = r'CONNECT {"verbose":false,"pedantic":false}\r\nSUB inbox.%c 1\r\nPING\r\n'
_HELLO_LINES = 2  # INFO, PONG


class Nats:
    """Debian has ``nats-server`` 2.9, which cannot sync each message (2.10 can): the extra ``bench`` brings a newer one."""

    kind = "nats"

    def version(self) -> str | None:
        """As ``nats-server --version`` says it."""
        line = first_line([_program(), "--version"])
        return line and line.rpartition(" v")[2]

    def durability(self, mode: str) -> str | None:
        """``sync_interval``: two minutes by default."""
        if mode == "always":
            return "sync always" if _knows("sync_interval: always") else None
        return "file"

    @contextlib.contextmanager
    def start(self, mode: str, directory: Path | None = None) -> Iterator[Server]:
        """With the stream ``bench``."""
        with directory_or_temporary(directory) as place:
            port = free_port()
            path = place / "nats.conf"
            path.write_text(_configuration(place / "js", "sync_interval: always" if mode == "always" else ""))
            with running(
                "nats", [_program(), "-a", "127.0.0.1", "-p", str(port), "-c", str(path)], port, place
            ) as server:
                stream = {"name": "bench", "subjects": ["bench"], "storage": "file", "num_replicas": 1}
                if "bench" not in (_ask(server, "STREAM.NAMES", {}).get("streams") or ()):
                    _ask(server, "STREAM.CREATE.bench", stream)
                yield server

    def produce(self) -> Request:
        """PUB with a reply subject: the acknowledgement is a message of two lines."""
        return Request(r"PUB bench inbox.%c %l\r\n%p\r\n", '"seq":', 2, _HELLO, _HELLO_LINES, "PING")

    def pages(self, server: Server, records: int) -> Request:
        """Batches of a pull consumer, from the first message on, unacknowledged."""
        with contextlib.suppress(LookupError):
            _ask(server, "CONSUMER.DELETE.bench.pages", {})
        config = {"durable_name": "pages", "deliver_policy": "all", "ack_policy": "none"}
        _ask(server, "CONSUMER.DURABLE.CREATE.bench.pages", {"stream_name": "bench", "config": config})
        batch = json.dumps({"batch": records})
        template = rf"PUB $JS.API.CONSUMER.MSG.NEXT.bench.pages inbox.%c {len(batch)}\r\n{batch}\r\n"
        return Request(template, "MSG bench ", 2 * records, _HELLO, _HELLO_LINES, "PING")

    def follow(self, server: Server) -> None:
        """Have all messages from the next on delivered to the subject ``follow``, where ``tail.c`` is."""
        with contextlib.suppress(LookupError):
            _ask(server, "CONSUMER.DELETE.bench.follow", {})
        config = {"durable_name": "follow", "deliver_policy": "new", "ack_policy": "none", "deliver_subject": "follow"}
        _ask(server, "CONSUMER.DURABLE.CREATE.bench.follow", {"stream_name": "bench", "config": config})


def _program() -> str:
    """The newer one beside this Python, or else the system's."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("nats-server") or "nats-server"


def _configuration(store: Path, sync: str) -> str:
    return f'jetstream {{ store_dir: "{store}"\n{sync} }}\n'


def _knows(option: str) -> bool:
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(_configuration(Path(file.name).with_suffix(""), option))
        file.flush()
        return subprocess.run([_program(), "-t", "-c", file.name], capture_output=True, check=False).returncode == 0


def _ask(server: Server, what: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """One call of JetStream's API. :raises LookupError: it was refused."""
    text = json.dumps(request)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
        connection.makefile("rb") as lines,
    ):
        hello = 'CONNECT {"verbose":false,"pedantic":false}\r\nSUB answer 1\r\n'
        connection.sendall(f"{hello}PUB $JS.API.{what} answer {len(text)}\r\n{text}\r\n".encode())
        while not lines.readline().startswith(b"MSG answer "):
            pass
        answer: dict[str, Any] = json.loads(lines.readline())
    if "error" in answer:
        raise LookupError(answer["error"])
    return answer
