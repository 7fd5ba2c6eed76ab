"""Brokers register, are heard, fall silent."""

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flux.cluster import changes
from flux.cluster.image import Fence, Image
from flux.cluster.metadata import Metadata
from flux.config import ClusterConfig


class Brokers:
    """The changes of brokers, and when each was heard last. One never heard by this controller counts from when it was first seen."""

    _log = Logger()

    def __init__(
        self, config: ClusterConfig, metadata: Metadata, clock: IReactorTime, now_ms: Callable[[], int]
    ) -> None:
        self._me = config.broker_id
        self._timeout_s = config.broker_timeout_ms / 1000
        self._metadata = metadata
        self._clock = clock
        self._now_ms = now_ms
        self._heard: dict[int, float] = {}

    def register(self, broker_id: int, host: str, port: int, epoch: int | None) -> Deferred[Image]:
        """A broker, which leads nothing new until it is heard. :raises BadRequest: a later incarnation is registered."""

        def registered(image: Image) -> Image:
            image = changes.register_broker(image, broker_id, host, port, epoch)
            self._hear(broker_id)
            # Whoever answers here is alive.
            return changes.hear_broker(image, broker_id, self._now_ms()) if broker_id == self._me else image

        return self._metadata.change(registered)

    def heartbeat(self, broker_id: int) -> Deferred[Image]:
        """A sign of life; it changes the image only if the broker was not known to be alive. :raises BadRequest: not registered."""

        def heard(image: Image) -> Image:
            image = changes.hear_broker(image, broker_id, self._now_ms())
            self._hear(broker_id)
            return image

        return self._metadata.change(heard)

    def fence(self, broker_id: int) -> Deferred[Image]:
        """Let it lead nothing until :meth:`unfence`. :raises BadRequest: not registered."""
        return self._metadata.change(
            lambda image: changes.fence_brokers(image, [broker_id], Fence.OPERATOR, self._now_ms())
        )

    def unfence(self, broker_id: int) -> Deferred[Image]:
        """Let it lead again. :raises BadRequest: not registered."""

        def unfenced(image: Image) -> Image:
            image = changes.unfence_broker(image, broker_id, self._now_ms())
            self._hear(broker_id)  # else the next sweep would undo it
            return image

        return self._metadata.change(unfenced)

    def reconcile(self, timeout_s: float) -> Deferred[int]:
        """Fence whoever was silent for *timeout_s*, lift that fence from whoever was not; fire with the number of changes."""
        changed: list[int] = []

        def reconciled(before: Image) -> Image:
            image = before
            self._hear(self._me)
            for broker_id in self._speaking(image, timeout_s):
                image = changes.hear_broker(image, broker_id, self._now_ms())
            image = changes.fence_brokers(image, self._silent(image, timeout_s), Fence.SILENCE, self._now_ms())
            changed.append(sum(image.brokers[known] != before.brokers[known] for known in before.brokers))
            return image

        return self._metadata.change(reconciled).addCallback(lambda _: changed[0])

    def sweep(self) -> Deferred[object]:
        """Fence whoever has been silent for too long; fire when that is stored, or was refused."""
        self._hear(self._me)
        silent = self._silent(self._metadata.image, self._timeout_s)
        if not silent:
            return succeed(None)
        self._log.warn("brokers {silent} were not heard in time and are fenced", silent=silent)
        fenced = self._metadata.change(
            lambda image: changes.fence_brokers(image, silent, Fence.SILENCE, self._now_ms())
        )
        return fenced.addErrback(lambda failure: self._log.error("not fenced: {why}", why=failure.getErrorMessage()))

    def _hear(self, broker_id: int) -> None:
        self._heard[broker_id] = self._clock.seconds()

    def _silent(self, image: Image, timeout_s: float) -> list[int]:
        now = self._clock.seconds()
        return [
            broker_id
            for broker_id in sorted(image.brokers)
            if not image.brokers[broker_id].fenced and now - self._heard.setdefault(broker_id, now) >= timeout_s
        ]

    def _speaking(self, image: Image, timeout_s: float) -> Iterable[int]:
        now = self._clock.seconds()
        for broker_id in sorted(image.brokers):
            heard = self._heard.get(broker_id)
            if image.brokers[broker_id].fenced_by is Fence.SILENCE and heard is not None and now - heard < timeout_s:
                yield broker_id
