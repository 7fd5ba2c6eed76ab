"""When each broker was heard. Pure: times are passed in, in seconds of a clock that only rises."""

from collections.abc import Iterable

from flux.cluster.image import Image


class Liveness:
    """Heartbeats of brokers. One never heard by this controller counts from the moment the controller first saw it."""

    def __init__(self) -> None:
        self._heard: dict[int, float] = {}

    def hear(self, broker_id: int, now: float) -> None:
        """*broker_id* was heard at *now*."""
        self._heard[broker_id] = now

    def silent(self, image: Image, timeout_s: float, now: float) -> list[int]:
        """The brokers of *image* not fenced yet and not heard for *timeout_s*, ascending."""
        return [
            broker_id
            for broker_id in self._sorted(image)
            if not image.brokers[broker_id].fenced and now - self._heard.setdefault(broker_id, now) >= timeout_s
        ]

    def speaking(self, image: Image, timeout_s: float, now: float) -> list[int]:
        """The brokers of *image* that were fenced and have been heard within *timeout_s*, ascending."""
        return [
            broker_id
            for broker_id in self._sorted(image)
            if image.brokers[broker_id].fenced and now - self._heard.get(broker_id, now - timeout_s) < timeout_s
        ]

    def _sorted(self, image: Image) -> Iterable[int]:
        return sorted(image.brokers)
