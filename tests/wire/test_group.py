"""The group family as consumers speak it: both ways."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.group import (
    Alive,
    Assigned,
    Commit,
    Committed,
    Heartbeat,
    Join,
    Leave,
    Left,
    NextOffset,
    Offset,
    Sync,
)
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (Join, Sync, Heartbeat, Leave, Commit, Offset)
REPLIES: tuple[type[Reply], ...] = (Assigned, Alive, Left, Committed, NextOffset)

names = st.text(st.characters(min_codepoint=33, blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=9).filter(
    lambda name: len(name.split()) == 1 and name == name.strip()
)
topics = st.sampled_from(["t", "orders", "a.b-c_d"])
numbers = st.integers(0, (1 << 63) - 1)
from_one = st.integers(1, (1 << 63) - 1)
requests = st.one_of(
    st.builds(Join, names, topics, names, st.none() | names, st.none() | from_one),
    *(st.builds(kind, names, topics, names, numbers) for kind in (Sync, Heartbeat, Leave)),
    st.builds(Commit, names, topics, names, numbers, numbers, numbers),
    st.builds(Offset, names, topics, numbers),
)
replies = st.one_of(
    st.builds(Assigned, numbers, st.lists(numbers, max_size=4).map(tuple)),
    st.sampled_from([Alive(), Left(), Committed()]),
    st.builds(NextOffset, numbers, st.booleans()),
)


class RequestTests(SynchronousTestCase):
    def test_requests_are_read(self) -> None:
        """Words in order, then options."""
        table: list[tuple[type[Request], bytes, Request]] = [
            (Join, b"g orders c1", Join("g", "orders", "c1")),
            (Join, b"g orders c1 assignor=range", Join("g", "orders", "c1", "range")),
            (Join, b" g  orders\tc1 SESSION_MS=500 assignor=x", Join("g", "orders", "c1", "x", 500)),
            (Sync, b"g orders c1 2", Sync("g", "orders", "c1", 2)),
            (Heartbeat, b"g orders c1 +2", Heartbeat("g", "orders", "c1", 2)),
            (Leave, b"g orders c1 2", Leave("g", "orders", "c1", 2)),
            (Commit, b"g orders c1 2 0 17", Commit("g", "orders", "c1", 2, 0, 17)),
            (Offset, "grüße orders 0".encode(), Offset("grüße", "orders", 0)),
        ]
        for kind, text, request in table:
            self.assertEqual(kind.decode(text), request)

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (Join, b"g", "topic: "),
            (Join, b"", "group: "),
            (Join, b"g orders", "consumer id: "),
            (Join, b"g a/b c1", "topic: "),
            (Join, b"g __consumer_offsets c1", "topic: "),
            (Join, b"g orders c1 session_ms=0", "session_ms: "),
            (Join, b"g orders c1 session_ms=x", "session_ms: "),
            (Join, b"g orders c1 color=red", "option: "),
            (Join, b"g orders c1 2", "arguments: "),
            (Join, b"g" * 250 + b" orders c1", "group: "),
            (Join, b"g\xff orders c1", "group: "),
            (Sync, b"g orders c1", "generation: "),
            (Sync, b"g orders c1 x", "generation: "),
            (Heartbeat, b"g orders c1 2 3", "arguments: "),
            (Leave, b"g orders c1 -1", "generation: "),
            (Commit, b"g orders c1 2 0 -3", "offset: "),
            (Commit, b"g orders c1 2 x 3", "partition: "),
            (Commit, b"g orders c1 2 0 3 4", "arguments: "),
            (Offset, b"g orders -1", "partition: "),
            (Offset, b"g orders", "partition: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")

    @given(requests)
    def test_every_request_survives_the_wire(self, request: Request) -> None:
        """What is written is read as the same."""
        self.assertEqual(type(request).decode(request.encode()), request)

    @given(st.sampled_from(REQUESTS), st.binary(max_size=60))
    def test_any_bytes_are_a_request_or_a_flux_error(self, kind: type[Request], text: bytes) -> None:
        """Nothing else is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)

    def test_every_command_documents_itself(self) -> None:
        """Name, arguments, a paragraph."""
        for kind in REQUESTS:
            self.assertEqual(kind.COMMAND, kind.COMMAND.upper())
            self.assertTrue(kind.USAGE and kind.HELP.endswith("."))


class ReplyTests(SynchronousTestCase):
    def test_answers_are_written_as_deployed_clients_read_them(self) -> None:
        """Names, order, spelling."""
        table: list[tuple[Reply, bytes]] = [
            (Assigned(2, (0, 1, 2)), b"generation=2 assigned=[0 1 2]"),
            (Assigned(3, ()), b"generation=3 assigned=[]"),
            (Alive(), b"heartbeat=ok"),
            (Left(), b"left=true"),
            (Committed(), b"committed=true"),
            (NextOffset(0, False), b"offset=0 committed=false"),
            (NextOffset(17, True), b"offset=17 committed=true"),
        ]
        for reply, text in table:
            self.assertEqual(reply.encode(), text)

    @given(replies)
    def test_every_answer_survives_the_wire(self, reply: Reply) -> None:
        """Also with a field appended by a newer broker."""
        self.assertEqual(type(reply).decode(reply.encode()), reply)
        self.assertEqual(type(reply).decode(reply.encode() + b" newer=1"), reply)

    def test_something_else_is_no_answer(self) -> None:
        """It is refused by name."""
        for kind in REPLIES:
            for text in (b"", b"pong=true", b"heartbeat=no left=false committed=maybe offset=x generation=y"):
                with self.assertRaises(BadRequest):
                    kind.decode(text)
