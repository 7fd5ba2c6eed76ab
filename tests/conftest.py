"""What only pytest needs."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _scratch_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test where it may leave files, as trial does: ``TestCase.mktemp`` writes below the working directory."""
    monkeypatch.chdir(tmp_path)
