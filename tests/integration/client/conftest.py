"""A broker for all, and each case once a face."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker import BrokerProcess
from tests.integration.client.faces import WORLDS, World
from tests.integration.client.scripted import ScriptedBroker


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One for the whole suite: cases keep to topics and groups of their own."""
    with BrokerProcess(Path(tmp_path_factory.mktemp("broker")) / "data") as broker:
        yield broker


@pytest.fixture(scope="package", params=list(WORLDS))
def _world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = WORLDS[request.param]()
    try:
        yield world
    finally:
        world.end()


@pytest.fixture
def world(_world: World) -> Iterator[World]:
    """Where a case makes its clients; they are closed after it."""
    try:
        yield _world
    finally:
        _world.leave()


@pytest.fixture
def scripted() -> Iterator[ScriptedBroker]:
    """A broker that misbehaves as told."""
    with ScriptedBroker() as broker:
        yield broker
