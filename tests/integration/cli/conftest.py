"""A broker for all, and the command that talks to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess
from tests.integration.cli.shell import Shell


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One for the whole suite: tests keep to topics and groups of their own."""
    with BrokerProcess(Path(tmp_path_factory.mktemp("broker")) / "data") as broker:
        yield broker


@pytest.fixture
def shell(broker: BrokerProcess) -> Iterator[Shell]:
    """Where ``flux`` is run."""
    with Shell(f"127.0.0.1:{broker.port}") as shell:
        yield shell
