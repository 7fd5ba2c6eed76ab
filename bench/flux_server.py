"""Flux as a contender."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.servers import Request, Server, directory_or_temporary, end
from flux import __version__

_READY = "FLUX READY port="
_PYTHON = (sys.executable, "-P")  # the Flux that is installed, which may be compiled, not the sources around us
_SERVE = (*_PYTHON, "-c", "from flux.cli import main; main()", "serve", "--port", "0", "--log-level", "warn")
_FREE_DISK = ("disk_low_bytes=0", "disk_reserve_bytes=0")  # what is measured is not the watch over the disk


@contextlib.contextmanager
def flux(*settings: str, directory: Path | None = None, reactor: str | None = None) -> Iterator[Server]:
    """``flux serve``, with ``name=value`` settings. :raises SystemExit: it did not start."""
    with directory_or_temporary(directory) as place:
        options = [word for setting in settings for word in ("--set", setting)]
        if reactor is not None:
            options += ["--reactor", reactor]
        errors = place / "flux.err"
        with errors.open("ab") as file:
            command = [*_SERVE, "--data-dir", str(place / "data"), *options]
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, env=os.environ
            )
        try:
            assert child.stdout is not None
            with child.stdout:
                ready = child.stdout.readline().decode()
            if not ready.startswith(_READY):
                raise SystemExit(f"flux did not start: {errors.read_text(errors='replace')[-2000:]}")
            yield Server("flux", int(ready.removeprefix(_READY)), child.pid, place)
        finally:
            end(child)


class Flux:
    """One partition by default, as a peer has one stream."""

    kind = "flux"

    def __init__(self, *settings: str, partitions: int = 1, reactor: str | None = None) -> None:
        self._settings = (f"num_partitions={partitions}", *_FREE_DISK, *settings)
        self._reactor = reactor

    def version(self) -> str | None:
        """Always there; it says whether it is compiled."""
        told = "from flux.tap import is_compiled; print('compiled' if is_compiled() else 'pure Python')"
        kind = subprocess.run([*_PYTHON, "-c", told], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        return f"{__version__}, {kind}"

    def durability(self, mode: str) -> str | None:
        """Its own name."""
        return mode

    def start(self, mode: str, directory: Path | None = None) -> contextlib.AbstractContextManager[Server]:
        """Topics are created on first use."""
        return flux(f"fsync_mode={mode}", *self._settings, directory=directory, reactor=self._reactor)

    def produce(self) -> Request:
        """PRODUCE; the key chooses the partition."""
        return Request(r"V1|%i|PRODUCE|bench k%k:%p acks=1\n", "|OK|")

    def pages(self, server: Server, records: int, enc: str = "") -> Request:
        """CONSUME."""
        enc = enc and f" enc={enc}"
        return Request(rf"V1|%i|CONSUME|bench 0 %o max_records={records}{enc}\n", "|OK|messages=")
