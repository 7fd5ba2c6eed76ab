"""What a scene says to Flux before it measures."""

import socket

from bench.servers import Server

_PIPELINED = 1000
_KEYS_EACH = 20  # with so many, chance leaves no partition out


def touch_all_partitions(server: Server, partitions: int) -> None:
    """Have a record in each: a partition's first one makes its directory, and that is not what is measured."""
    keys = _KEYS_EACH * partitions
    ask_all(server, [f"V1|0|PRODUCE|bench k{number}:v acks=0\n" for number in range(keys)])


def ask_all(server: Server, lines: list[str]) -> None:
    """Send *lines* and await as many answers. :raises SystemExit: one is refused."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection, connection.makefile("rb") as replies:
        for first in range(0, len(lines), _PIPELINED):
            some = lines[first : first + _PIPELINED]
            connection.sendall("".join(some).encode())
            for _ in some:
                reply = replies.readline()
                if b"|OK|" not in reply:
                    raise SystemExit(f"flux refused: {reply!r}")
