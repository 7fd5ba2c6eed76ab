"""The replication family: both ways."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.model import Role
from flux.wire.replica import (
    ExplainPartition,
    PartitionExplained,
    PartitionRole,
    ReplicaFetch,
    ReplicaFetched,
    SetPartitionRole,
)
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (ReplicaFetch, SetPartitionRole, ExplainPartition)
REPLIES: tuple[type[Reply], ...] = (ReplicaFetched, PartitionRole, PartitionExplained)


class RequestTests(SynchronousTestCase):
    def test_requests_are_read_and_written(self) -> None:
        """Byte for byte."""
        table: list[tuple[bytes, Request]] = [
            (b"orders 2 1 17", ReplicaFetch("orders", 2, 1, 17)),
            (b"orders 0 2 -1", ReplicaFetch("orders", 0, 2, -1)),
            (b"orders 2 leader", SetPartitionRole("orders", 2, Role.LEADER)),
            (b"orders 2 follower", SetPartitionRole("orders", 2, Role.FOLLOWER)),
            (b"orders 2", ExplainPartition("orders", 2)),
        ]
        for text, request in table:
            self.assertEqual(type(request).decode(text), request)
            self.assertEqual(request.encode(), text)
        self.assertEqual(SetPartitionRole.decode(b" orders  2 Leader "), SetPartitionRole("orders", 2, Role.LEADER))

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (ReplicaFetch, b"", "topic: "),
            (ReplicaFetch, b"orders", "partition: "),
            (ReplicaFetch, b"orders -1 1 0", "partition: "),
            (ReplicaFetch, b"orders 0 x 0", "replica id: "),
            (ReplicaFetch, b"orders 0 1", "offset: "),
            (ReplicaFetch, b"orders 0 1 -2", "offset: "),
            (ReplicaFetch, b"orders 0 1 0 0", "arguments: "),
            (ReplicaFetch, b"__consumer_offsets 0 1 0", "topic: "),
            (SetPartitionRole, b"orders 2 boss", "role: "),
            (SetPartitionRole, b"orders 2", "role: "),
            (SetPartitionRole, b"__consumer_offsets 0 follower", "topic: "),
            (ExplainPartition, b"orders", "partition: "),
            (ExplainPartition, b"orders 0 1", "arguments: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")

    def test_commands_document_themselves(self) -> None:
        """For HELP."""
        self.assertEqual(
            [kind.COMMAND for kind in REQUESTS], ["REPLICA_FETCH", "SET_PARTITION_ROLE", "EXPLAIN_PARTITION"]
        )
        self.assertTrue(all(kind.USAGE and kind.HELP.endswith(".") for kind in REQUESTS))


class ReplyTests(SynchronousTestCase):
    def test_replies_are_read_and_written(self) -> None:
        """Byte for byte; hw is the last committed offset, -1 without one; fields appended later are passed over."""
        table: list[tuple[bytes, Reply]] = [
            (
                b"replica=1 acked_offset=17 hw=4 isr=[0 1] under_replicated=true",
                ReplicaFetched(1, 17, 5, (0, 1), True),
            ),
            (b"replica=2 acked_offset=-1 hw=-1 isr=[0] under_replicated=false", ReplicaFetched(2, -1, 0, (0,), False)),
            (b"topic=orders partition=2 role=leader hw=0", PartitionRole("orders", 2, Role.LEADER, 1)),
            (b"topic=orders partition=2 role=follower hw=-1", PartitionRole("orders", 2, Role.FOLLOWER, 0)),
            (
                b"topic=orders partition=2 json=%7B%22why%22%3A%22so%20it%20is%22%7D",
                PartitionExplained("orders", 2, {"why": "so it is"}),
            ),
        ]
        for payload, reply in table:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(type(reply).decode(payload), reply)
            self.assertEqual(type(reply).decode(payload + b" later=[1 2]"), reply)

    def test_something_else_is_no_answer(self) -> None:
        """It is refused by name."""
        for kind in REPLIES:
            for payload in (b"", b"topic=a", b"topic=a partition=0 role=boss hw=0", b"topic=a partition=0 json=1"):
                self.assertRaises(BadRequest, kind.decode, payload)

    @given(st.sampled_from((*REQUESTS, *REPLIES)), st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, kind: type[Request] | type[Reply], text: bytes) -> None:
        """Nothing but a FluxError is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)
