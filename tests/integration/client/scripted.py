"""A broker that does what a real one never would, as the test says."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from flux.wire.session import Welcome
from flux.wire.v1 import error_line, ok_line

Script = Callable[["Caller"], None]

PATIENCE_S = 60


class Caller:
    """One connection, from the broker's side."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")

    def request(self) -> tuple[bytes, str, bytes]:
        """The next: correlation id, command, arguments. :raises EOFError: the client hung up."""
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError(line)
        _, correlation_id, command, arguments = line[:-1].split(b"|", 3)
        return correlation_id, command.decode(), arguments

    def welcome(self, max_line: int = 1 << 20) -> None:
        """Answer HELLO, which must come first."""
        correlation_id, command, _ = self.request()
        assert command == "HELLO", command
        self.answer(correlation_id, Welcome("scripted/1", "V1", 0, max_line, ()).encode())

    def answer(self, correlation_id: bytes, payload: bytes) -> None:
        """OK."""
        self.say(ok_line(correlation_id, payload))

    def refuse(self, correlation_id: bytes, code: str, message: str) -> None:
        """ERR."""
        self.say(error_line(correlation_id, code, message))

    def say(self, data: bytes) -> None:
        """Anything at all."""
        self._connection.sendall(data)

    def until_it_hangs_up(self) -> None:
        """Read on, and say nothing."""
        while self._lines.readline():
            pass

    def reset(self) -> None:
        """End it as a broker does that is killed."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._connection.close()


class ScriptedBroker:
    """Plays the scripts it is given, one a connection, in order; each in the order of its steps, then it hangs up.

    A connection there is no script for is a failure of the test, and so is a script that fails.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Little is read ahead, so that a large request is still in part with the client while nobody reads it here.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.failures: list[BaseException] = []
        self._scripts: Iterator[Script] = iter(())
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def plays(self, *scripts: Script) -> None:
        """One a connection."""
        self._scripts = iter(scripts)
        self._thread.start()

    def finish(self) -> None:
        """Wait until all scripts are played."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "scripts are left over"
        assert not self.failures, self.failures

    def _serve(self) -> None:
        for script in self._scripts:
            connection, _ = self._listener.accept()
            connection.settimeout(PATIENCE_S)
            caller = Caller(connection)
            try:
                script(caller)
            except (EOFError, ConnectionError):
                pass  # the client hung up; what it thought of the script is for the test to see
            except BaseException as error:
                self.failures.append(error)
            finally:
                caller.close()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.ident is not None and error is None:
            self.finish()
        self._listener.close()
