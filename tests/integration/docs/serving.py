"""The broker a page has started."""

import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

_IS_UP = re.compile(r"FLUX READY|broker \d+ serves")
_ASSIGNMENTS = re.compile(r"((?:\w+=\S* )*)(.*)", re.DOTALL)
_PATIENCE_S = 60.0


class Serving:
    """A command that serves in the foreground, running beside the page.

    :raises AssertionError: it ended instead of coming up.
    """

    def __init__(self, command: str, directory: Path, environment: Mapping[str, str]) -> None:
        exec_it = _ASSIGNMENTS.sub(
            r"\1exec \2", command, count=1
        )  # the signal is for the broker, not for a shell around it
        self._process = subprocess.Popen(
            ["bash", "-c", exec_it],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._log: list[str] = []
        up = threading.Event()
        self._listening = threading.Thread(target=self._listen, args=(up,))
        self._listening.start()
        assert up.wait(_PATIENCE_S), f"{command!r} is not up after {_PATIENCE_S} s"
        assert self._process.poll() is None, f"{command!r} ended with {self._process.wait()}: {''.join(self._log)}"

    @property
    def printed(self) -> str:
        """What it said so far."""
        return "".join(self._log)

    def interrupt(self) -> int:
        """Stop it, as Ctrl-C does; its exit status. By another signal: whoever was started in the background does not see SIGINT."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(_PATIENCE_S)
        self._listening.join()
        return status

    def _listen(self, up: threading.Event) -> None:
        """To all it says, or it would wait for us."""
        assert self._process.stdout is not None, "it is a pipe"
        with self._process.stdout as lines:
            for line in lines:
                self._log.append(line)
                if _IS_UP.search(line):
                    up.set()
        self._process.wait()
        up.set()
