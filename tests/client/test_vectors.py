"""Every command's request and reply as every client has them: see :mod:`tests.vectors`."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.client import calls, cluster_calls, group_calls
from flux.client.calls import Call, Page
from flux.errors import BadRequest
from flux.model import Role
from tests.vectors import as_bytes, load


def make(each: Mapping[str, Any]) -> Call[Any]:
    """The call a vector names. :raises BadRequest: it cannot be made."""
    for home in (calls, group_calls, cluster_calls):
        function = getattr(home, each["call"], None)
        if function is not None:
            call: Call[Any] = function(*each["args"], **each.get("options", {}))
            return call
    raise AssertionError(f"nobody makes {each['call']}")


def request(call: Call[Any]) -> bytes:
    return call.request.COMMAND.encode() + b" " + call.request.encode()


def plain(value: Any) -> Any:
    """As the data has it."""
    if isinstance(value, Role):
        return value.value
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


class Commands(SynchronousTestCase):
    """Requests out, replies in."""

    def test_every_command_is_there(self) -> None:
        """One that is added brings its vectors."""
        homes = {calls: "produce", group_calls: "join", cluster_calls: "replica_fetch"}
        made = {
            name
            for home in homes
            for name, value in vars(home).items()
            if getattr(value, "__module__", "") == home.__name__
            and getattr(value, "__annotations__", {}).get("return", None) is not None
            and getattr(value.__annotations__["return"], "__origin__", None) is Call
        }
        self.assertEqual(made, {each["call"] for each in load("commands.json")["readable"]})

    def test_requests_and_replies(self) -> None:
        """Byte for byte out; field by field in, as far as the data names fields."""
        for each in load("commands.json")["readable"]:
            call = make(each)
            self.assertEqual(request(call), as_bytes(each["request"]))
            if "reply" not in each:
                continue
            answer = call.read(as_bytes(each["reply"]))
            for name, value in each.get("result", {}).items():
                self.assertEqual(plain(getattr(answer, name)), value, each["call"])
            if "records" in each:
                assert isinstance(answer, Page), "only CONSUME answers records"
                read = [[one.offset, one.key, one.value, one.timestamp_ms] for one in answer]
                expected = [
                    [offset, *(None if text is None else as_bytes(text) for text in texts), time]
                    for offset, *texts, time in each["records"]
                ]
                self.assertEqual(read, expected)

    def test_what_cannot_be_sent_is_refused(self) -> None:
        """Before it is."""
        for each in load("commands.json")["unsendable"]:
            self.assertRaises(BadRequest, lambda each=each: request(make(each)))

    def test_what_cannot_be_read_is_refused(self) -> None:
        """Rather than made something of."""
        for each in load("commands.json")["unreadable"]:
            for reply in each["replies"]:
                self.assertRaises(BadRequest, make(each).read, as_bytes(reply))
