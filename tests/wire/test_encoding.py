"""Bytes as text and back, exactly."""

import base64
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest
from flux.wire.encoding import Encoding, percent_decoded, percent_encoded, shown

EVERY_BYTE = bytes(range(256))


class Encodings(SynchronousTestCase):
    """What enc= names."""

    def test_they_are_the_well_known_ones(self) -> None:
        """As the standard library writes them."""
        self.assertEqual(percent_encoded(EVERY_BYTE), quote_from_bytes(EVERY_BYTE, safe="").encode())
        self.assertEqual(Encoding.PCT.encode(EVERY_BYTE), percent_encoded(EVERY_BYTE))
        self.assertEqual(Encoding.B64.encode(EVERY_BYTE), base64.b64encode(EVERY_BYTE))

    @given(st.binary(max_size=64), st.sampled_from(Encoding))
    def test_they_decode_to_what_was_encoded(self, data: bytes, encoding: Encoding) -> None:
        """Any bytes; and the text has the length that was foretold, and nothing a line could trip over."""
        text = encoding.encode(data)
        self.assertEqual(encoding.decode("value", text), data)
        self.assertEqual(encoding.length(data), len(text))
        self.assertEqual(text.translate(None, b" \t\r\n,:|"), text)

    def test_percent_escapes_may_be_in_any_case(self) -> None:
        """What needs no escape may stand for itself."""
        for text, data in [
            (b"a%0ab", b"a\nb"),
            (b"%0A%7c%7C", b"\n||"),
            (b"a b", b"a b"),
            (b"%25", b"%"),
            (b"\xff", b"\xff"),
        ]:
            self.assertEqual(percent_decoded("value", text), data)

    def test_half_an_escape_is_refused(self) -> None:
        """The message shows it, names the field and says how to write a percent sign."""
        for text in (b"%", b"100%", b"%4", b"%%41", b"%zz", b"%4 1", b"a%-1"):
            message = str(self.assertRaises(BadRequest, percent_decoded, "value", text))
            self.assertTrue(message.startswith("value: "), message)
            self.assertIn("%25", message)

    def test_one_value_has_one_base64_spelling(self) -> None:
        """Foreign letters, wrong padding, line ends and stray bits are refused by name."""
        for text in (
            b"%%%",
            b"QQ",
            b"QQ=",
            b"QQ===",
            b"QUJD=",
            b"QR==",
            b"QQ==\n",
            b" QQ==",
            b"QQ==QQ==",
            b"Q-_=",
            b"=",
        ):
            message = str(self.assertRaises(BadRequest, Encoding.B64.decode, "key", text))
            self.assertTrue(message.startswith("key: "), message)
        self.assertEqual(Encoding.B64.decode("key", b""), b"")

    @given(st.binary(max_size=24), st.sampled_from(Encoding))
    def test_garbage_is_decoded_or_refused(self, text: bytes, encoding: Encoding) -> None:
        """Nothing else ever comes of it; what base64 takes is what it writes."""
        try:
            data = encoding.decode("value", text)
        except BadRequest as error:
            self.assertIn("value: ", str(error))
        else:
            if encoding is Encoding.B64:
                self.assertEqual(encoding.encode(data), text)


class Showing(SynchronousTestCase):
    """Values in error messages."""

    def test_values_are_quoted_and_printable(self) -> None:
        """Control bytes and what is not UTF-8 are escaped."""
        for value, text in [
            (b"", "''"),
            (b"abc", "'abc'"),
            ("é".encode(), "'é'"),
            (b"a\nb", r"'a\nb'"),
            (b"\xff", r"'\\xff'"),
        ]:
            self.assertEqual(shown(value), text)

    def test_long_values_are_shortened(self) -> None:
        """With a sign that they were."""
        self.assertEqual(shown(b"x" * 60), "'" + "x" * 60 + "'")
        self.assertEqual(shown(b"x" * 61), "'" + "x" * 60 + "…'")
        self.assertEqual(shown(("é" * 61).encode()), "'" + "é" * 60 + "…'")
        self.assertLess(len(shown(b"\x00" * (1 << 20))), 300)
