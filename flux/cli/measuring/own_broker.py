"""A broker for as long as it is needed, on a directory that goes with it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

_READY = "FLUX READY port="
_STOP_S = 15.0  # more than a drain takes


_FLUX = (sys.executable, "-c", "from flux.cli import main; main(prog_name='flux')")


@contextmanager
def own_broker(flux: Sequence[str] = _FLUX) -> Iterator[str]:
    """``flux serve`` with nothing but defaults, on a free port of 127.0.0.1; its address. *flux* is what is run.

    :raises click.ClickException: it did not start; the message is the last thing it said.
    """
    with tempfile.TemporaryDirectory(prefix="flux-bench-") as directory:
        log_path = Path(directory) / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [*flux, "serve", "--port", "0", "--data-dir", str(Path(directory) / "data")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for us, and we end it when we are done with it
                env={name: value for name, value in os.environ.items() if not name.startswith("FLUX_")},
            )
        try:
            yield f"127.0.0.1:{_port(process, log_path)}"
        finally:
            _end(process)


def _port(process: "subprocess.Popen[str]", log_path: Path) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(_READY):
            return int(line.removeprefix(_READY))
    said = log_path.read_text(errors="replace").strip().splitlines()
    raise click.ClickException(
        f"the broker that was to be measured did not start: {said[-1] if said else 'no reason given'}"
    )


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
