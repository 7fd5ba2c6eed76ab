"""What can be asked: one function a command, a method of that name on every face."""

import importlib
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

import flux.wire
from flux.client import AsyncFluxClient, BlockingClient, FluxClient
from flux.client.calls import Page, Record, Text, as_acks, as_bytes, consume, produce
from flux.client.cluster_calls import admin_alter_topic, admin_create_topic, as_role
from flux.errors import BadRequest
from flux.model import Acks, Role
from flux.wire.encoding import Encoding
from flux.wire.fetch import Consumed

FACES = (FluxClient, AsyncFluxClient, BlockingClient)


def _commands() -> set[str]:
    """Every command there is a request class for."""
    modules = [importlib.import_module(f"flux.wire.{each.name}") for each in pkgutil.iter_modules(flux.wire.__path__)]
    classes = [vars(each) for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {each["COMMAND"] for each in classes if "COMMAND" in each}


class Methods(SynchronousTestCase):
    """The same names everywhere."""

    def test_every_command_is_a_method_of_every_face(self) -> None:
        """Named as it is on the wire, in lower case."""
        commands = _commands()
        self.assertTrue(commands >= {"PRODUCE", "JOIN", "ADMIN_CREATE_TOPIC"})
        for face in FACES:
            self.assertEqual([each for each in sorted(commands) if not hasattr(face, each.lower())], [])

    def test_the_faces_offer_the_same(self) -> None:
        """But for how each is entered, and for what the Twisted one is told by its connections."""
        offered = [{name for name in dir(face) if not name.startswith("_")} for face in FACES]
        self.assertEqual(offered[0] - {"connected", "received", "lost"}, offered[1])
        self.assertEqual(offered[1], offered[2])


class Arguments(SynchronousTestCase):
    """What a caller may write."""

    def test_text_is_its_utf_8_and_nothing_stays_nothing(self) -> None:
        """Bytes are themselves."""
        cases: list[tuple[Text | None, bytes | None]] = [
            ("é", b"\xc3\xa9"),
            (b"\xff", b"\xff"),
            ("", b""),
            (None, None),
        ]
        for text, data in cases:
            self.assertEqual(as_bytes(text), data)

    def test_acks_and_roles_go_by_any_of_their_names(self) -> None:
        """And by no other."""
        for acks in (Acks.ALL, "all", "ALL"):
            self.assertIs(as_acks(acks), Acks.ALL)
        self.assertIs(as_acks(0), Acks.NONE)
        self.assertIs(as_role("Follower"), Role.FOLLOWER)
        for refused in (2, "", "none"):
            with self.assertRaises(BadRequest):
                as_acks(refused)
        with self.assertRaises(BadRequest):
            as_role("boss")

    def test_a_records_bytes_travel_in_the_shorter_encoding_if_they_need_one(self) -> None:
        """The client picks it."""
        cases: list[tuple[Text, bytes]] = [
            ("a b", b"t k:a b acks=1"),
            ("a\n", b"t k:a%0A acks=1 enc=pct"),
            (b"\xff\n\x00", b"t aw==:/woA acks=1 enc=b64"),
        ]
        for value, arguments in cases:
            self.assertEqual(produce("t", "k", value).request.encode(), arguments)

    def test_settings_may_be_any_plain_values(self) -> None:
        """As the broker reads them."""
        request = admin_create_topic("t", 3, 1, {"retention.ms": 5, "unclean.leader.election.enable": True}).request
        self.assertEqual(request.encode(), b"t 3 1 retention.ms=5 unclean.leader.election.enable=true")
        self.assertGreater(admin_alter_topic("t", partitions=6).wait_s, 0)
        self.assertEqual(admin_alter_topic("t", partitions=6, allow_key_move=True).wait_s, 0)


class Reading(SynchronousTestCase):
    """CONSUME and its answer."""

    def test_a_read_is_always_exact_and_a_long_poll_can_be_overtaken(self) -> None:
        """By an encoding, and by saying so; its wait is the broker's time, not the call's."""
        self.assertEqual(consume("t", 1, 5).request.encode(), b"t 1 5 enc=b64 fields=keys,timestamps,tombstones")
        call = consume("t", 1, 5, wait_ms=500, max_records=3, reset="latest")
        self.assertEqual(
            call.request.encode(),
            b"t 1 5 max_records=3 wait_ms=500 enc=b64 reset=latest order=any fields=keys,timestamps,tombstones",
        )
        self.assertEqual(call.wait_s, 0.5)

    def test_a_broker_that_knows_no_fields_is_named(self) -> None:
        """As too old for this client, before anything is read wrongly."""
        old = Consumed([5], [b"a"], 10, 9, 2, Encoding.B64).encode()
        self.assertIn("older", str(self.assertRaises(BadRequest, consume("t", 1, 5).read, old)))

    def test_a_page_is_its_records(self) -> None:
        """With their place; a tombstone is told from an empty value, no key from an empty one."""
        values, keys, stamps = [b"a,b", None, b"", b"\x00\xff"], [b"k", None, b"", b"\xff"], [9, 8, 7, 6]
        answer = Consumed([5, 6, 7, 9], values, 11, 10, 2, Encoding.B64, keys, stamps, tombstones=True)
        page = consume("t", 1, 5).read(answer.encode())
        columns = zip([5, 6, 7, 9], values, keys, stamps, strict=True)
        records = tuple(Record("t", 1, *row) for row in columns)
        self.assertEqual(page, Page(records, 10, 11, 2))
        self.assertEqual((tuple(page), len(page)), (records, 4))
