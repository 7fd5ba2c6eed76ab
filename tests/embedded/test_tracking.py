"""Files that end with the broker that opened them: the contract of all files, and what is more."""

import os

from twisted.trial.unittest import SynchronousTestCase

from flux.embedded.tracking import Opened, TrackedDirectory


class Tracking(SynchronousTestCase):
    def setUp(self) -> None:
        self.opened = Opened(syncs=True)
        self.addCleanup(self.opened.close)
        self.directory = TrackedDirectory(self.mktemp(), self.opened)
        self.directory.make()

    def test_who_is_open_is_known(self) -> None:
        """Created, opened, locked, in a child too; until it is closed."""
        created = self.directory.create("a")
        child = self.directory.child("below")
        child.make()
        child.create("b").close()
        opened, unlock = child.open("b"), self.directory.lock("lock")
        self.assertEqual(len(self.opened), 3)
        created.close()
        self.assertEqual(len(self.opened), 2)
        unlock()
        self.assertEqual(list(self.opened), [opened])

    def test_all_can_be_closed(self) -> None:
        """Then they are, and what was locked can be locked anew."""
        file = self.directory.create("a")
        self.directory.lock("lock")
        self.opened.close()
        self.assertRaises(OSError, file.append, b"x")
        self.directory.lock("lock")()
        self.assertEqual(len(self.opened), 0)

    def test_it_is_the_real_disk(self) -> None:
        """What is written is there."""
        file = self.directory.create("a")
        file.append(b"one", b"two")
        file.datasync()
        self.directory.sync()
        with open(os.path.join(self.directory.path, "a"), "rb") as same:
            self.assertEqual(same.read(), b"onetwo")

    def test_without_syncs_nothing_is_asked_of_the_medium(self) -> None:
        """Not even whether there is one: a directory that is gone cannot be synced."""
        lazy = TrackedDirectory(self.directory.path, Opened(syncs=False)).child("gone")
        lazy.sync()
        self.assertIsNone(TrackedDirectory(self.directory.path, Opened(syncs=False)).create("a").descriptor)
        self.assertRaises(FileNotFoundError, self.directory.child("gone").sync)
