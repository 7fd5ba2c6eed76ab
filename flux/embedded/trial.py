"""The broker as trial and unittest hand it to tests."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flux.embedded.broker import EmbeddedBroker, Mode


class FluxBrokerMixin:
    """Gives each test of a ``TestCase``, Twisted's or unittest's, a broker of its own as ``flux_broker``.

    Name it before the ``TestCase`` among the bases; a ``setUp`` of yours calls ``super().setUp()`` first.
    """

    flux_broker: EmbeddedBroker
    flux_broker_mode: ClassVar[Mode] = "thread"
    flux_broker_settings: ClassVar[Mapping[str, Any]] = {}

    def setUp(self) -> None:
        """Start it."""
        test: Any = super()
        test.setUp()
        self.flux_broker = EmbeddedBroker(mode=self.flux_broker_mode, **self.flux_broker_settings)
        case: Any = self
        case.addCleanup(self.flux_broker.close)
        self.flux_broker.start()
