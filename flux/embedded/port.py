"""A port that stays ours while nobody listens on it."""

import socket

_HOST = "127.0.0.1"


class Port:
    """A free port of 127.0.0.1, chosen by the system.

    *Action*: :meth:`release` just before somebody listens on it, :meth:`hold` when nobody does any more: otherwise the system gives it to
    the next connection of anybody's. While it is held, whoever connects is refused.
    """

    def __init__(self) -> None:
        self.number = 0
        self._socket: socket.socket | None = None

    def hold(self) -> None:
        """Take it; the first time, choose it."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections may linger
        self._socket.bind((_HOST, self.number))
        self.number = self._socket.getsockname()[1]

    def release(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
