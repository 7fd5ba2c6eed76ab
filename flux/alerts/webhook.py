"""Alerts as JSON for a web server: the one receiver that comes with Flux. Off unless it has a URL."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from flux.alerts.delivery import Undelivered
from flux.alerts.posting import poster
from flux.interfaces import AlertReceiver, IAlertHook, IBroker
from flux.model import Alert

Post = Callable[[bytes], "Deferred[int]"]
"""POST a JSON document; fire with the HTTP status."""

_FIRST_PAUSE_S = 0.5
_MOST_DOUBLINGS = 6  # 32 s: a server that comes back is not kept waiting much longer
_WORTH_REPEATING = (408, 425, 429)  # of the 4xx, which otherwise say that the request will never do


@implementer(IAlertHook)
class WebhookHook:
    """POSTs alerts to ``alert_webhook_url``."""

    name = "webhook"

    def bind(self, broker: IBroker) -> AlertReceiver | None:
        """See :class:`~flux.interfaces.IAlertHook`."""
        config = broker.config.alerts
        if not config.alert_webhook_url:
            return None
        timeout_s = config.alert_webhook_timeout_ms / 1000
        post = poster(broker.clock, config.alert_webhook_url)
        return Webhook(post, broker.clock, broker.config.cluster.broker_id, timeout_s, config.alert_webhook_retries)


class Webhook:
    """See :class:`~flux.interfaces.AlertReceiver`. A failed attempt is repeated after a pause that doubles, as often as *retries* says.

    *Transitions*: working ↔ failing, each logged once; the URL never is, because it may hold a secret.
    """

    _log = Logger()

    def __init__(self, post: Post, clock: IReactorTime, broker_id: int, timeout_s: float, retries: int) -> None:
        self._post = post
        self._clock = clock
        self._broker_id = broker_id
        self._timeout_s = timeout_s
        self._retries = retries
        self._failing = False

    def __call__(self, alerts: Sequence[Alert], dropped: int) -> "Deferred[None]":
        """Fire when the server has taken *alerts*. Fails with Undelivered; cancel it to give up sooner."""
        document = {"broker_id": self._broker_id, "dropped": dropped, "alerts": [_document(alert) for alert in alerts]}
        return Deferred.fromCoroutine(self._deliver(json.dumps(document).encode()))

    async def _deliver(self, body: bytes) -> None:
        for doublings in range(self._retries + 1):
            problem, worth_repeating = await self._attempt(body)
            if problem is None:
                self._works()
                return
            self._fails(problem)
            if not worth_repeating:
                break
            if doublings < self._retries:
                await deferLater(self._clock, _FIRST_PAUSE_S * 2 ** min(doublings, _MOST_DOUBLINGS))
        raise Undelivered(f"the server did not take them: {problem}")

    async def _attempt(self, body: bytes) -> tuple[str | None, bool]:
        """What was wrong, and whether another attempt may help."""
        try:
            status = await self._post(body).addTimeout(self._timeout_s, self._clock)
        except CancelledError:
            raise  # the broker stops
        except Exception as error:  # the network, TLS and HTTP each have their own
            return f"{type(error).__name__}: {error}"[:200], True
        if 200 <= status < 300:
            return None, False
        return f"HTTP status {status}", status >= 500 or status in _WORTH_REPEATING

    def _fails(self, problem: str) -> None:
        if not self._failing:
            self._log.warn("the webhook does not take alerts: {problem}", problem=problem)
        self._failing = True

    def _works(self) -> None:
        if self._failing:
            self._log.info("the webhook takes alerts again")
        self._failing = False


def _document(alert: Alert) -> dict[str, Any]:
    return {
        "kind": alert.kind.value,
        "topic": alert.tp.topic,
        "partition": alert.tp.partition,
        "at_ms": alert.at_ms,
        "cause": alert.cause,
        "leader": alert.leader,
        "leader_epoch": alert.leader_epoch,
        "replicas": list(alert.replicas),
        "isr": list(alert.isr),
    }
