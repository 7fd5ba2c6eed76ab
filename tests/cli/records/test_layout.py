"""A record as text."""

import json

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.layout import as_columns, as_json, as_told, as_values
from flux.client import Record

RECORD = Record("orders", 2, 7, b"paid", b"user1", 1_764_237_600_000)
NOTHING = Record("orders", 0, 8, None, None, 0)
BINARY = Record("orders", 0, 9, b"\xff\x00", b"a\tb", 0)


class LayoutTests(SynchronousTestCase):
    def test_every_directive(self) -> None:
        """kcat's, and the escapes."""
        for template, text in (
            (r"%t[%p]@%o\n", b"orders[2]@7\n"),
            (r"%k=%s %v", b"user1=paid paid"),
            ("%K %S %T", b"5 4 1764237600000"),
            (r"100%%\t\x7c", b"100%\t|"),
            ("", b""),
            ("é", "é".encode()),
        ):
            self.assertEqual(as_told(template)(RECORD), text)

    def test_what_is_not_there_is_nothing_or_a_word(self) -> None:
        """Its length is -1; an empty value is none of this."""
        self.assertEqual(as_told("%k:%s:%K:%S")(NOTHING), b"::-1:-1")
        self.assertEqual(as_told("%k:%s", b"NULL")(NOTHING), b"NULL:NULL")
        self.assertEqual(as_told("%s%S", b"NULL")(RECORD._replace(value=b"")), b"0")
        self.assertEqual(as_values(None, b"\n", b"NULL")(NOTHING), b"NULL\n")

    def test_an_unknown_directive_is_refused(self) -> None:
        """With those there are; a % at the end is one."""
        for template in ("%q", "100%"):
            error = self.assertRaises(ValueError, as_told, template)
            self.assertIn("there are %s %k", str(error))

    def test_values_are_what_they_are(self) -> None:
        """Byte by byte, with the key before them if it is to be shown."""
        self.assertEqual(as_values(None, b"\0")(BINARY), b"\xff\x00\0")
        self.assertEqual(as_values(b"->", b"\n")(RECORD), b"user1->paid\n")

    def test_json_is_an_object_a_line(self) -> None:
        """With everything there is to a record."""
        self.assertEqual(
            as_json(RECORD),
            b'{"topic":"orders","partition":2,"offset":7,"timestamp_ms":1764237600000,"key":"user1","value":"paid"}\n',
        )
        shown = json.loads(as_json(NOTHING))
        self.assertEqual((shown["key"], shown["value"]), (None, None))

    def test_json_keeps_what_is_no_text(self) -> None:
        """Under another name, so that nobody takes it for text."""
        shown = json.loads(as_json(BINARY))
        self.assertEqual((shown["key"], shown["value_base64"]), ("a\tb", "/wA="))
        self.assertNotIn("value", shown)

    def test_columns_hold_together(self) -> None:
        """Whatever is in them."""
        self.assertEqual(as_columns(RECORD), b"2\t7\t1764237600000\tuser1\tpaid\n")
        self.assertEqual(as_columns(BINARY), b"0\t9\t0\ta\\tb\t\\xff\\x00\n")
        self.assertEqual(as_columns(NOTHING), b"0\t8\t0\t-\t-\n")
