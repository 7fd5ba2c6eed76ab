"""Calls that fail, and calls that are the last."""

import errno
from collections.abc import Callable
from functools import partial
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.faults import Call, PowerCut, ProcessKilled, Stopped
from flux.disk.memory import MemoryDisk
from tests.disk.contract import content, names, put

ERRORS = (errno.EIO, errno.ENOSPC)


class Calls(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(0))
        self.root = self.disk.root

    def test_every_call_is_counted_with_its_kind_and_path(self) -> None:
        """What touches the disk is in the log, in order; naming a child and closing touch nothing."""
        topic = self.root.child("topic")
        topic.make()
        file = topic.create("a")
        file.append(b"abc")
        file.read_at(0, 1)
        file.truncate(1)
        file.make_ready(5)
        file.trim()
        file.allocate(9)
        file.datasync()
        file.drop_cache()
        file.close()
        topic.rename("a", "b")
        topic.open("b").close()
        topic.sync()
        topic.list()
        topic.remove("b")
        topic.lock("lock")()
        self.root.free()
        kinds = ["append", "read_at", "truncate", "make_ready", "trim", "allocate", "datasync", "drop_cache"]
        expected = [Call("make", "/topic"), Call("create", "/topic/a"), *(Call(kind, "/topic/a") for kind in kinds)]
        expected += [
            Call("rename", "/topic/b"),
            Call("open", "/topic/b"),
            Call("sync", "/topic"),
            Call("list", "/topic"),
        ]
        expected += [Call("remove", "/topic/b"), Call("lock", "/topic/lock"), Call("free", "/")]
        self.assertEqual((self.disk.log, self.disk.calls), (expected, len(expected)))

    def test_the_nth_call_fails(self) -> None:
        """The calls before and after it do not; it has no effect, and the error names the path."""
        for error in ERRORS:
            disk = MemoryDisk(Random(0))
            disk.fail(error, nth=3)
            disk.root.create("a")
            disk.root.create("b")
            raised = self.assertRaises(OSError, disk.root.create, "c")
            disk.root.create("d")
            self.assertEqual((raised.errno, raised.filename, names(disk.root)), (error, "/c", ["a", "b", "d"]))

    def test_only_calls_of_a_kind_count(self) -> None:
        """The second datasync fails, whatever else is called meanwhile."""
        file = put(self.root, "file", b"abc")
        self.disk.fail(errno.EIO, "datasync", nth=2)
        file.datasync()
        file.append(b"def")
        self.assertEqual(self.assertRaises(OSError, file.datasync).errno, errno.EIO)
        file.datasync()

    def test_only_calls_about_some_paths_count(self) -> None:
        """One file fails, its neighbour does not; a renaming is about the new name."""
        put(self.root, "a.log")
        put(self.root, "a.index")
        self.disk.fail(errno.EIO, where=lambda path: path.endswith(".log"))
        self.disk.fail(errno.ENOSPC, "rename", where=lambda path: path == "/b.index")
        self.root.open("a.index").append(b"abc")
        self.assertEqual(self.assertRaises(OSError, self.root.open, "a.log").errno, errno.EIO)
        self.root.rename("a.log", "b.log")
        self.assertEqual(self.assertRaises(OSError, self.root.rename, "a.index", "b.index").errno, errno.ENOSPC)
        self.assertEqual(names(self.root), ["a.index", "b.log"])

    def test_several_calls_fail_in_a_row(self) -> None:
        """So many, or all until the disk is healed."""
        file = put(self.root, "file")
        self.disk.fail(errno.EIO, "append", times=2)
        for _ in range(2):
            self.assertRaises(OSError, file.append, b"x")
        file.append(b"y")
        self.disk.fail(errno.EIO, "append", times=None)
        for _ in range(5):
            self.assertRaises(OSError, file.append, b"x")
        self.disk.heal()
        file.append(b"z")
        self.assertEqual(content(self.root, "file"), b"yz")

    def test_plans_count_side_by_side(self) -> None:
        """A call that fails by one plan is counted by the others; the one made first names the error."""
        for nth, error in ((2, errno.EIO), (2, errno.ENOSPC), (3, errno.ENOSPC)):
            self.disk.fail(error, "create", nth=nth)
        self.root.create("a")
        raised = [self.assertRaises(OSError, self.root.create, "b").errno for _ in range(2)]
        self.root.create("b")
        self.assertEqual(raised, [errno.EIO, errno.ENOSPC])

    def test_every_kind_of_call_can_fail(self) -> None:
        """And none of them has happened then."""
        self.root.child("topic").make()
        file = put(self.root, "file", b"abc")
        uses: dict[str, Callable[[], object]] = {
            "make": self.root.child("new").make,
            "list": self.root.list,
            "open": lambda: self.root.open("file"),
            "create": lambda: self.root.create("new"),
            "rename": lambda: self.root.rename("file", "new"),
            "remove": lambda: self.root.remove("file"),
            "remove_directory": lambda: self.root.remove_directory("topic"),
            "sync": self.root.sync,
            "free": self.root.free,
            "lock": lambda: self.root.lock("new"),
            "append": lambda: file.append(b"def"),
            "read_at": lambda: file.read_at(0, 1),
            "allocate": lambda: file.allocate(9),
            "make_ready": lambda: file.make_ready(9),
            "truncate": lambda: file.truncate(0),
            "datasync": file.datasync,
            "drop_cache": file.drop_cache,
        }
        for kind, use in uses.items():
            self.disk.fail(errno.EIO, kind)
            self.assertEqual(self.assertRaises(OSError, use).errno, errno.EIO)
            self.assertEqual((names(self.root), file.size, content(self.root, "file")), (["file", "topic"], 3, b"abc"))
        file.make_ready(5)
        self.disk.fail(errno.EIO, "trim")
        self.assertEqual(self.assertRaises(OSError, file.trim).errno, errno.EIO)
        self.assertEqual((file.size, file.ready, content(self.root, "file")), (3, 5, b"abc\0\0"))

    def test_a_failing_append_has_written_a_part(self) -> None:
        """It is taken back, but a cut may keep the part: any part, over many seeds."""
        survived = set()
        for seed in range(200):
            disk = MemoryDisk(Random(seed))
            file = put(disk.root, "file", b"ab")
            file.datasync()
            disk.root.sync()
            disk.fail(errno.ENOSPC, "append")
            self.assertRaises(OSError, file.append, b"c", b"d")
            self.assertEqual((file.size, content(disk.root, "file")), (2, b"ab"))
            self.assertEqual(disk.log[3:5], [Call("sync", "/"), Call("append", "/file")])
            self.assertEqual(disk.log[5], Call("rollback", "/file"))
            disk.cut()
            survived.add(content(disk.root, "file"))
        self.assertEqual(survived, {b"ab", b"abc", b"abcd"})

    def test_a_write_that_cannot_be_taken_back_is_the_last(self) -> None:
        """When the rollback fails too the error is EIO, and the file refuses to be written again, as the real one does."""
        file = put(self.root, "file", b"abc")
        self.disk.fail(errno.ENOSPC, "append")
        self.disk.fail(errno.EIO, "rollback")
        self.assertEqual(self.assertRaises(OSError, file.append, b"def").errno, errno.EIO)
        self.assertEqual(file.size, 3)
        uses: list[Callable[[], object]] = [
            lambda: file.append(b"x"),
            lambda: file.truncate(0),
            lambda: file.allocate(9),
            lambda: file.make_ready(9),
            file.trim,
        ]
        for use in uses:
            self.assertEqual(self.assertRaises(OSError, use).errno, errno.EIO)
        again = self.root.open("file")
        again.append(b"x")


class LastCalls(SynchronousTestCase):
    """The power going, or the process being killed, at a chosen call."""

    def test_that_call_and_every_later_one_raise(self) -> None:
        """Until a restart; closing and letting go of a lock are not calls."""
        for plan, kind in ((MemoryDisk.cut_at, PowerCut), (MemoryDisk.kill_at, ProcessKilled)):
            disk = MemoryDisk(Random(0))
            let_go = disk.root.lock("lock")
            file = put(disk.root, "file")
            plan(disk, disk.calls + 2)
            file.append(b"abc")
            self.assertRaises(kind, file.append, b"def")
            for use in (partial(file.append, b"x"), file.datasync, disk.root.list, disk.root.sync):
                self.assertRaises(kind, use)
            let_go()
            file.close()
            self.assertEqual(disk.calls, 5)
            disk.restart()
            disk.root.list()

    def test_no_handler_of_errors_survives_it(self) -> None:
        """It is no Exception."""
        self.assertFalse(issubclass(Stopped, Exception))
        self.assertTrue(issubclass(PowerCut, Stopped) and issubclass(ProcessKilled, Stopped))

    def test_an_append_is_interrupted_anywhere(self) -> None:
        """A kill in the middle keeps any part of it, and exactly that."""
        survived = set()
        for seed in range(100):
            disk = MemoryDisk(Random(seed))
            file = put(disk.root, "file", b"ab")
            disk.kill_at(disk.calls + 1)
            self.assertRaises(ProcessKilled, file.append, b"c", b"d")
            disk.restart()
            survived.add(content(disk.root, "file"))
        self.assertEqual(survived, {b"ab", b"abc", b"abcd"})

    def test_another_call_happened_or_not(self) -> None:
        """A killed rename, or sync, may have taken effect; nobody was told."""
        renamed, synced = set(), set()
        for seed in range(60):
            disk = MemoryDisk(Random(seed))
            put(disk.root, "old")
            disk.kill_at(disk.calls + 1)
            self.assertRaises(ProcessKilled, disk.root.rename, "old", "new")
            disk.restart()
            renamed.add(tuple(names(disk.root)))
            disk.cut_at(disk.calls + 1)
            self.assertRaises(PowerCut, disk.root.sync)
            disk.restart()
            synced.add(tuple(names(disk.root)))
        self.assertEqual((renamed, synced), ({("old",), ("new",)}, {("old",), ("new",), ()}))

    def test_a_process_killed_in_a_rollback_leaves_the_part(self) -> None:
        """Between a short write and its cutting back lies a moment, and a test can reach it."""
        left = set()
        for seed in range(60):
            disk = MemoryDisk(Random(seed), capacity=4)
            file = put(disk.root, "file", b"ab")
            disk.kill_at(disk.calls + 2)
            self.assertRaises(ProcessKilled, file.append, b"cdef")
            disk.restart()
            left.add(content(disk.root, "file"))
        self.assertEqual(left, {b"ab", b"abcd"})

    def test_every_call_of_a_scene_can_be_the_last(self) -> None:
        """Run once to count, then cut at each: what was synced before is there, whichever call it was."""

        def scene(disk: MemoryDisk, synced: list[bytes]) -> None:
            file = disk.root.create("file")
            disk.root.sync()
            for part in (b"ab", b"cd", b"ef"):
                file.append(part)
                file.datasync()
                synced.append(part)

        whole = MemoryDisk(Random(0))
        scene(whole, [])
        self.assertEqual(whole.calls, 8)
        for call in range(1, whole.calls + 1):
            for seed in range(20):
                disk, synced = MemoryDisk(Random(seed)), list[bytes]()
                disk.cut_at(call)
                self.assertRaises(PowerCut, scene, disk, synced)
                self.assertEqual(disk.calls, call)
                disk.restart()
                if synced:
                    self.assertTrue(content(disk.root, "file").startswith(b"".join(synced)))

    def test_a_restart_without_a_stop_is_a_cut(self) -> None:
        """The plan was not reached: the power goes now, and the plan is forgotten."""
        left = set()
        for seed in range(40):
            disk = MemoryDisk(Random(seed))
            disk.kill_at(100)
            disk.root.create("file")
            disk.restart()
            left.add(tuple(names(disk.root)))
            for _ in range(120):
                disk.root.list()
        self.assertEqual(left, {(), ("file",)})

    def test_the_past_cannot_be_planned(self) -> None:
        """A call already made is a mistake of the test."""
        disk = MemoryDisk(Random(0))
        disk.root.list()
        for plan in (disk.cut_at, disk.kill_at):
            self.assertRaises(ValueError, plan, 1)
            self.assertRaises(ValueError, plan, 0)
