"""One connection on a plain socket, for whoever is ready to wait for it. Standard library only."""

import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flux.client.conversation import Conversation
from flux.client.sockets import prepare, reset_on_close

_READ_BYTES = 1 << 18


class SocketConnection:
    """The connection that *conversation* is held on, from dialling to the end.

    One thread at a time uses it, but any may :meth:`nudge` the one that waits.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.is_connected = False
        self._unsent = bytearray()
        self._addresses: Iterator[Any] | None = None  # that the host name stands for, and were not tried
        self._socket: socket.socket | None = None
        self._nudged, self._nudging = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for end in (self._nudged, self._nudging):
            end.setblocking(False)
        self._selector.register(self._nudged, selectors.EVENT_READ)

    def write(self, data: bytes) -> None:
        """Have it sent by the next waits. Bounded by what a core keeps in flight."""
        self._unsent += data

    def wait(self, timeout_s: float | None) -> bytes:
        """Wait until something happens, for *timeout_s* at most: until it is connected, or for the bytes that came, or a nudge.

        :raises OSError: it could not be connected, or has ended.
        """
        if self._addresses is None:
            host, port = self.conversation.address
            self._addresses = iter(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            self._dial_next(OSError(f"{host} stands for no address"))
        if self.is_connected and self._unsent:
            self._flush()
        data = b""
        for key, events in self._selector.select(timeout_s):
            if key.fileobj is self._nudged:
                with suppress(BlockingIOError):
                    self._nudged.recv(_READ_BYTES)
            elif not self.is_connected:
                self._finish_dialling()
            else:
                if events & selectors.EVENT_WRITE:
                    self._flush()
                if events & selectors.EVENT_READ:
                    data = self._receive()
        return data

    def has_news(self) -> bool:
        """Whether something came that nobody asked for: most likely the end."""
        if not self.is_connected or self.conversation.unanswered:
            return False
        assert self._socket is not None, "it is connected"
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass  # the wait that follows says so again
        return True

    def nudge(self) -> None:
        """Have the wait return now: there is something new."""
        with suppress(BlockingIOError):  # it is full of nudges
            self._nudging.send(b"!")

    def hang_up(self) -> None:
        """End it, whatever state it is in."""
        self._selector.close()
        self._nudged.close()
        self._nudging.close()
        if self._socket is not None:
            if self.conversation.unanswered:  # nobody waits for these answers, and a request may have left in part
                reset_on_close(self._socket)
            self._socket.close()

    # --- inside ---

    def _dial_next(self, error: OSError) -> None:
        """The next address; *error* says why there has to be a next."""
        assert self._addresses is not None, "the host was looked up"
        while not self.is_connected:
            found = next(self._addresses, None)
            if found is None:
                raise error
            family, kind, protocol, _, address = found
            if self._socket is not None:
                self._selector.unregister(self._socket)
                self._socket.close()
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._selector.register(self._socket, selectors.EVENT_WRITE)
            try:
                self._socket.connect(address)
            except BlockingIOError:
                return
            except OSError as problem:
                error = problem
            else:
                self._connected()

    def _finish_dialling(self) -> None:
        assert self._socket is not None, "it was dialled"
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._dial_next(OSError(number, os.strerror(number)))
        else:
            self._connected()

    def _connected(self) -> None:
        assert self._socket is not None, "it was dialled"
        self.is_connected = True
        prepare(self._socket)
        self._selector.modify(self._socket, selectors.EVENT_READ)

    def _flush(self) -> None:
        assert self._socket is not None, "it is connected"
        with suppress(BlockingIOError):
            del self._unsent[: self._socket.send(self._unsent)]
        more = selectors.EVENT_WRITE if self._unsent else 0
        if self._selector.get_key(self._socket).events != selectors.EVENT_READ | more:
            self._selector.modify(self._socket, selectors.EVENT_READ | more)

    def _receive(self) -> bytes:
        assert self._socket is not None, "it is connected"
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the broker closed the connection")
        return data
