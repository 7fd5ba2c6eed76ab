"""``nc`` for machines that have none, or one of the many others: what it is given goes out, what comes in is printed.

It closes its side when there is no more to send, and ends when the peer has closed too. Others, without ``-N``, wait for ``-w`` instead.
"""

import shutil
import socket
import sys

_WITH_VALUE = ("-w", "-q")


def main(arguments: list[str]) -> None:
    """``nc [-N] [-w SECONDS] [-q SECONDS] HOST PORT``."""
    wait_s = 60.0
    while arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option in _WITH_VALUE:
            wait_s = float(arguments.pop(0))
    host, port = arguments
    with socket.create_connection((host, int(port)), timeout=wait_s) as connection:
        connection.sendall(sys.stdin.buffer.read())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as replies:
            shutil.copyfileobj(replies, sys.stdout.buffer)


if __name__ == "__main__":
    main(sys.argv[1:])
