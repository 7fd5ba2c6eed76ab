"""What a power cut leaves: each promise of the model, over many seeds, neither more nor less."""

import errno
from collections.abc import Callable
from itertools import product
from random import Random
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.interfaces import IFile
from tests.disk.contract import content, names, put

T = TypeVar("T")

SEEDS = 300


def durable(disk: MemoryDisk, name: str, data: bytes) -> IFile:
    """A file that will survive, open."""
    file = put(disk.root, name, data)
    file.datasync()
    disk.root.sync()
    return file


def after_cuts(scene: Callable[[MemoryDisk], object], look: Callable[[MemoryDisk], T]) -> set[T]:
    """Everything *look* sees after *scene* and a cut, over many seeds."""
    seen = set()
    for seed in range(SEEDS):
        disk = MemoryDisk(Random(seed))
        scene(disk)
        disk.cut()
        found = look(disk)
        disk.cut()
        assert look(disk) == found, "what survived one cut is durable, and must survive the next"
        seen.add(found)
    return seen


def file_content(disk: MemoryDisk) -> bytes:
    return content(disk.root, "file")


def listing(disk: MemoryDisk) -> tuple[str, ...]:
    return tuple(names(disk.root))


class BytesOfAFile(SynchronousTestCase):
    """Appends, truncations and allocations of one durable name."""

    def test_synced_bytes_survive(self) -> None:
        """Whatever came before a datasync is there after every cut."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"abc")
            file.append(b"def")
            file.append(b"g")
            file.truncate(5)
            file.append(b"h")
            file.datasync()

        self.assertEqual(after_cuts(scene, file_content), {b"abcdeh"})

    def test_drop_cache_syncs_too(self) -> None:
        """It forgets only what the medium has."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"abc")
            file.append(b"def")
            file.drop_cache()

        self.assertEqual(after_cuts(scene, file_content), {b"abcdef"})

    def test_unsynced_bytes_survive_as_any_prefix_or_with_zeros_in_their_place(self) -> None:
        """Every prefix happens, bare or filled with zeros up to the written length; nothing else does."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"abc")
            file.append(b"de")
            file.append(b"f")

        prefixes = {b"abc", b"abcd", b"abcde", b"abcdef"}
        self.assertEqual(after_cuts(scene, file_content), prefixes | {prefix.ljust(6, b"\0") for prefix in prefixes})

    def test_an_unsynced_truncation_survives_or_not(self) -> None:
        """The old bytes may come back."""
        seen = after_cuts(lambda disk: durable(disk, "file", b"abcdef").truncate(2), file_content)
        self.assertEqual(seen, {b"abcdef", b"ab"})

    def test_what_follows_a_lost_truncation_lies_over_the_old_bytes(self) -> None:
        """Truncated, appended, cut before a sync: old and new may be mixed."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"abcdef")
            file.truncate(2)
            file.append(b"XY")

        lost, kept = {b"abcdef", b"abXdef", b"abXYef"}, {b"ab", b"abX", b"abXY"}
        self.assertEqual(after_cuts(scene, file_content), lost | kept | {b"ab\0\0", b"abX\0"})

    def test_a_synced_truncation_survives(self) -> None:
        """After the datasync the old bytes are gone for good."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"abcdef")
            file.truncate(2)
            file.datasync()

        self.assertEqual(after_cuts(scene, file_content), {b"ab"})

    def test_an_unsynced_allocation_survives_or_not(self) -> None:
        """Its zeros are unsynced bytes like others."""
        seen = after_cuts(lambda disk: durable(disk, "file", b"a").allocate(3), file_content)
        self.assertEqual(seen, {b"a", b"a\0", b"a\0\0"})

    @settings(max_examples=200, deadline=None, database=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("append"), st.binary(min_size=1, max_size=5)),
                st.tuples(st.just("truncate"), st.integers(0, 20)),
                st.tuples(st.just("datasync"), st.none()),
                st.tuples(st.just("cut"), st.none()),
            ),
            max_size=25,
        ),
        st.integers(0, 1 << 20),
    )
    def test_nothing_synced_is_ever_lost(self, steps: list[tuple[str, bytes | int | None]], seed: int) -> None:
        """However appends, truncations, syncs and cuts follow each other, what was synced and not truncated since is there."""
        disk = MemoryDisk(Random(seed))
        file = durable(disk, "file", b"")
        synced = now = b""
        for kind, argument in steps:
            if kind == "append":
                assert isinstance(argument, bytes)
                file.append(argument)
                now += argument
            elif kind == "truncate":
                assert isinstance(argument, int)
                now = now[:argument]
                file.truncate(len(now))
                synced = synced[:argument]  # unsynced, a truncation promises neither the one nor the other
            elif kind == "datasync":
                file.datasync()
                synced = now
            else:
                disk.cut()
                file = disk.root.open("file")
                synced = now = file.read_at(0, file.size)
            self.assertEqual(file.read_at(0, 999), now)
        disk.cut()
        self.assertTrue(file_content(disk).startswith(synced), (file_content(disk), synced))


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


class AfterAFailedDatasync(SynchronousTestCase):
    """A durable ``abc``, then ``def`` whose datasync failed."""

    def failed(self, disk: MemoryDisk, kind: str = "datasync") -> IFile:
        file = durable(disk, "file", b"abc")
        file.append(b"def")
        disk.fail(errno.EIO, kind)
        self.assertEqual(self.assertRaises(OSError, getattr(file, kind)).errno, errno.EIO)
        return file

    def test_the_bytes_stay_readable_and_syncs_succeed(self) -> None:
        """Through the same handle, and through a new one after a kill."""
        disk = MemoryDisk(Random(0))
        file = self.failed(disk)
        file.datasync()
        self.assertEqual(file.read_at(0, 9), b"abcdef")
        disk.kill()
        again = disk.root.open("file")
        again.datasync()
        self.assertEqual(again.read_at(0, 9), b"abcdef")

    def test_dropping_the_cache_shows_that_they_are_not_there(self) -> None:
        """The size stays, the bytes read as zeros."""
        for retried in (False, True):
            disk = MemoryDisk(Random(0))
            file = self.failed(disk)
            if retried:
                file.datasync()
            file.drop_cache()
            self.assertEqual((file.read_at(0, 9), file.size), (b"abc\0\0\0", 6))

    def test_they_never_survive_a_cut(self) -> None:
        """Not even after syncs that succeeded; zeros may be in their place."""
        for kind in ("datasync", "drop_cache"):
            for later in ("nothing", "datasync", "drop_cache"):

                def scene(disk: MemoryDisk, kind: str = kind, later: str = later) -> None:
                    file = self.failed(disk, kind)
                    if later != "nothing":
                        getattr(file, later)()

                self.assertEqual(after_cuts(scene, file_content), {b"abc", b"abc\0\0\0"}, (kind, later))

    def test_what_is_appended_later_is_written(self) -> None:
        """A hole of zeros is left before it."""

        def scene(disk: MemoryDisk) -> None:
            file = self.failed(disk)
            file.append(b"ghi")
            file.datasync()

        self.assertEqual(after_cuts(scene, file_content), {b"abc\0\0\0ghi"})

    def test_a_truncation_is_no_data(self) -> None:
        """It stays to be synced, and the next sync that succeeds makes it durable."""

        def failing(disk: MemoryDisk) -> IFile:
            file = durable(disk, "file", b"abc")
            file.truncate(1)
            disk.fail(errno.EIO, "datasync")
            self.assertRaises(OSError, file.datasync)
            return file

        self.assertEqual(after_cuts(failing, file_content), {b"abc", b"a"})
        self.assertEqual(after_cuts(lambda disk: failing(disk).datasync(), file_content), {b"a"})

    def test_other_files_are_not_concerned(self) -> None:
        """Their bytes are synced as ever."""

        def scene(disk: MemoryDisk) -> None:
            self.failed(disk)
            durable(disk, "other", b"xyz")

        self.assertEqual(after_cuts(scene, lambda disk: content(disk.root, "other")), {b"xyz"})


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
