"""The webhook, with a network that does what the test says; tests/integration/test_alerts.py has a real one."""

import json
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import flux.plugins
from flux.alerts.delivery import Undelivered
from flux.alerts.webhook import Webhook, WebhookHook
from flux.config import AlertConfig, Config
from flux.interfaces import IAlertHook
from flux.server.families import plugins
from tests.alerts.scene import alert
from tests.commands.scene import Scene

TIMEOUT_S = 5.0


class WebhookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.posts: list[tuple[float, Any, Deferred[int]]] = []  # when, what, and its status to be
        self.cancelled = 0
        self.webhook = Webhook(self.post, self.clock, 7, TIMEOUT_S, 3)

    def post(self, body: bytes) -> "Deferred[int]":
        status: Deferred[int] = Deferred(self._cancel)
        self.posts.append((self.clock.seconds(), json.loads(body), status))
        return status

    def _cancel(self, status: "Deferred[int]") -> None:
        self.cancelled += 1

    def answer(self, status: int) -> None:
        self.posts[-1][2].callback(status)

    def test_alerts_are_posted_as_json(self) -> None:
        """Who tells, how many were lost, and each alert with its fields by name."""
        done = self.webhook([alert(2)], 4)
        ((_, document, _),) = self.posts
        self.assertEqual(
            document,
            {
                "broker_id": 7,
                "dropped": 4,
                "alerts": [
                    {
                        "kind": "under_replicated",
                        "topic": "orders",
                        "partition": 2,
                        "at_ms": 1002,
                        "cause": "out of sync: 1",
                        "leader": 0,
                        "leader_epoch": 3,
                        "replicas": [0, 1],
                        "isr": [0],
                    }
                ],
            },
        )
        self.assertNoResult(done)
        self.answer(204)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failed_attempt_is_repeated_after_longer_and_longer(self) -> None:
        """A refused connection, a server in trouble, one that asks for patience, one that says nothing at all."""
        done = self.webhook([alert(1)], 0)
        self.posts[-1][2].errback(ConnectionRefusedError())
        self.clock.advance(0.5)
        self.answer(503)
        self.clock.advance(1)
        self.answer(429)
        self.clock.advance(2)
        self.assertEqual([when for when, _, _ in self.posts], [0, 0.5, 1.5, 3.5])
        self.assertNoResult(done)
        self.clock.advance(TIMEOUT_S)
        self.assertEqual(self.cancelled, 1)
        self.assertIn("TimeoutError", str(self.failureResultOf(done, Undelivered).value))
        self.assertEqual(len({json.dumps(document) for _, document, _ in self.posts}), 1)

    def test_what_will_never_do_is_not_repeated(self) -> None:
        """Nor is a redirect followed."""
        for status in (301, 400, 401, 404):
            before = len(self.posts)
            done = self.webhook([alert(1)], 0)
            self.answer(status)
            self.assertIn(f"HTTP status {status}", str(self.failureResultOf(done, Undelivered).value))
            self.clock.advance(100)
            self.assertEqual(len(self.posts), before + 1)

    def test_a_pause_has_a_longest(self) -> None:
        """Half a minute, however often it was tried."""
        webhook = Webhook(self.post, self.clock, 7, TIMEOUT_S, 2000)
        done = webhook([alert(1)], 0)
        for _ in range(1500):
            self.answer(500)
            self.clock.advance(32)
        self.assertEqual(len(self.posts), 1501)
        self.answer(200)
        self.successResultOf(done)

    def test_giving_up_leaves_nothing_behind(self) -> None:
        """In an attempt, and in the pause behind one."""
        done = self.webhook([alert(1)], 0)
        done.addErrback(lambda _: None)
        done.cancel()
        self.assertEqual(self.cancelled, 1)
        done = self.webhook([alert(1)], 0)
        done.addErrback(lambda _: None)
        self.answer(500)
        done.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.posts), 2)


class HookTests(SynchronousTestCase):
    def test_it_comes_with_flux(self) -> None:
        """Found as any drop-in is."""
        self.assertIn(WebhookHook, [type(hook) for hook in plugins(IAlertHook, flux.plugins)])

    def test_it_keeps_its_promise(self) -> None:
        """verifyObject, as at the start."""
        verifyObject(IAlertHook, WebhookHook())

    def test_it_is_off_without_a_url(self) -> None:
        """As it is by default."""
        scene = Scene()
        self.assertIsNone(WebhookHook().bind(scene.broker))
        scene.broker.config = replace(scene.broker.config, alerts=AlertConfig(alert_webhook_url="http://h/"))
        self.assertIsInstance(WebhookHook().bind(scene.broker), Webhook)
        self.assertEqual(Config().alerts.alert_webhook_url, "")
