"""A running broker's logs are looked at twice; and whatever is wrong, an answer has an end."""

import shutil
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from flux.batch import encode
from flux.cli.offline.place import place_of
from flux.cli.offline.verdict import document, summary
from flux.cli.offline.verifying import Verified, verify
from flux.disk.files import FilesDirectory
from flux.storage.epoch_file import write_epochs
from flux.storage.epochs import EpochCache
from flux.storage.findings import Kind
from flux.storage.segment import file_name


def batch(offset: int) -> bytes:
    encoded = encode([b"k"], [b"value"], 0)
    return encoded.prefix(offset, 0) + encoded.body


class VerifyingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.data = Path(self.mktemp())
        self.log = self.data / "orders-0"
        self.log.mkdir(parents=True)
        (self.data / "meta.properties").write_text("version=1\nbroker.id=0\n")
        (self.log / file_name(0)).write_bytes(b"".join(map(batch, range(4))))
        write_epochs(FilesDirectory(str(self.log)), EpochCache([(0, 0)]))

    def verified(self, meanwhile: Callable[[], object] = lambda: None, *, live: bool = True) -> Verified:
        """While a broker holds the lock, which does *meanwhile* when the first batch is read."""
        if live:
            self.addCleanup(FilesDirectory(str(self.data)).lock("lock"))
        to_do = [meanwhile]

        def advance(_size: int) -> None:
            if to_do:
                to_do.pop()()

        return verify(place_of(str(self.data)), advance, look_into_records=True)

    def damage(self) -> None:
        path = self.log / file_name(0)
        content = bytearray(path.read_bytes())
        content[len(batch(0)) + 65] ^= 0xFF
        path.write_bytes(content)

    def mend(self) -> None:
        (self.log / file_name(0)).write_bytes(b"".join(map(batch, range(4))))

    def test_damage_is_told_while_the_broker_runs(self) -> None:
        """It is there at the second look."""
        self.damage()
        found = self.verified()
        self.assertEqual(
            [(each.kind, each.log, each.offsets) for each in found.findings], [(Kind.BATCH, "orders-0", "1")]
        )
        self.assertEqual((found.damage, found.was_live, found.is_live), (1, True, True))

    def test_what_is_gone_at_the_second_look_is_not_told(self) -> None:
        """The broker did something in between."""
        self.damage()
        self.assertEqual(self.verified(self.mend).findings, [])

    def test_a_stopped_broker_is_looked_at_once(self) -> None:
        """Nobody can have mended it."""
        self.damage()
        self.assertEqual(self.verified(self.mend, live=False).damage, 1)

    def test_a_topic_that_is_deleted_meanwhile_is_not_missed(self) -> None:
        """Neither in the findings nor among the logs."""
        self.damage()
        found = self.verified(lambda: shutil.rmtree(self.log))
        self.assertEqual((found.findings, found.logs), ([], []))

    def test_a_broker_that_starts_meanwhile_is_noticed(self) -> None:
        """Afterwards."""
        found = self.verified(lambda: self.addCleanup(FilesDirectory(str(self.data)).lock("lock")), live=False)
        self.assertEqual((found.was_live, found.is_live), (False, True))

    def test_not_every_finding_is_kept(self) -> None:
        """But all are counted, and the answer says how many it leaves out."""
        damaged = (batch(2 * number)[:-3] + b"???" + batch(2 * number + 1) for number in range(5))
        (self.log / file_name(0)).write_bytes(b"".join(damaged))
        found = verify(place_of(str(self.data)), lambda _: None, look_into_records=False, most_kept=3)
        self.assertEqual((len(found.findings), found.damage), (3, 5))
        self.assertEqual(document("data", found)["not_shown"], 2)
        self.assertTrue(summary(found).endswith(": 5 findings of damage, 2 of them not shown."), summary(found))
