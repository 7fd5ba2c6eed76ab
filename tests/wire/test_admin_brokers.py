"""The admin family's brokers: both ways."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.admin_brokers import (
    BrokerAlive,
    BrokerFenced,
    BrokerHeartbeat,
    BrokerRegistered,
    FenceBroker,
    GetMetadata,
    Metadata,
    ReconcileBrokerHealth,
    Reconciled,
    RegisterBroker,
    UnfenceBroker,
)
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (
    RegisterBroker,
    BrokerHeartbeat,
    FenceBroker,
    UnfenceBroker,
    ReconcileBrokerHealth,
    GetMetadata,
)
REPLIES: tuple[type[Reply], ...] = (BrokerRegistered, BrokerAlive, BrokerFenced, Reconciled, Metadata)


class RequestTests(SynchronousTestCase):
    def test_requests_are_read_and_written(self) -> None:
        """Byte for byte."""
        table: list[tuple[bytes, Request]] = [
            (b"1 127.0.0.1 9093", RegisterBroker(1, "127.0.0.1", 9093)),
            (b"1 127.0.0.1 9093 100", RegisterBroker(1, "127.0.0.1", 9093, 100)),
            (b"0 [::1] 65535 0", RegisterBroker(0, "[::1]", 65535, 0)),
            (b"1", BrokerHeartbeat(1)),
            (b"1", FenceBroker(1)),
            (b"1", UnfenceBroker(1)),
            (b"9000", ReconcileBrokerHealth(9000)),
            (b"", GetMetadata()),
        ]
        for text, request in table:
            self.assertEqual(type(request).decode(text), request)
            self.assertEqual(request.encode(), text)

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (RegisterBroker, b"", "broker id: "),
            (RegisterBroker, b"-1 h 1", "broker id: "),
            (RegisterBroker, b"1", "host: "),
            (RegisterBroker, b"1 h 0", "port: "),
            (RegisterBroker, b"1 h 65536", "port: "),
            (RegisterBroker, b"1 h 1 x", "epoch: "),
            (RegisterBroker, b"1 h 1 -1", "epoch: "),
            (RegisterBroker, b"1 h 1 1 1", "arguments: "),
            (BrokerHeartbeat, b"x", "broker id: "),
            (BrokerHeartbeat, b"1 1", "arguments: "),
            (FenceBroker, b"", "broker id: "),
            (UnfenceBroker, b"1.5", "broker id: "),
            (ReconcileBrokerHealth, b"0", "timeout ms: "),
            (ReconcileBrokerHealth, b"", "timeout ms: "),
            (GetMetadata, b"x", "arguments: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")

    def test_commands_document_themselves(self) -> None:
        """For HELP."""
        self.assertEqual(
            [kind.COMMAND for kind in REQUESTS],
            [
                "ADMIN_REGISTER_BROKER",
                "ADMIN_BROKER_HEARTBEAT",
                "ADMIN_FENCE_BROKER",
                "ADMIN_UNFENCE_BROKER",
                "ADMIN_RECONCILE_BROKER_HEALTH",
                "ADMIN_GET_METADATA",
            ],
        )
        self.assertTrue(all(kind.HELP.endswith(".") for kind in REQUESTS))


class ReplyTests(SynchronousTestCase):
    def test_replies_are_read_and_written(self) -> None:
        """Byte for byte; fields appended later are passed over."""
        table: list[tuple[bytes, Reply]] = [
            (
                b"broker_id=1 host=127.0.0.1 port=9093 term=2 index=9",
                BrokerRegistered(1, "127.0.0.1", 9093, 2, 9),
            ),
            (b"broker_id=1 host=[::1] port=9093 term=2 index=9", BrokerRegistered(1, "[::1]", 9093, 2, 9)),
            (b"broker_id=1 heartbeat=ok term=2 index=9", BrokerAlive(1, 2, 9)),
            (b"broker_id=1 fenced=true term=2 index=9", BrokerFenced(1, True, 2, 9)),
            (b"reconciled=2", Reconciled(2)),
            (b"topics=[a b] brokers=[0 1] fenced=[1]", Metadata(("a", "b"), (0, 1), (1,))),
            (b"topics=[] brokers=[0] fenced=[]", Metadata((), (0,), ())),
        ]
        for payload, reply in table:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(type(reply).decode(payload), reply)
            self.assertEqual(type(reply).decode(payload + b" later=[1 2]"), reply)

    def test_something_else_is_no_answer(self) -> None:
        """It is refused by name."""
        for kind in REPLIES:
            self.assertRaises(BadRequest, kind.decode, b"broker_id=1")
        self.assertRaises(BadRequest, BrokerAlive.decode, b"broker_id=1 heartbeat=no term=2 index=9")

    @given(st.sampled_from((*REQUESTS, *REPLIES)), st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, kind: type[Request] | type[Reply], text: bytes) -> None:
        """Nothing but a FluxError is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)
