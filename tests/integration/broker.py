"""A real broker in a process of its own, and a client that is nothing but a socket."""

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

READY = "FLUX READY port="
START_S = 30.0  # a slow machine under load; a broker is ready in under a second
REPLY_S = 20.0


class BrokerProcess:
    """``flux serve`` on a port of the system's choice. Its log goes to a file, for the test to read."""

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir.with_name(data_dir.name + ".log")
        self._options = options
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> "BrokerProcess":
        """Start it and wait until it accepts. :raises AssertionError: it ended instead; the message holds its log."""
        command = [
            sys.executable,
            "-c",
            "from flux.cli import main; main()",
            "serve",
            "--port",
            "0",
            "--data-dir",
            str(self.data_dir),
        ]
        settings = ("disk_low_bytes=0", "disk_reserve_bytes=0")  # a test machine may be nearly full
        options = [word for setting in settings for word in ("--set", setting)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self._environment},
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(READY):
                self.port = int(line.removeprefix(READY))
                return self
        raise AssertionError(f"the broker ended with {self._process.wait()} before it was ready:\n{self.log()}")

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self._end(None)

    def log(self) -> str:
        """What it logged so far, over all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def memory_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def client(self) -> "LineClient":
        """A new connection."""
        return LineClient(self.port)

    def _end(self, number: signal.Signals | None) -> int:
        assert self._process is not None
        if number is not None and self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(START_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def __enter__(self) -> "BrokerProcess":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class LineClient:
    """Requests out, reply lines in."""

    def __init__(self, port: int, timeout_s: float = REPLY_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._replies = self.socket.makefile("rb")
        self._next_id = 0

    def ask(self, command: str, arguments: bytes | str = b"") -> str:
        """One request and its answer, from ``OK`` or ``ERR`` on."""
        (answer,) = self.ask_all([(command, arguments)])
        return answer

    def ask_all(self, requests: Sequence[tuple[str, bytes | str]]) -> list[str]:
        """Pipelined requests and their answers, whose ids are checked."""
        first = self._next_id + 1
        lines = []
        for command, arguments in requests:
            self._next_id += 1
            text = arguments.encode() if isinstance(arguments, str) else arguments
            lines.append(b"V1|%d|%s|%s\n" % (self._next_id, command.encode(), text))
        self.socket.sendall(b"".join(lines))
        answers = []
        for number in range(first, self._next_id + 1):
            prefix, reply = f"V1|{number}|", self.line()
            assert reply.startswith(prefix), f"wanted an answer to {number}, got {reply[:200]!r}"
            answers.append(reply.removeprefix(prefix))
        return answers

    def line(self) -> str:
        """The next reply line. :raises ConnectionError: the broker closed."""
        line = self._replies.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the broker closed the connection")
        return line[:-1].decode(errors="surrogateescape")

    def records(self, topic: str, partition: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Offset and value of everything visible, page by page, as a consumer would go through it."""
        offset = start
        while True:
            answer = self.ask("CONSUME", f"{topic} {partition} {offset} enc=b64")
            assert answer.startswith("OK|messages="), answer
            fields = dict(field.split("=", 1) for field in answer.removeprefix("OK|").split(" "))
            for item in filter(None, fields["messages"].split(",")):
                number, _, value = item.partition(":")
                yield int(number), base64.b64decode(value)
            if int(fields["next"]) == offset:
                return
            offset = int(fields["next"])

    def close(self) -> None:
        """Close both directions."""
        self._replies.close()
        self.socket.close()
