"""Compressed payloads: all four codecs, and no bomb gets past its limit."""

import resource
import struct
import sys
import zlib
from random import Random
from typing import cast

import cramjam
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.compression import ANY_RATIO_BYTES, CODECS, MAX_DECOMPRESSED_BYTES, MAX_RATIO, CodecMissing, decompress
from flux.errors import FluxError

GZIP, SNAPPY, LZ4, ZSTD = sorted(CODECS)
BOMB_BYTES = 256 << 20  # what each bomb says it holds, and does


def xerial(*blocks: bytes, versions: bytes = struct.pack(">ii", 1, 1)) -> bytes:
    """Blocks of raw snappy in the frame of the xerial library."""
    return b"\x82SNAPPY\0" + versions + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


def compress(codec: int, data: bytes) -> bytes:
    """As a client does."""
    if codec == GZIP:
        stream = zlib.compressobj(wbits=31)
        return stream.compress(data) + stream.flush()
    if codec == SNAPPY:
        return bytes(cramjam.snappy.compress_raw(data))
    return bytes((cramjam.lz4 if codec == LZ4 else cramjam.zstd).compress(data))


def bomb(codec: int) -> bytes:
    """:data:`BOMB_BYTES` of nothing, built piece by piece."""
    piece = bytes(1 << 20)
    if codec == GZIP:
        stream = zlib.compressobj(wbits=31)
        return b"".join(stream.compress(piece) for _ in range(BOMB_BYTES >> 20)) + stream.flush()
    if codec == SNAPPY:  # its length, one literal byte, and copies of 64 bytes from one byte back
        return b"\x80\x80\x80\x80\x01" + b"\0\0" + b"\xfe\1\0" * (BOMB_BYTES // 64)
    if codec == ZSTD:  # a frame with a window of 128 MiB, and blocks that are one byte said 131072 times
        blocks = [((1 << 17) << 3 | 1 << 1 | (at == 2047)).to_bytes(3, "little") + b"\0" for at in range(2048)]
        return b"\x28\xb5\x2f\xfd\0" + bytes((17 << 3,)) + b"".join(blocks)
    frame = cramjam.lz4.Compressor()
    for _ in range(BOMB_BYTES >> 20):
        frame.compress(piece)
    return bytes(frame.finish())


class CodecTests(SynchronousTestCase):
    """What every codec promises."""

    def each(self) -> list[int]:
        """All of them."""
        return [GZIP, SNAPPY, LZ4, ZSTD]

    def refused(self, codec: int, data: bytes, *limit: int) -> str:
        """Why it is."""
        return str(self.assertRaises(ValueError, decompress, codec, data, *limit))

    def test_what_was_compressed_is_read(self) -> None:
        """Nothing, a byte, and a hundred kilobytes, from bytes or a memoryview."""
        noise = Random(1).randbytes(1000)
        for codec in self.each():
            for data in (b"", b"x", b"hello " * 20_000, noise * 100):
                with self.subTest(codec=CODECS[codec], size=len(data)):
                    compressed = compress(codec, data)
                    self.assertEqual(decompress(codec, compressed), data)
                    self.assertEqual(decompress(codec, memoryview(compressed)), data)

    def test_the_limit_is_exact_and_named(self) -> None:
        """So many bytes pass, one more does not."""
        data = Random(1).randbytes(3000) * 100
        for codec in self.each():
            with self.subTest(codec=CODECS[codec]):
                compressed = compress(codec, data)
                self.assertEqual(decompress(codec, compressed, len(data)), data)
                self.assertIn(f"limit of {len(data) - 1} bytes", self.refused(codec, compressed, len(data) - 1))

    def test_the_ratio_is_limited_past_the_first_mebibyte(self) -> None:
        """Equal records may shrink a thousandfold; megabytes of them may not."""
        for codec in (GZIP, LZ4, ZSTD):  # snappy cannot shrink anything so far
            with self.subTest(codec=CODECS[codec]):
                self.assertEqual(len(decompress(codec, compress(codec, bytes(ANY_RATIO_BYTES)))), ANY_RATIO_BYTES)
                compressed = compress(codec, bytes(MAX_DECOMPRESSED_BYTES))
                self.assertLess(len(compressed) * MAX_RATIO, MAX_DECOMPRESSED_BYTES)
                limit = max(ANY_RATIO_BYTES, len(compressed) * MAX_RATIO)
                self.assertIn(f"limit of {limit} bytes", self.refused(codec, compressed))

    def test_a_bomb_costs_little_memory(self) -> None:
        """Each is 256 MiB in a few; the process may grow by a small multiple of the limit."""
        for codec in self.each():
            with self.subTest(codec=CODECS[codec]):
                data = bomb(codec)
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                self.assertIn("limit of", self.refused(codec, data))
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # in KiB
                self.assertLess(grown << 10, 8 * MAX_DECOMPRESSED_BYTES)

    def test_data_cut_short_is_refused(self) -> None:
        """At every length."""
        for codec in self.each():
            compressed = compress(codec, b"some records, some more records, some records")
            for size in range(len(compressed)):
                with self.subTest(codec=CODECS[codec], size=size):
                    self.refused(codec, compressed[:size])

    def test_bytes_after_the_end_are_refused(self) -> None:
        """They are no part of what the client compressed. (Older releases of cramjam read lz4 up to its end and no further.)"""
        for codec in (GZIP, SNAPPY, ZSTD):
            with self.subTest(codec=CODECS[codec]):
                self.refused(codec, compress(codec, b"some records") + b"more")

    @settings(deadline=2000)
    @given(st.integers(1, 4), st.binary(max_size=300), st.booleans())
    def test_any_bytes_are_read_or_refused(self, codec: int, data: bytes, mutated: bool) -> None:
        """With ValueError, whether they resemble anything or not."""
        if mutated:
            whole = compress(codec, b"some records, some more records")
            data = whole[: len(data) % len(whole)] + data[:3] + whole[len(data) % len(whole) + 3 :]
        try:
            found = decompress(codec, data, 1 << 20)
        except ValueError:
            return
        self.assertLessEqual(len(found), 1 << 20)

    def test_a_codec_that_does_not_exist_is_refused(self) -> None:
        """The attributes have room for three more."""
        for codec in (0, 5, 6, 7):
            self.assertIn(str(codec), self.refused(codec, b""))

    def test_a_missing_library_is_named_with_its_extra(self) -> None:
        """It is no damage: installing it is enough, and gzip needs none."""
        self.addCleanup(sys.modules.__setitem__, "cramjam", cramjam)
        cast("dict[str, object]", sys.modules)["cramjam"] = None  # importing it now raises ImportError
        for codec in (SNAPPY, LZ4, ZSTD):
            error = self.assertRaises(CodecMissing, decompress, codec, compress(codec, b"x"))
            self.assertIn(CODECS[codec], str(error))
            self.assertIn("extra 'compression'", str(error))
            self.assertIsInstance(error, FluxError)
        self.assertEqual(decompress(GZIP, compress(GZIP, b"x")), b"x")


class FrameTests(SynchronousTestCase):
    """What single codecs have of their own."""

    def test_a_second_gzip_member_is_refused(self) -> None:
        """No client writes one, and a thousand empty ones would cost a copy of the rest each."""
        error = self.assertRaises(ValueError, decompress, GZIP, compress(GZIP, b"one") + compress(GZIP, b"two"))
        self.assertIn("after the end", str(error))

    def test_xerial_blocks_are_read_in_order(self) -> None:
        """None, one or many, and whatever the order of the version's bytes."""
        blocks = [compress(SNAPPY, block) for block in (b"one, ", b"", b"two")]
        self.assertEqual(decompress(SNAPPY, xerial(*blocks)), b"one, two")
        self.assertEqual(decompress(SNAPPY, xerial(*blocks, versions=struct.pack("<ii", 1, 1))), b"one, two")
        self.assertEqual(decompress(SNAPPY, xerial()), b"")

    def test_a_xerial_block_that_is_not_all_there_is_refused(self) -> None:
        """Its length or its end."""
        whole = xerial(compress(SNAPPY, b"one"), compress(SNAPPY, b"some records"))
        first = len(xerial(compress(SNAPPY, b"one")))
        for size in range(17, len(whole)):
            if size != first:
                self.assertRaises(ValueError, decompress, SNAPPY, whole[:size])
        self.assertRaises(ValueError, decompress, SNAPPY, patched_length(whole[:first], (1 << 32) - 1))

    def test_xerial_blocks_share_one_limit(self) -> None:
        """Each is within it, all together are not."""
        block = compress(SNAPPY, Random(1).randbytes(600))
        self.assertEqual(len(decompress(SNAPPY, xerial(block, block), 1200)), 1200)
        error = self.assertRaises(ValueError, decompress, SNAPPY, xerial(block, block), 1199)
        self.assertIn("limit of 1199", str(error))

    def test_a_zstd_frame_may_lie_about_its_size(self) -> None:
        """A terabyte declared, nothing there: refused without asking for the memory."""
        frame = b"\x28\xb5\x2f\xfd" + bytes((0b11100000,)) + (1 << 40).to_bytes(8, "little") + b"\1\0\0"
        self.assertRaises(ValueError, decompress, ZSTD, frame)


def patched_length(frame: bytes, length: int) -> bytes:
    """A xerial frame whose first block claims *length* bytes."""
    return frame[:16] + length.to_bytes(4, "big") + frame[20:]
