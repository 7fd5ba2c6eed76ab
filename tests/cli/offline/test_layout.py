"""A dump as text: whatever bytes a record holds, one line is one line, and JSON loses nothing."""

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode, read_header
from flux.cli.offline.dumping import Bad, Batch, Where
from flux.cli.offline.layout import lines
from flux.cli.shell.printing import Form
from flux.model import Header, Record
from flux.storage.recovery import Sound

MS = 1_700_000_000_000


def batch(*records: Record, log: str = "orders-0", attributes: int = 0, producer_id: int = -1) -> Batch:
    encoded = encode([b"k"], [b"v"], MS)
    header = read_header(encoded.prefix(7, 3) + encoded.body)._replace(attributes=attributes, producer_id=producer_id)
    return Batch(Where(log, "7.log"), Sound(100, header), list(records))


class LayoutTests(SynchronousTestCase):
    def shown(self, found: Batch | Bad, form: Form) -> list[str]:
        """Without the batch's own line."""
        return list(lines(found, form, batches=False))

    def test_any_bytes_are_one_line(self) -> None:
        """Nothing in a record ends its line or its column, or is obeyed by a terminal."""
        evil = b"\x1b[31m\ttab\nline\xff"
        record = Record(7, MS, evil, evil, (Header("h\udcff\n", evil),))
        for form in (Form.TABLE, Form.PLAIN):
            (line,) = self.shown(batch(record), form)
            self.assertTrue(line.replace("\t", "").isprintable(), line)
        (line,) = self.shown(batch(record), Form.PLAIN)
        self.assertEqual(len(line.split("\t")), 8)

    def test_json_loses_nothing(self) -> None:
        """What is not UTF-8 is base64 under a name that says so; null is null, and empty is empty."""
        (line,) = self.shown(batch(Record(7, MS, b"\xff\x00", None)), Form.JSON)
        item = json.loads(line)
        self.assertEqual((base64.b64decode(item["key_base64"]), item["value"]), (b"\xff\x00", None))
        self.assertEqual({"key", "value_base64"} & set(item), set())
        (line,) = self.shown(batch(Record(7, MS, b"", "ä\n".encode())), Form.JSON)
        self.assertEqual([json.loads(line)[name] for name in ("key", "value")], ["", "ä\n"])

    def test_a_batch_says_what_it_is(self) -> None:
        """Its place, what it takes, how it is packed and by whom."""
        size = encode([b"k"], [b"v"], MS).size
        plain, strange = batch(), batch(attributes=0x20 | 4, producer_id=9)
        self.assertEqual(
            list(lines(plain, Form.TABLE, batches=True)),
            [f"batch orders-0/7.log at byte 100, {size} bytes, offset 7, 1 record, epoch 3, 2023-11-14T22:13:20.000Z"],
        )
        self.assertTrue(next(lines(strange, Form.TABLE, batches=True)).endswith(", zstd, producer 9, control"))
        row = next(lines(strange, Form.PLAIN, batches=True)).split("\t")
        self.assertEqual(
            row, ["batch", "orders-0", "7.log", "100", str(size), "7", "8", "1", "3", str(MS), "zstd", "9", "yes"]
        )

    def test_damage_is_shown_in_every_form(self) -> None:
        """With its place and its reason."""
        bad = Bad(Where("orders-0", "7.log"), 100, 20, 7, "it is")
        self.assertEqual(
            self.shown(bad, Form.TABLE), ["damage in orders-0/7.log at byte 100, 20 bytes, offset 7: it is"]
        )
        self.assertEqual(self.shown(bad, Form.PLAIN), ["damage\torders-0\t7.log\t100\t20\t7\tit is"])
        self.assertEqual(json.loads(self.shown(bad, Form.JSON)[0])["type"], "damage")

    def test_what_does_not_belong_into_the_group_log_is_shown_all_the_same(self) -> None:
        """With what is wrong with it."""
        found = batch(Record(7, MS, b"k", b"v"), log="__consumer_offsets-0")
        self.assertIn("holds no group record", self.shown(found, Form.TABLE)[0])
        item = json.loads(self.shown(found, Form.JSON)[0])
        self.assertEqual((item["key"], item["value"]), ("k", "v"))
        self.assertIn("holds no group record", item["problem"])
