"""What a power cut leaves of a directory: each promise of the model, over many seeds, neither more nor less."""

import errno
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from tests.disk.contract import content, names, put
from tests.disk.cuts import after_cuts, durable, file_content, listing


class NamesInADirectory(SynchronousTestCase):
    """Creating, renaming, removing, with and without a sync of the directory."""

    def test_synced_names_survive(self) -> None:
        """Each kind of change is there after every cut."""

        def scene(disk: MemoryDisk) -> None:
            for name in "abc":
                durable(disk, name, b"")
            disk.root.rename("a", "b")
            disk.root.remove("c")
            disk.root.child("topic").make()
            disk.root.sync()

        self.assertEqual(after_cuts(scene, listing), {("b", "topic")})

    def test_each_unsynced_change_survives_or_not(self) -> None:
        """Changes of different names are independent: all sixteen outcomes happen."""

        def scene(disk: MemoryDisk) -> None:
            durable(disk, "removed", b"")
            durable(disk, "renamed", b"")
            disk.root.create("created")
            disk.root.child("made").make()
            disk.root.remove("removed")
            disk.root.rename("renamed", "to")

        outcomes = product([(), ("created",)], [(), ("made",)], [(), ("removed",)], [("renamed",), ("to",)])
        self.assertEqual(after_cuts(scene, listing), {tuple(sorted(sum(each, ()))) for each in outcomes})

    def test_a_directory_removed_unsynced_comes_back_or_not(self) -> None:
        """As a file does."""

        def scene(disk: MemoryDisk) -> None:
            disk.root.child("topic").make()
            disk.root.sync()
            disk.root.remove_directory("topic")

        self.assertEqual(after_cuts(scene, listing), {(), ("topic",)})

    def test_a_renaming_shows_the_old_or_the_new_never_both_never_neither(self) -> None:
        """What has the name is one of the two contents; the other name is there only if the renaming was lost."""

        def scene(disk: MemoryDisk) -> None:
            durable(disk, "file", b"old")
            durable(disk, "new", b"new")
            disk.root.rename("new", "file")

        seen = after_cuts(scene, lambda disk: (listing(disk), file_content(disk)))
        self.assertEqual(seen, {(("file", "new"), b"old"), (("file",), b"new")})

    def test_changes_of_one_name_are_ordered(self) -> None:
        """Of three replacements any number may be lost, but only the last ones."""

        def scene(disk: MemoryDisk) -> None:
            durable(disk, "file", b"0")
            for version in (b"1", b"2", b"3"):
                put(disk.root, "temporary", version).datasync()
                disk.root.rename("temporary", "file")

        allowed = {(b"0", ()), (b"0", (b"1",)), (b"1", ()), (b"1", (b"2",)), (b"2", ()), (b"2", (b"3",)), (b"3", ())}
        seen = after_cuts(
            scene,
            lambda disk: (file_content(disk), tuple(content(disk.root, n) for n in names(disk.root) if n != "file")),
        )
        self.assertEqual(seen, allowed)

    @settings(max_examples=200, deadline=None, database=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.sampled_from(["create", "remove"]), st.sampled_from("ab")),
                st.tuples(st.just("rename"), st.sampled_from(["ab", "ba", "ac", "cb"])),
            ),
            max_size=7,
        ),
        st.integers(0, 1 << 20),
    )
    def test_what_survives_is_the_replay_of_some_changes_in_order(
        self, steps: list[tuple[str, str]], seed: int
    ) -> None:
        """The names after a cut are those of a subset of the changes, none of which follows a lost one on its own name."""
        disk = MemoryDisk(Random(seed))
        changes: list[dict[str, bytes | None]] = []
        now: dict[str, bytes | None] = {}
        for number, (kind, name) in enumerate(steps):
            present = [each for each, held in now.items() if held is not None]
            if kind == "create" and name not in present:
                put(disk.root, name, b"%d" % number).datasync()
                changes.append({name: b"%d" % number})
            elif kind == "remove" and name in present:
                disk.root.remove(name)
                changes.append({name: None})
            elif kind == "rename" and name[0] in present:
                disk.root.rename(name[0], name[1])
                changes.append({name[0]: None, name[1]: now[name[0]]})
            else:
                continue
            now.update(changes[-1])
        disk.cut()
        seen = {name: content(disk.root, name) for name in names(disk.root)}
        self.assertIn(seen, list(_replays(changes)))

    def test_content_without_a_durable_name_is_gone(self) -> None:
        """A datasync of the file does not sync its name: the strict reading, which ext4 and XFS are kinder than."""
        seen = after_cuts(
            lambda disk: put(disk.root, "file", b"abc").datasync(),
            lambda disk: file_content(disk) if names(disk.root) else None,
        )
        self.assertEqual(seen, {None, b"abc"})

    def test_a_durable_name_promises_no_content(self) -> None:
        """A sync of the directory alone leaves an empty file, a part, zeros."""

        def scene(disk: MemoryDisk) -> None:
            put(disk.root, "file", b"ab")
            disk.root.sync()

        self.assertEqual(after_cuts(scene, file_content), {b"", b"a", b"ab", b"\0\0", b"a\0"})

    def test_a_directory_lost_takes_everything_with_it(self) -> None:
        """What was synced inside is not found where its directory is not."""

        def scene(disk: MemoryDisk) -> None:
            topic = disk.root.child("topic")
            topic.make()
            put(topic, "file", b"abc").datasync()
            topic.sync()

        seen = after_cuts(scene, lambda disk: (listing(disk), tuple(names(disk.root.child("topic")))))
        self.assertEqual(seen, {((), ()), (("topic",), ("file",))})

    def test_a_failed_sync_of_a_directory_leaves_its_changes_in_doubt(self) -> None:
        """They may survive or not, and a later sync that succeeds makes them durable."""

        def failing(disk: MemoryDisk) -> None:
            disk.root.create("file")
            disk.fail(errno.EIO, "sync")
            self.assertRaises(OSError, disk.root.sync)

        def retried(disk: MemoryDisk) -> None:
            failing(disk)
            disk.root.sync()

        self.assertEqual(after_cuts(failing, listing), {(), ("file",)})
        self.assertEqual(after_cuts(retried, listing), {("file",)})


def _replays(changes: list[dict[str, bytes | None]]) -> list[dict[str, bytes]]:
    """The names after each allowed subset of *changes*."""
    found = []
    for kept in product([False, True], repeat=len(changes)):
        lost: set[str] = set()
        state: dict[str, bytes | None] = {}
        for keep, change in zip(kept, changes, strict=True):
            if not keep:
                lost.update(change)
            elif lost.isdisjoint(change):
                state.update(change)
            else:
                break
        else:
            found.append({name: held for name, held in state.items() if held is not None})
    return found
