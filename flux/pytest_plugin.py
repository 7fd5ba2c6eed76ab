"""The pytest plugin: a real broker as a fixture. Found by its entry point; imports nothing of Flux before a test asks for a broker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flux.embedded import EmbeddedBroker

_MODES = ("thread", "process")
_MARKER = (
    "flux_broker(mode=None, **settings): how the broker of the fixture flux_broker is run, "
    "as a thread or a process, and settings of its configuration, such as num_partitions=1."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--flux-broker`` and the ini value ``flux_broker``."""
    parser.getgroup("flux", "brokers for tests").addoption(
        "--flux-broker",
        choices=_MODES,
        help="Run the brokers of flux_broker as threads of this process (the default) or as processes of their own.",
    )
    parser.addini("flux_broker", "what --flux-broker is when it is not given: thread or process", default="thread")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known. :raises pytest.UsageError: the ini value will not do."""
    config.addinivalue_line("markers", _MARKER)
    if config.getini("flux_broker") not in _MODES:
        raise pytest.UsageError(f"flux_broker = {config.getini('flux_broker')}: it must be thread or process")


@pytest.fixture
def flux_broker_factory(request: pytest.FixtureRequest) -> "Iterator[Callable[..., EmbeddedBroker]]":
    """Makes brokers, started: ``flux_broker_factory(num_partitions=1)``. They are closed, and their files removed, after the test."""
    from twisted.logger import globalLogPublisher

    from flux.embedded import EmbeddedBroker
    from flux.embedded.logs import to_logging

    config = request.config
    default: Any = config.getoption("flux_broker") or config.getini("flux_broker")
    with ExitStack() as brokers:
        globalLogPublisher.addObserver(to_logging)
        brokers.callback(globalLogPublisher.removeObserver, to_logging)

        def make(mode: Any = None, **settings: Any) -> EmbeddedBroker:
            return brokers.enter_context(EmbeddedBroker(mode=mode or default, **settings))

        yield make


@pytest.fixture
def flux_broker(
    request: pytest.FixtureRequest, flux_broker_factory: "Callable[..., EmbeddedBroker]"
) -> "EmbeddedBroker":
    """A broker of this test's own, as its marker ``flux_broker`` asks for it."""
    marker = request.node.get_closest_marker("flux_broker")
    return flux_broker_factory(**marker.kwargs) if marker else flux_broker_factory()
