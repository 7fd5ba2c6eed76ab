"""Varints: every number has one form, and only that one is read."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux import varint
from tests.batches import INT64

FORMS = [
    (0, "00"),
    (-1, "01"),
    (1, "02"),
    (63, "7e"),
    (-64, "7f"),
    (64, "8001"),
    (-65, "8101"),
    (8191, "fe7f"),
    (-8192, "ff7f"),
    (8192, "808001"),
    (-8193, "818001"),
    ((1 << 31) - 1, "feffffff0f"),
    (-(1 << 31), "ffffffff0f"),
    ((1 << 63) - 1, "feffffffffffffffff01"),
    (-(1 << 63), "ffffffffffffffffff01"),
]


class VarintTests(SynchronousTestCase):
    """What is written, read and refused."""

    def test_numbers_have_the_forms_kafka_gives_them(self) -> None:
        """A table of numbers and bytes, both ways."""
        for number, form in FORMS:
            with self.subTest(number=number):
                written = bytes.fromhex(form)
                self.assertEqual(varint.write(number), written)
                self.assertEqual(varint.read(written, 0, 64), (number, len(written)))

    @given(INT64, st.binary(max_size=3), st.binary(max_size=3))
    def test_what_is_written_is_read(self, number: int, before: bytes, after: bytes) -> None:
        """Whatever stands around it."""
        written = varint.write(number)
        expected = (number, len(before) + len(written))
        self.assertEqual(varint.read(before + written + after, len(before), 64), expected)

    @given(st.binary(max_size=12))
    @example(b"\x80\x80\x80\x80\x10")
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        """What is read is what would be written, so that no number has two forms."""
        try:
            number, end = varint.read(data, 0)
        except (IndexError, ValueError):
            return
        self.assertTrue(-(1 << 31) <= number < 1 << 31)
        self.assertEqual(varint.write(number), data[:end])

    def test_a_number_of_more_than_its_bits_is_refused(self) -> None:
        """One bit more than 32, one byte more than five, and one bit more than 64."""
        for form, bits in (("8080808010", 32), ("808080808001", 32), ("80808080808080808002", 64)):
            with self.subTest(form=form):
                error = self.assertRaises(ValueError, varint.read, bytes.fromhex(form), 0, bits)
                self.assertIn(f"{bits} bits", str(error))

    def test_a_number_longer_than_it_need_be_is_refused(self) -> None:
        """Zero in two bytes, and one in three."""
        for form in ("8000", "828000"):
            with self.subTest(form=form):
                error = self.assertRaises(ValueError, varint.read, bytes.fromhex(form), 0)
                self.assertIn("longer than", str(error))

    def test_a_number_cut_short_is_an_index_error(self) -> None:
        """At every length, and when there is nothing at all."""
        for form in ("", "80", "8080", "80808080"):
            with self.subTest(form=form):
                self.assertRaises(IndexError, varint.read, bytes.fromhex(form), 0)
