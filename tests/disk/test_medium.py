"""What a power cut leaves of a file: each promise of the model, over many seeds, neither more nor less."""

import errno
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.interfaces import IFile
from tests.disk.contract import content
from tests.disk.cuts import after_cuts, durable, file_content


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

    def test_what_is_written_over_old_bytes_may_survive_without_what_was_written_before_it(self) -> None:
        """By sectors, any of them; behind the old bytes only as a prefix."""

        def scene(disk: MemoryDisk) -> None:
            file = durable(disk, "file", b"a")
            file.make_ready(1024)
            file.datasync()
            file.append(b"b" * 600)
            file.append(b"c" * 600)

        def look(disk: MemoryDisk) -> tuple[bytes, bytes]:
            content = file_content(disk).ljust(1201, b"\0")
            return content[1:2], content[900:901]

        seen = after_cuts(scene, look)
        self.assertEqual(seen, {(b"\0", b"\0"), (b"b", b"\0"), (b"\0", b"c"), (b"b", b"c")})
        self.assertEqual(
            {len(content) for content in after_cuts(scene, file_content)} & set(range(1024)),
            set(),
            "no synced byte goes",
        )

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
