"""Where the image is kept."""

import errno
from dataclasses import replace
from random import Random

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from flux.cluster.image import Image
from flux.cluster.store import FileMetadataStore
from flux.errors import DiskFull, StaleVersion, StorageError
from flux.interfaces import IMetadataStore
from flux.storage.checkpoint import Checkpoint
from flux.testing import MemoryDisk, QueuedThread, run_now
from tests.cluster.images import brokers, with_topic


class StoreTests(SynchronousTestCase):
    """Compare and set, on a file."""

    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0))
        self.thread = QueuedThread()
        self.store = FileMetadataStore(Checkpoint(self.disk.root, "metadata.json", self.thread))

    def reload(self) -> Image:
        """What a new process finds after a power cut."""
        self.disk.cut()
        return FileMetadataStore(Checkpoint(self.disk.root, "metadata.json", run_now)).load()

    def test_the_interface_is_kept(self) -> None:
        """A store is what the controller is promised."""
        verifyObject(IMetadataStore, self.store)

    def test_at_first_there_is_nothing(self) -> None:
        """The empty image, of version 0."""
        self.assertEqual(self.store.load(), Image())

    def test_what_is_committed_survives_a_power_cut(self) -> None:
        """Not before the commit has fired."""
        image = with_topic(brokers(0))
        committed = self.store.commit(image, 0)
        self.assertNoResult(committed)
        self.thread.perform_all()
        self.assertEqual(self.successResultOf(committed), image)
        self.assertEqual(self.reload(), image)

    def test_committing_now_is_the_same_at_once(self) -> None:
        """For the start, when nobody else waits."""
        image = self.store.commit_now(brokers(0), 0)
        self.assertEqual(self.reload(), image)

    def test_the_slower_of_two_is_refused(self) -> None:
        """Both were computed on the same version; the second has to look again."""
        self.store.commit_now(brokers(0), 0)
        after = replace(brokers(0, 1), index=2)
        for expected, index in ((0, 2), (2, 3), (1, 1)):
            self.failureResultOf(self.store.commit(replace(after, index=index), expected), StaleVersion)
        self.assertRaises(StaleVersion, self.store.commit_now, after, 0)
        first = self.store.commit(after, 1)
        self.failureResultOf(self.store.commit(replace(after, index=3), 1), StaleVersion)
        self.thread.perform_all()
        self.successResultOf(first)

    def test_a_disk_that_refuses_leaves_the_old_version(self) -> None:
        """Full or broken: the commit fails by name, and the next one may succeed."""
        self.store.commit_now(brokers(0), 0)
        after = replace(brokers(0, 1), index=2)
        for error, kind in ((errno.ENOSPC, DiskFull), (errno.EIO, StorageError)):
            self.disk.fail(error, "append")
            committed = self.store.commit(after, 1)
            self.thread.perform_all()
            self.failureResultOf(committed, kind)
            self.disk.fail(error, "append")
            self.assertRaises(kind, self.store.commit_now, after, 1)
        self.assertEqual(self.store.commit_now(after, 1), after)

    def test_a_disk_that_goes_on_refusing_is_reported_once(self) -> None:
        """With the path, which whoever asked is not told; and again when it refuses after it went well."""
        with capturedLogs() as events:
            for index in (1, 2):
                self.disk.fail(errno.EIO, "create", times=3)
                for _ in range(3):
                    refusal = self.assertRaises(
                        StorageError, self.store.commit_now, replace(brokers(0), index=index), index - 1
                    )
                    self.assertIn("not in force: [Errno 5] Input/output error", str(refusal))
                    self.assertNotIn("metadata.json", str(refusal))
                self.disk.heal()
                self.store.commit_now(replace(brokers(0), index=index), index - 1)
        lines = [str(formatEvent(event)) for event in events]
        self.assertEqual(["metadata.json" in line for line in lines], [True, True])

    def test_damage_stops_the_start(self) -> None:
        """Both copies damaged: it says so, rather than begin with nothing."""
        self.store.commit_now(brokers(0), 0)
        file = self.disk.root.open("metadata.json")
        file.truncate(file.size // 2)
        file.close()
        self.assertRaises(StorageError, self.store.load)
