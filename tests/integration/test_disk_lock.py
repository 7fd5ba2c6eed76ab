"""A lock against another process, which dies."""

import subprocess
import sys
from pathlib import Path

import pytest

from flux.disk.files import FilesDirectory

HOLDER = """
import sys
from flux.disk.files import FilesDirectory
let_go = FilesDirectory(sys.argv[1]).lock("lock")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """Nobody else gets it while the holder lives; a kill -9 lets go."""
    directory = FilesDirectory(str(tmp_path))
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"locked\n"
            with pytest.raises(BlockingIOError, match="another process holds the lock"):
                directory.lock("lock")
        finally:
            holder.kill()
            holder.wait()
    directory.lock("lock")()
