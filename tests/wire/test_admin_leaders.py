"""The admin family's leaders: both ways."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.admin_leaders import ElectTopicLeaders, LeadersElected, PartitionLeaderSet, SetPartitionLeader
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (SetPartitionLeader, ElectTopicLeaders)
REPLIES: tuple[type[Reply], ...] = (PartitionLeaderSet, LeadersElected)


class LeaderTests(SynchronousTestCase):
    def test_requests_are_read_and_written(self) -> None:
        """Byte for byte; the ISR keeps its order."""
        table: list[tuple[bytes, Request]] = [
            (b"orders 1 1 1,0", SetPartitionLeader("orders", 1, 1, (1, 0))),
            (b"orders 1 7 7", SetPartitionLeader("orders", 1, 7, (7,))),
            (b"orders", ElectTopicLeaders("orders")),
        ]
        for text, request in table:
            self.assertEqual(type(request).decode(text), request)
            self.assertEqual(request.encode(), text)

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (SetPartitionLeader, b"orders 1 x 1,0", "leader id: "),
            (SetPartitionLeader, b"orders 1 -1 1,0", "leader id: "),
            (SetPartitionLeader, b"orders 1 1", "isr: "),
            (SetPartitionLeader, b"orders 1 1 1,", "isr: "),
            (SetPartitionLeader, b"orders 1 1 [1", "isr: "),
            (SetPartitionLeader, b"orders 1 1 1, 0", "isr: "),
            (SetPartitionLeader, b"orders 1 1 1,0 x", "arguments: "),
            (SetPartitionLeader, b"__consumer_offsets 0 1 1,0", "topic: "),
            (ElectTopicLeaders, b"", "topic: "),
            (ElectTopicLeaders, b"__consumer_offsets", "topic: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")
        self.assertRaises(BadRequest, SetPartitionLeader("orders", 1, 1, ()).encode)

    def test_replies_are_read_and_written(self) -> None:
        """Byte for byte; fields appended later are passed over."""
        table: list[tuple[bytes, Reply]] = [
            (
                b"topic=orders partition=1 leader=1 isr=[1 0] term=2 index=9",
                PartitionLeaderSet("orders", 1, 1, (1, 0), 2, 9),
            ),
            (b"topic=orders elected_changes=2", LeadersElected("orders", 2)),
        ]
        for payload, reply in table:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(type(reply).decode(payload), reply)
            self.assertEqual(type(reply).decode(payload + b" later=[1 2]"), reply)
        for kind in REPLIES:
            self.assertRaises(BadRequest, kind.decode, b"topic=orders")

    @given(st.sampled_from((*REQUESTS, *REPLIES)), st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, kind: type[Request] | type[Reply], text: bytes) -> None:
        """Nothing but a FluxError is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)

    def test_commands_document_themselves(self) -> None:
        """For HELP."""
        self.assertEqual(
            [kind.COMMAND for kind in REQUESTS], ["ADMIN_SET_PARTITION_LEADER", "ADMIN_ELECT_TOPIC_LEADERS"]
        )
        self.assertTrue(all(kind.USAGE and kind.HELP.endswith(".") for kind in REQUESTS))
