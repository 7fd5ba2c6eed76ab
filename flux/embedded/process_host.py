"""The host that is a process: killed as processes are."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError

from flux.broker import CannotStart
from flux.loading import Options

_RAISED: dict[str, Callable[[str], Exception]] = {
    "CannotStart": CannotStart,
    "CannotListenError": lambda text: CannotListenError("127.0.0.1", None, text),
    "ValueError": ValueError,
}


class ProcessHost:
    """See :class:`~flux.embedded.host.Host`. The process is a :mod:`flux.embedded.child`, which ends when this one does."""

    def __init__(self, options: Options, *, syncs: bool) -> None:
        self._options = options
        self._syncs = syncs
        self._process: subprocess.Popen[str] | None = None
        self._ahead_s = 0.0

    def start(self) -> None:
        """See :meth:`Host.start`."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flux.embedded.child", json.dumps([self._options, self._syncs, self._ahead_s])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._hear()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """See :meth:`Host.stop`."""
        try:
            self._ask("stop")
        finally:
            self.kill()

    def kill(self) -> None:
        """See :meth:`Host.kill`."""
        process, self._process = self._alive(), None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None, "both are pipes"
            pipe.close()

    def advance(self, seconds: float) -> None:
        """See :meth:`Host.advance`."""
        self._ask("advance", seconds)
        self._ahead_s += seconds

    def fail_next(self, command: str, code: str, times: int) -> None:
        """See :meth:`Host.fail_next`."""
        self._ask("fail_next", command, code, times)

    def _ask(self, method: str, *arguments: Any) -> None:
        process = self._alive()
        assert process.stdin is not None, "it is a pipe"
        process.stdin.write(json.dumps([method, *arguments]) + "\n")
        process.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        process = self._alive()
        assert process.stdout is not None, "it is a pipe"
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the broker's process ended by itself, with {process.wait()}; its log is on stderr")
        problem = json.loads(line)
        if problem is not None:
            kind, text = problem
            raise _RAISED.get(kind, RuntimeError)(text)

    def _alive(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it was started"
        return self._process
