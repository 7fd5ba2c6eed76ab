"""The pure build, made once."""

from pathlib import Path

import pytest

from tests_compiled.builds import copy_sources


@pytest.fixture(scope="session")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pure sources lie: a ``PYTHONPATH``."""
    return copy_sources(tmp_path_factory.mktemp("pure"))
