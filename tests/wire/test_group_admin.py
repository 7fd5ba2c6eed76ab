"""The group family as people speak it: both ways."""

import contextlib
import json
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.wire.group_admin import (
    ExplainGroup,
    GroupDescribe,
    GroupDescribed,
    GroupExplained,
    GroupList,
    GroupListed,
    GroupMoved,
    GroupReset,
)
from flux.wire.v1 import Request

REQUESTS: tuple[type[Request], ...] = (GroupList, GroupDescribe, ExplainGroup, GroupReset)


class RequestTests(SynchronousTestCase):
    def test_requests_are_read_and_written(self) -> None:
        """Both ways."""
        table: list[tuple[bytes, Request]] = [
            (b"", GroupList()),
            (b"g", GroupDescribe("g")),
            (b"g", ExplainGroup("g")),
            (b"g orders to=earliest", GroupReset("g", "orders", "earliest")),
            (b"g orders to=latest dry_run=1", GroupReset("g", "orders", "latest", None, True)),
            (b"g orders to=offset:17", GroupReset("g", "orders", "offset", 17)),
            (b"g orders to=time:1700000000000", GroupReset("g", "orders", "time", 1_700_000_000_000)),
        ]
        for text, request in table:
            self.assertEqual(type(request).decode(text), request)
            self.assertEqual(request.encode(), text)
        self.assertEqual(
            GroupReset.decode(b"g orders DRY_RUN=false TO=Earliest"), GroupReset("g", "orders", "earliest")
        )

    def test_what_cannot_be_read_is_refused(self) -> None:
        """The message names the field."""
        table: list[tuple[type[Request], bytes, str]] = [
            (GroupList, b"x", "arguments: "),
            (GroupDescribe, b"", "group: "),
            (ExplainGroup, b"g h", "arguments: "),
            (GroupReset, b"g orders", "to: "),
            (GroupReset, b"g orders to=", "to: "),
            (GroupReset, b"g orders to=17", "to: "),
            (GroupReset, b"g orders to=earliest:1", "to: "),
            (GroupReset, b"g orders to=offset", "to: "),
            (GroupReset, b"g orders to=offset:x", "to=offset: "),
            (GroupReset, b"g orders to=offset:-1", "to=offset: "),
            (GroupReset, b"g orders to=latest dry_run=maybe", "dry_run: "),
            (GroupReset, b"g orders to=latest really=1", "option: "),
            (GroupReset, b"g __consumer_offsets to=latest", "topic: "),
        ]
        for kind, text, named in table:
            with self.assertRaises(BadRequest) as caught:
                kind.decode(text)
            self.assertTrue(str(caught.exception).startswith(named), f"{text!r}: {caught.exception}")

    @given(st.sampled_from(REQUESTS), st.binary(max_size=60))
    def test_any_bytes_are_a_request_or_a_flux_error(self, kind: type[Request], text: bytes) -> None:
        """Nothing else is raised."""
        with contextlib.suppress(FluxError):
            kind.decode(text)

    def test_every_command_documents_itself(self) -> None:
        """Name, arguments, a paragraph."""
        for kind in REQUESTS:
            self.assertEqual(kind.COMMAND, kind.COMMAND.upper())
            self.assertTrue(kind.HELP.endswith("."))


class ReplyTests(SynchronousTestCase):
    def test_json_travels_percent_encoded_in_one_field(self) -> None:
        """No blank, no pipe and no bracket of it is on the line."""
        events = [{"cause": "expired", "members": [{"member": "c 1|ü", "silent_ms": 10}]}]
        line = GroupExplained("g", events).encode()
        head, _, text = line.partition(b" json=")
        self.assertEqual(head, b"group=g")
        self.assertEqual(set(text) & set(b' |[]{}",:'), set())
        self.assertEqual(json.loads(unquote(text.decode())), events)
        self.assertEqual(GroupExplained.decode(line), GroupExplained("g", events))

    def test_the_list_names_groups_whatever_they_are_called(self) -> None:
        """A bracket or an equals sign in a name breaks nothing."""
        groups: list[dict[str, Any]] = [{"group": "a]b=[c"}, {"group": "g1"}]
        line = GroupListed(groups).encode()
        self.assertTrue(line.startswith(b"groups=[a%5Db%3D%5Bc g1] json="), line)
        self.assertEqual(GroupListed.decode(line), GroupListed(groups))
        self.assertEqual(GroupListed([]).encode(), b"groups=[] json=%5B%5D")

    def test_a_description_begins_with_what_a_person_wants_to_know(self) -> None:
        """State, members, and the lag of all that is known."""
        partitions: list[dict[str, Any]] = [{"lag": 3}, {"lag": None}, {"lag": 4}]
        description: dict[str, Any] = {
            "group": "g",
            "state": "stable",
            "members": 2,
            "topics": [{"partitions": partitions}],
        }
        line = GroupDescribed(description).encode()
        self.assertTrue(line.startswith(b"group=g state=stable members=2 lag=7 json=%7B"), line)
        self.assertEqual(GroupDescribed.decode(line), GroupDescribed(description))

    def test_a_reset_shows_before_and_after(self) -> None:
        """Partition by partition; none where nothing was committed."""
        moved = GroupMoved("g", "orders", 3, True, (5, None, 7), (0, 0, 0))
        line = moved.encode()
        self.assertEqual(line, b"group=g topic=orders generation=3 dry_run=true before=[5 none 7] after=[0 0 0]")
        self.assertEqual(GroupMoved.decode(line), moved)

    def test_something_else_is_no_answer(self) -> None:
        """It is refused by name."""
        for text in (b"", b"group=g json=x", b"group=g json=1", b"group=g json=%FF", b"group=g json=%7"):
            for kind in (GroupListed, GroupDescribed, GroupExplained, GroupMoved):
                with self.assertRaises(BadRequest):
                    kind.decode(text)
