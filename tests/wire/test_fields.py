"""Requests read word by word, replies read by names."""

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest, FluxError
from flux.model import Acks, Role
from flux.wire.fields import Arguments, Options, Payload, write_arguments, write_payload
from flux.wire.values import spellings

words = st.text(
    st.characters(
        min_codepoint=33, max_codepoint=0x2FF, blacklist_characters="\x7f=[]", blacklist_categories=["Cc", "Cs"]
    ),
    min_size=1,
    max_size=12,
)


class Move:
    """A command made up for these tests."""

    COMMAND: ClassVar[str] = "MOVE"
    USAGE: ClassVar[str] = "<topic> <count> [acks=] [wait_ms=]"


def read(text: bytes) -> Arguments:
    """A cursor before the first word."""
    return Arguments(text, Move)


class ReadingArguments(SynchronousTestCase):
    """From left to right."""

    def test_words_are_read_in_order(self) -> None:
        """Each as what it is."""
        cursor = read(b"  orders \t -7 leader 1,0 g1 0 ")
        self.assertEqual(cursor.topic(), "orders")
        self.assertEqual(cursor.integer("count"), -7)
        self.assertIs(cursor.choice("role", spellings(Role)), Role.LEADER)
        self.assertEqual(cursor.integers("isr", minimum=0), (1, 0))
        self.assertTrue(cursor.more)
        self.assertEqual(cursor.name("group"), "g1")
        self.assertEqual(cursor.word("rest"), b"0")
        self.assertFalse(cursor.more)
        cursor.end()

    def test_a_missing_word_shows_the_usage(self) -> None:
        """And the name of what is missing."""
        message = str(self.assertRaises(BadRequest, read(b"").topic))
        self.assertEqual(message, "topic: it is missing; usage: MOVE <topic> <count> [acks=] [wait_ms=]")

    def test_a_word_too_many_shows_the_usage(self) -> None:
        """And the word, whether or not options may come."""
        for refuse in (read(b"x").end, read(b"x").options, read(b"acks=1 x").settings):
            message = str(self.assertRaises(BadRequest, refuse))
            self.assertIn("'x' is one too many; usage: MOVE ", message)

    def test_bad_words_are_named(self) -> None:
        """By the field the caller gave."""
        for refuse in (
            lambda: read(b"x").integer("n"),
            lambda: read(b"-1").integer("n", minimum=0),
            lambda: read(b"1,,2").integers("n"),
            lambda: read(b"1,-2").integers("n", minimum=0),
            lambda: read(b"boss").choice("n", spellings(Role)),
            lambda: read(b"\xff").name("n"),
        ):
            self.assertTrue(str(self.assertRaises(BadRequest, refuse)).startswith("n: "))

    def test_settings_take_any_name(self) -> None:
        """In lower case; each once."""
        self.assertEqual(
            read(b"Retention.MS=5 cleanup.policy= x=a=b").settings(),
            {"retention.ms": "5", "cleanup.policy": "", "x": "a=b"},
        )
        self.assertEqual(read(b"").settings(), {})
        self.assertIn("x: it is there twice", str(self.assertRaises(BadRequest, read(b"x=1 X=2").settings)))
        self.assertIn("option: ", str(self.assertRaises(BadRequest, read(b"=1").settings)))


class ReadingOptions(SynchronousTestCase):
    """In any order, from a closed list."""

    def read(self, text: bytes) -> Options:
        """The options of a made-up command."""
        return read(text).options("acks", "wait_ms", "client")

    def test_options_are_read_by_name(self) -> None:
        """Names and choices ignore case; an equals sign belongs to the value."""
        options = self.read(b"WAIT_MS=+05\tAcks=ALL client=a=b")
        self.assertEqual(options.integer("wait_ms", 0, minimum=0), 5)
        self.assertIs(options.choice("acks", spellings(Acks), None), Acks.ALL)
        self.assertEqual(options.name("client", None), "a=b")
        self.assertEqual(options.word("client"), b"a=b")

    def test_what_is_not_given_has_its_default(self) -> None:
        """Whatever that is."""
        options = self.read(b"")
        self.assertIsNone(options.integer("wait_ms", None))
        self.assertIs(options.choice("acks", spellings(Acks), Acks.LEADER), Acks.LEADER)
        self.assertEqual(options.name("client", ""), "")
        self.assertIn("client: it is missing; usage: MOVE", str(self.assertRaises(BadRequest, options.word, "client")))

    def test_an_unknown_option_is_refused_by_name(self) -> None:
        """With the list of those there are."""
        message = str(self.assertRaises(BadRequest, self.read, b"acks=1 max_byte=5"))
        self.assertIn("'max_byte' is not known here, acks, wait_ms, client are", message)

    def test_an_option_comes_once(self) -> None:
        """Even if both say the same."""
        self.assertIn("acks: it is there twice", str(self.assertRaises(BadRequest, self.read, b"acks=1 ACKS=1")))

    def test_bad_values_are_named(self) -> None:
        """As the words are."""
        options = self.read(b"acks= wait_ms=x client=")
        for refuse, name in (
            (lambda: options.integer("wait_ms", 0), "wait_ms"),
            (lambda: options.choice("acks", spellings(Acks), None), "acks"),
            (lambda: options.name("client", None), "client"),
        ):
            self.assertTrue(str(self.assertRaises(BadRequest, refuse)).startswith(f"{name}: "))


class WritingArguments(SynchronousTestCase):
    """What a client sends."""

    def test_words_come_before_options(self) -> None:
        """Options that are None are left out."""
        self.assertEqual(
            write_arguments("orders", 2, acks=Acks.ALL, wait_ms=None, order="any"), b"orders 2 acks=all order=any"
        )
        self.assertEqual(write_arguments(), b"")

    def test_what_would_be_read_otherwise_is_refused(self) -> None:
        """A word has to be one word."""
        self.assertRaises(BadRequest, write_arguments, "two words")
        self.assertRaises(BadRequest, write_arguments, "")
        self.assertIn("client: ", str(self.assertRaises(BadRequest, lambda: write_arguments(client="a\n"))))

    @given(st.lists(words, max_size=4), st.dictionaries(st.sampled_from(["a", "b.c", "d_e"]), words))
    def test_what_is_written_is_read(self, names: list[str], options: dict[str, str]) -> None:
        """Any words, any options."""
        cursor = read(write_arguments(*names, **options))
        self.assertEqual([cursor.name("n") for _ in names], names)
        self.assertEqual(cursor.settings(), options)

    @given(st.binary(max_size=40))
    def test_garbage_is_read_or_refused(self, text: bytes) -> None:
        """Nothing else ever comes of it."""
        for use in (
            lambda cursor: cursor.topic(),
            lambda cursor: cursor.name("n"),
            lambda cursor: cursor.integer("n"),
            lambda cursor: cursor.integers("n"),
            lambda cursor: cursor.options("a"),
            lambda cursor: cursor.settings(),
            lambda cursor: cursor.end(),
        ):
            try:
                use(read(text))
            except FluxError as error:
                self.assertIn(": ", str(error))


class Payloads(SynchronousTestCase):
    """What a broker answers."""

    def test_fields_are_read_by_name(self) -> None:
        """Each as what it is."""
        payload = Payload(b"generation=3 assigned=[0 1 2] none=[] committed=true topics=[a b] topic=orders help=a%20b")
        self.assertEqual(payload.integer("generation"), 3)
        self.assertEqual(payload.integers("assigned"), (0, 1, 2))
        self.assertEqual(payload.integers("none"), ())
        self.assertIs(payload.boolean("committed"), True)
        self.assertEqual(payload.texts("topics"), ("a", "b"))
        self.assertEqual(payload.text("topic"), "orders")
        self.assertEqual(payload.percent("help"), b"a b")
        self.assertEqual(payload.raw("assigned"), b"[0 1 2]")

    def test_appended_fields_disturb_nobody(self) -> None:
        """A newer broker may say more; what it says is there for who asks."""
        payload = Payload(b"heartbeat=ok more=[x y] again=1 text without a name")
        self.assertEqual(payload.text("heartbeat"), "ok")
        self.assertIn("again", payload)
        self.assertNotIn("text", payload)

    def test_the_first_of_two_counts(self) -> None:
        """As for clients that search for the name."""
        self.assertEqual(Payload(b"hw=1 hw=2").integer("hw"), 1)

    def test_a_missing_field_is_named(self) -> None:
        """With the answer, shortened."""
        message = str(self.assertRaises(BadRequest, Payload(b"offset=1" + b" " * 999).integer, "hw"))
        self.assertTrue(message.startswith("hw: it is missing"))
        self.assertLess(len(message), 200)

    def test_bad_values_are_named(self) -> None:
        """A list that is none, a number that is none, neither true nor false, half an escape."""
        for text, refuse in [
            (b"a=[1", Payload.integers),
            (b"a=[1 b=2", Payload.texts),
            (b"a=[", Payload.texts),
            (b"a=", Payload.texts),
            (b"a=1", Payload.integers),
            (b"a=[1 x]", Payload.integers),
            (b"a=[\xff]", Payload.texts),
            (b"a=x", Payload.integer),
            (b"a=[1]", Payload.integer),
            (b"a=maybe", Payload.boolean),
            (b"a=%2", Payload.percent),
            (b"a=\xff", Payload.text),
        ]:
            self.assertTrue(str(self.assertRaises(BadRequest, refuse, Payload(text), "a")).startswith("a: "), text)

    def test_payloads_are_written_in_order(self) -> None:
        """Byte for byte."""
        self.assertEqual(
            write_payload(topic="t", isr=(1, 0), none=(), deleted=True, hw=-1),
            b"topic=t isr=[1 0] none=[] deleted=true hw=-1",
        )

    @given(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.one_of(words, st.lists(words, max_size=3))))
    def test_what_is_written_is_read(self, fields: dict[str, str | list[str]]) -> None:
        """Texts and lists of texts."""
        payload = Payload(write_payload(**fields))
        for name, value in fields.items():
            read_back: object = payload.text(name) if isinstance(value, str) else list(payload.texts(name))
            self.assertEqual(read_back, value)

    @given(st.one_of(st.binary(max_size=40), st.text(alphabet="a=[ ]1%", max_size=20).map(str.encode)))
    def test_garbage_is_read_or_refused(self, text: bytes) -> None:
        """Nothing else ever comes of it."""
        payload = Payload(text)
        for use in (payload.text, payload.integer, payload.boolean, payload.percent, payload.texts, payload.integers):
            try:
                use("a")
            except FluxError as error:
                self.assertTrue(str(error).startswith("a: "))
