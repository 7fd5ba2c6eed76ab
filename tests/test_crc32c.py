"""The checksum, with the extension and without."""

import importlib.util
import sys
from random import Random
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from flux import crc32c as module
from flux.crc32c import crc32c, slow_crc32c

RFC_3720 = [
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
    (b"123456789", 0xE3069283),
    (b"", 0),
]


class Crc32cTests(SynchronousTestCase):
    """Two implementations of one function."""

    def test_both_know_the_vectors_of_the_rfc(self) -> None:
        """RFC 3720, B.4, and the check value everybody quotes."""
        for data, expected in RFC_3720:
            for checksum in (crc32c, slow_crc32c):
                with self.subTest(data=data, checksum=checksum):
                    self.assertEqual(checksum(data), expected)
                    self.assertEqual(checksum(memoryview(data)), expected)

    def test_both_agree_and_go_on_from_what_came_before(self) -> None:
        """In one piece or in two, cut anywhere."""
        data = Random(1).randbytes(300)
        whole = slow_crc32c(data)
        self.assertEqual(crc32c(data), whole)
        for cut in (0, 1, 40, 299, 300):
            for checksum in (crc32c, slow_crc32c):
                self.assertEqual(checksum(data[cut:], checksum(data[:cut])), whole)

    def test_without_the_extension_the_slow_one_serves(self) -> None:
        """On a platform the extension is not built for, the logs are the same."""
        present = sys.modules["fastcrc.crc32"]
        self.addCleanup(sys.modules.__setitem__, "fastcrc.crc32", present)
        cast("dict[str, object]", sys.modules)["fastcrc.crc32"] = None  # importing it now raises ImportError
        spec = importlib.util.spec_from_file_location("crc32c_alone", module.__file__)
        assert spec is not None and spec.loader is not None
        alone = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(alone)
        self.assertIs(alone.crc32c, alone.slow_crc32c)
        self.assertEqual(alone.crc32c(b"123456789"), 0xE3069283)
