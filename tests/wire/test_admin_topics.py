"""The admin family's topics: both ways."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.admin_topics import (
    AlterTopic,
    CreateTopic,
    DeleteRecords,
    DeleteTopic,
    DescribeTopic,
    RecordsDeleted,
    TopicDeleted,
    TopicDescribed,
    TopicShape,
)
from flux.wire.v1 import Reply, Request

REQUESTS: tuple[type[Request], ...] = (CreateTopic, AlterTopic, DeleteTopic, DeleteRecords, DescribeTopic)
REPLIES: tuple[type[Reply], ...] = (TopicShape, TopicDeleted, RecordsDeleted, TopicDescribed)


class RequestTests(SynchronousTestCase):
    def test_requests_are_read_and_written(self) -> None:
        """Byte for byte."""
        table: list[tuple[bytes, Request]] = [
            (b"orders 3 1", CreateTopic("orders", 3, 1, {})),
            (
                b"orders 3 2 retention.ms=1000 min.insync.replicas=2",
                CreateTopic("orders", 3, 2, {"retention.ms": "1000", "min.insync.replicas": "2"}),
            ),
            (b"orders retention.ms=-1", AlterTopic("orders", {"retention.ms": "-1"})),
            (b"orders partitions=5", AlterTopic("orders", {}, 5)),
            (
                b"orders segment.bytes=9 partitions=5 allow_key_move=1",
                AlterTopic("orders", {"segment.bytes": "9"}, 5, True),
            ),
            (b"orders", DeleteTopic("orders")),
            (b"orders 2 17", DeleteRecords("orders", 2, 17)),
            (b"orders", DescribeTopic("orders")),
        ]
        for text, request in table:
            self.assertEqual(type(request).decode(text), request)
            self.assertEqual(request.encode(), text)

    def test_names_of_settings_ignore_case_and_stand_in_any_order(self) -> None:
        """partitions and allow_key_move are among them."""
        read = AlterTopic.decode(b"orders Allow_Key_Move=TRUE Retention.MS=5 PARTITIONS=4")
        self.assertEqual(read, AlterTopic("orders", {"retention.ms": "5"}, 4, True))

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (CreateTopic, b"", "topic: "),
            (CreateTopic, b"bad/name 1 1", "topic: "),
            (CreateTopic, b"__consumer_offsets 1 1", "topic: "),
            (CreateTopic, b"orders", "partitions: "),
            (CreateTopic, b"orders 0 1", "partitions: "),
            (CreateTopic, b"orders 1 0", "replication factor: "),
            (CreateTopic, b"orders 1 1 extra", "arguments: "),
            (CreateTopic, b"orders 1 1 a=1 A=2", "a: "),
            (AlterTopic, b"orders", "settings: "),
            (AlterTopic, b"orders allow_key_move=1", "settings: "),
            (AlterTopic, b"orders partitions=0", "partitions: "),
            (AlterTopic, b"orders partitions=x", "partitions: "),
            (AlterTopic, b"orders partitions=2 allow_key_move=perhaps", "allow_key_move: "),
            (AlterTopic, b"__consumer_offsets partitions=2", "topic: "),
            (DeleteTopic, b"", "topic: "),
            (DeleteTopic, b"orders again", "arguments: "),
            (DeleteTopic, b"__consumer_offsets", "topic: "),
            (DeleteRecords, b"orders 0", "before offset: "),
            (DeleteRecords, b"orders 0 -1", "before offset: "),
            (DeleteRecords, b"__consumer_offsets 0 1", "topic: "),
            (DescribeTopic, b"orders 0", "arguments: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")

    def test_what_would_be_read_as_something_else_is_not_sent(self) -> None:
        """A blank in a setting, or no value."""
        for settings in ({"retention.ms": "1 2"}, {"retention.ms": ""}):
            self.assertRaises(BadRequest, CreateTopic("orders", 1, 1, settings).encode)
            self.assertRaises(BadRequest, AlterTopic("orders", settings).encode)
        self.assertEqual(AlterTopic("orders", {"partitions": "9"}, 5).encode(), b"orders partitions=5")

    def test_only_a_search_for_keys_takes_longer(self) -> None:
        """Its deadline moves; that of other changes does not."""
        self.assertGreater(AlterTopic("orders", {}, 5).wait_s, 60)
        self.assertEqual(AlterTopic("orders", {}, 5, True).wait_s, 0)
        self.assertEqual(AlterTopic("orders", {"retention.ms": "1"}).wait_s, 0)

    def test_commands_document_themselves(self) -> None:
        """For HELP."""
        self.assertEqual(
            [kind.COMMAND for kind in REQUESTS],
            [
                "ADMIN_CREATE_TOPIC",
                "ADMIN_ALTER_TOPIC",
                "ADMIN_DELETE_TOPIC",
                "ADMIN_DELETE_RECORDS",
                "ADMIN_DESCRIBE_TOPIC",
            ],
        )
        self.assertTrue(all(kind.USAGE and kind.HELP.endswith(".") for kind in REQUESTS))


class ReplyTests(SynchronousTestCase):
    def test_replies_are_read_and_written(self) -> None:
        """Byte for byte; fields appended later are passed over."""
        table: list[tuple[bytes, Reply]] = [
            (b"topic=orders partitions=3 replication_factor=1 term=2 index=9", TopicShape("orders", 3, 1, 2, 9)),
            (b"topic=orders deleted=true term=2 index=9", TopicDeleted("orders", 2, 9)),
            (b"topic=orders partition=2 log_start=17", RecordsDeleted("orders", 2, 17)),
            (
                b"topic=orders partitions=1 replication_factor=1 json=%7B%22config%22%3A%7B%7D%7D",
                TopicDescribed("orders", 1, 1, {"config": {}}),
            ),
        ]
        for payload, reply in table:
            self.assertEqual(reply.encode(), payload)
            self.assertEqual(type(reply).decode(payload), reply)
            self.assertEqual(type(reply).decode(payload + b" later=[1 2]"), reply)

    def test_something_else_is_no_answer(self) -> None:
        """It is refused by name."""
        for kind in REPLIES:
            self.assertRaises(BadRequest, kind.decode, b"topic=orders")
        self.assertRaises(BadRequest, TopicDeleted.decode, b"topic=orders deleted=false term=2 index=9")

    @given(st.sampled_from((*REQUESTS, *REPLIES)), st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, kind: type[Request] | type[Reply], text: bytes) -> None:
        """Nothing but a FluxError is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)

    @given(st.binary(max_size=40))
    def test_any_settings_are_read_or_refused(self, text: bytes) -> None:
        """Behind arguments that are in order."""
        for kind, before in ((CreateTopic, b"orders 1 1 "), (AlterTopic, b"orders ")):
            with contextlib.suppress(FluxError):
                kind.decode(before + text)
