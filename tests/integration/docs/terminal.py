"""A shell in a terminal, as readers of a page have it before them; but a dumb one, which shows no bars."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

_END = re.compile(rb"\x1e(\d+)\x1e")
_PATIENCE_S = 60.0
_ROWS, _COLUMNS = 50, 120


class Terminal:
    """``bash`` in *directory*; what commands print goes to a terminal, what they read is nothing unless they say otherwise."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._script = directory.parent / "command.sh"
        self._screen, screen = os.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        settings = termios.tcgetattr(screen)
        settings[1] &= ~termios.ONLCR  # a line end is one character, as in a page
        termios.tcsetattr(screen, termios.TCSANOW, settings)
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=screen,
            stderr=screen,
        )
        os.close(screen)

    def run(self, command: str) -> tuple[str, int]:
        """What *command* prints, errors too, and its exit status. :raises AssertionError: it does not end."""
        self._script.write_text(command + "\n", encoding="utf-8")
        assert self._shell.stdin is not None, "it is a pipe"
        self._shell.stdin.write(b". '%b' </dev/null; printf '\\036%%s\\036' $?\n" % os.fsencode(self._script))
        self._shell.stdin.flush()
        printed, until = b"", time.monotonic() + _PATIENCE_S
        while (end := _END.search(printed)) is None:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{command!r} does not end; so far it printed {printed.decode(errors='replace')!r}"
            printed += os.read(self._screen, 1 << 16)
        return printed[: end.start()].decode(), int(end[1])

    def close(self) -> None:
        """Leave the shell."""
        assert self._shell.stdin is not None, "it is a pipe"
        self._shell.stdin.close()
        self._shell.wait(_PATIENCE_S)
        os.close(self._screen)
