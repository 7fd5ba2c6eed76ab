"""Single words: numbers, names, choices."""

import enum

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest
from flux.model import Acks
from flux.wire.values import (
    INT64_MAX,
    INT64_MIN,
    MAX_NAME_BYTES,
    read_choice,
    read_integer,
    read_name,
    read_text,
    read_topic,
    spellings,
    split_words,
    write_value,
    write_word,
)


class Color(enum.Enum):
    """An enumeration of numbers."""

    RED = 1


class Words(SynchronousTestCase):
    """What blanks separate."""

    def test_runs_of_blanks_separate(self) -> None:
        """Blanks and tabs; no other white space."""
        for text, words in [
            (b"", []),
            (b" \t ", []),
            (b"a", [b"a"]),
            (b"  a \t b\tc  ", [b"a", b"b", b"c"]),
            (b"a\x0bb\rc\x0cd\xa0e", [b"a\x0bb\rc\x0cd\xa0e"]),
        ]:
            self.assertEqual(split_words(text), words)


class Integers(SynchronousTestCase):
    """Optional sign, ASCII digits, 64 bit."""

    def test_numbers_are_read(self) -> None:
        """Signs and leading zeros, however many, change nothing."""
        for word, value in [
            (b"0", 0),
            (b"+2", 2),
            (b"-2", -2),
            (b"00", 0),
            (b"-0", 0),
            (b"0" * 100 + b"7", 7),
            (b"-" + b"0" * 100 + b"7", -7),
            (b"9223372036854775807", INT64_MAX),
            (b"-9223372036854775808", INT64_MIN),
        ]:
            self.assertEqual(read_integer("n", word), value, word)

    def test_what_is_no_number_is_refused(self) -> None:
        """By field and value; what int() forgives is no number either."""
        for word in (
            b"",
            b"x",
            b"1_0",
            b" 1",
            b"1 ",
            b"+",
            b"-",
            b"+-1",
            b"--1",
            b"1.0",
            b"0x1",
            b"1e3",
            "٣".encode(),
            b"\xff",
        ):
            message = str(self.assertRaises(BadRequest, read_integer, "partition", word))
            self.assertTrue(message.startswith("partition: "), message)
            self.assertIn("is not an integer", message)

    def test_what_is_out_of_range_is_refused(self) -> None:
        """The message says what the range is."""
        for word, minimum, maximum, allowed in [
            (b"9223372036854775808", INT64_MIN, INT64_MAX, "use a 64-bit number"),
            (b"-9223372036854775809", INT64_MIN, INT64_MAX, "use a 64-bit number"),
            (b"9" * (1 << 20), INT64_MIN, INT64_MAX, "use a 64-bit number"),
            (b"-" + b"9" * 20, INT64_MIN, INT64_MAX, "use a 64-bit number"),
            (b"-1", 0, INT64_MAX, "use 0 or more"),
            (b"0", 1, 65535, "use 1 to 65535"),
            (b"65536", 1, 65535, "use 1 to 65535"),
        ]:
            message = str(self.assertRaises(BadRequest, read_integer, "n", word, minimum, maximum))
            self.assertIn(allowed, message)
            self.assertLess(len(message), 200)

    @given(st.integers(INT64_MIN - 5, INT64_MAX + 5), st.integers(-9, 9), st.integers(-9, 9))
    def test_the_range_is_kept(self, value: int, minimum: int, maximum: int) -> None:
        """Both ends belong to it."""
        for number in (value, minimum, maximum, minimum - 1, maximum + 1):
            if minimum <= number <= maximum:
                self.assertEqual(read_integer("n", b"%d" % number, minimum, maximum), number)
            else:
                self.assertRaises(BadRequest, read_integer, "n", b"%d" % number, minimum, maximum)


class Names(SynchronousTestCase):
    """Topics, groups, members."""

    def test_topics_are_what_the_model_says(self) -> None:
        """Others are refused by name, again and again."""
        self.assertEqual(read_topic(b"orders.v2_x-1"), "orders.v2_x-1")
        for word in (b"", b"../evil", b"a/b", b".", b"__x", b"\xff", "é".encode(), b"a\n", b"x" * 250):
            for _ in range(2):
                self.assertIn("topic: ", str(self.assertRaises(BadRequest, read_topic, word)))

    def test_names_are_any_text_without_control_characters(self) -> None:
        """Up to a length, in UTF-8."""
        for name in ("g", "a=b", "a|b", "é", "consumer-1.host/x", "x" * MAX_NAME_BYTES):
            self.assertEqual(read_name("group", name.encode()), name)
        for word in (b"", b"x" * (MAX_NAME_BYTES + 1), b"\xff", b"a\x00", b"a\rb", b"\x7f", "\x85".encode()):
            self.assertTrue(str(self.assertRaises(BadRequest, read_name, "group", word)).startswith("group: "))

    def test_text_may_be_empty(self) -> None:
        """A name may not."""
        self.assertEqual(read_text("host", b""), "")


class Choices(SynchronousTestCase):
    """One of a few words."""

    def test_letters_may_be_in_any_case(self) -> None:
        """In the word; the choices are in lower case."""
        self.assertIs(read_choice("acks", b"ALL", spellings(Acks)), Acks.ALL)
        self.assertIs(read_choice("acks", b"0", spellings(Acks)), Acks.NONE)

    def test_others_are_refused(self) -> None:
        """The message lists the choices."""
        for word in (b"2", b"", b"\xff", b"al"):
            message = str(self.assertRaises(BadRequest, read_choice, "acks", word, spellings(Acks)))
            self.assertTrue(message.startswith("acks: ") and message.endswith("use one of 0, 1, all"), message)


class Writing(SynchronousTestCase):
    """Values as fields show them."""

    def test_values_are_shown(self) -> None:
        """Numbers, booleans, text, lists, enumerations."""
        for value, text in [
            (0, b"0"),
            (-1, b"-1"),
            (True, b"true"),
            (False, b"false"),
            ("é", "é".encode()),
            (b"\xff", b"\xff"),
            ((), b"[]"),
            ([0, 1, 2], b"[0 1 2]"),
            (range(2), b"[0 1]"),
            (("a", "b"), b"[a b]"),
            (Acks.ALL, b"all"),
            (Color.RED, b"1"),
        ]:
            self.assertEqual(write_value(value), text)

    def test_a_word_is_one_word(self) -> None:
        """What would be read as none or as two is refused by name."""
        self.assertEqual(write_word("group", "a|b"), b"a|b")
        for value in ("", "a b", "a\tb", "a\nb", "a\r", [1, 2]):
            self.assertTrue(str(self.assertRaises(BadRequest, write_word, "group", value)).startswith("group: "))
