"""What the faces without Twisted ask of a socket."""

import socket
import struct

_RESET = struct.pack("ii", 1, 0)  # struct linger: on, for no time


def prepare(sock: socket.socket) -> None:
    """Send at once, since requests are written whole; notice some day that the peer has vanished."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def reset_on_close(sock: socket.socket) -> None:
    """Have it end in a reset, not in an orderly end, which would turn the part of a request that has left into a whole one."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
