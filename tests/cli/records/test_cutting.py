"""Bytes into records."""

import io

import click
from twisted.trial.unittest import SynchronousTestCase

from flux.cli.records.cutting import Cut, Cutter, unescaped


class Drips(io.BytesIO):
    """Hands out a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(self._step)


class Endless(io.BytesIO):
    """Zeros, a mebibyte at a time."""

    def read1(self, size: int | None = -1) -> bytes:
        return bytes(1 << 20)


def cuts(data: bytes, cutter: Cutter, step: int = 1 << 20) -> list[Cut]:
    return [cut for _, chunk in cutter.chunks(Drips(data, step)) for cut in chunk]


class CuttingTests(SynchronousTestCase):
    def test_every_line_is_a_record(self) -> None:
        """Whole, byte by byte, and with or without an end to the last one; an empty line too, a carriage return is kept."""
        for data, values in (
            (b"", []),
            (b"a\nb\n", [b"a", b"b"]),
            (b"a\nb", [b"a", b"b"]),
            (b"\n\na", [b"", b"", b"a"]),
            (b"a\r\nb\0\n", [b"a\r", b"b\0"]),
        ):
            for step in (1, 2, 100):
                self.assertEqual(
                    cuts(data, Cutter(b"\n", None), step), [Cut(None, value) for value in values], (data, step)
                )

    def test_a_delimiter_may_be_of_several_bytes(self) -> None:
        """Wherever the chunks end."""
        for step in range(1, 9):
            found = cuts(b"a;b--c-d--e", Cutter(b"--", None), step)
            self.assertEqual(found, [Cut(None, b"a;b"), Cut(None, b"c-d"), Cut(None, b"e")])

    def test_the_first_key_delimiter_ends_the_key(self) -> None:
        """Without one there is no key, which is not the same as an empty one."""
        found = cuts(b"k:v:w\nv\n:v\n:\n", Cutter(b"\n", b":"))
        self.assertEqual(found, [Cut(b"k", b"v:w"), Cut(None, b"v"), Cut(b"", b"v"), Cut(b"", b"")])

    def test_all_records_may_have_one_key(self) -> None:
        """And be cut no further."""
        self.assertEqual(cuts(b"a:b\n", Cutter(b"\n", None, b"k")), [Cut(b"k", b"a:b")])

    def test_an_empty_value_may_be_none(self) -> None:
        """If that is asked for."""
        self.assertEqual(cuts(b"k:\n", Cutter(b"\n", b":", tombstones=True)), [Cut(b"k", None)])
        self.assertEqual(cuts(b"k:\n", Cutter(b"\n", b":")), [Cut(b"k", b"")])

    def test_sizes_add_up(self) -> None:
        """A progress bar arrives at its end."""
        data = b"one\ntwo\nthree"
        self.assertEqual(sum(size for size, _ in Cutter(b"\n", None).chunks(Drips(data, 4))), len(data))

    def test_a_record_without_an_end_is_given_up(self) -> None:
        """Before it fills memory, and with the likely reason."""
        error = self.assertRaises(click.ClickException, lambda: list(Cutter(b"\n", None).chunks(Endless())))
        self.assertIn("is b'\\n' the right delimiter?", error.message)


class EscapeTests(SynchronousTestCase):
    def test_escapes_stand_for_bytes(self) -> None:
        """Anything else is UTF-8."""
        for text, data in (
            ("a", b"a"),
            (r"\t", b"\t"),
            (r"\n\0\\n", b"\n\0\\n"),
            (r"\x00\xff", b"\0\xff"),
            ("é:", "é:".encode()),
        ):
            self.assertEqual(unescaped(text), data)

    def test_an_unknown_escape_is_refused(self) -> None:
        """With those there are."""
        for text in (r"\q", r"\x0", "\\"):
            error = self.assertRaises(ValueError, unescaped, text)
            self.assertIn(r"there are \n \t", str(error))
