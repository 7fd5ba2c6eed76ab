"""Small files replaced whole: old or new at any instant, never a mix, never nothing."""

import errno
import json
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.memory import MemoryDisk
from flux.errors import StorageError
from flux.storage.checkpoint import Checkpoint, parse, read_file, render, replace_file, write_unsynced
from flux.testing import QueuedThread, Stopped, run_now

NAME = "small.json"


class Replacing(SynchronousTestCase):
    def test_a_power_cut_at_any_call_leaves_old_or_new(self) -> None:
        """With and without a predecessor kept; after the call has returned, only new."""
        for keep in (False, True):
            for seed in range(30):
                for call in range(1, 20):
                    disk = MemoryDisk(Random(seed))
                    replace_file(disk.root, NAME, b"old", keep=keep)
                    disk.cut_at(disk.calls + call)
                    try:
                        replace_file(disk.root, NAME, b"new", keep=keep)
                    except Stopped:
                        disk.restart()
                        found = read_file(disk.root, NAME)
                        if found is None and keep:
                            found = read_file(disk.root, NAME + ".prev")
                        self.assertIn(found, (b"old", b"new"), (keep, seed, call))
                    else:
                        disk.cut()
                        self.assertEqual(read_file(disk.root, NAME), b"new")
                        break
                else:
                    self.fail("a replacement has fewer calls")

    def test_a_failing_call_leaves_old_or_new(self) -> None:
        """And what was left over is no obstacle to the next."""
        for error in (errno.EIO, errno.ENOSPC):
            for call in range(1, 7):
                disk = MemoryDisk(Random(call))
                replace_file(disk.root, NAME, b"old", keep=True)
                disk.fail(error, nth=call)
                self.assertRaises(OSError, replace_file, disk.root, NAME, b"new", keep=True)
                disk.kill()
                self.assertIn(read_file(disk.root, NAME) or read_file(disk.root, NAME + ".prev"), (b"old", b"new"))
                replace_file(disk.root, NAME, b"newer", keep=True)
                disk.cut()
                self.assertEqual(read_file(disk.root, NAME), b"newer")

    def test_a_full_disk_keeps_no_rubbish(self) -> None:
        """The temporary file goes again."""
        disk = MemoryDisk(Random(1))
        disk.fail(errno.ENOSPC, "append")
        self.assertRaises(OSError, replace_file, disk.root, NAME, b"new")
        self.assertEqual(disk.root.list(), [])

    def test_the_one_before_is_kept(self) -> None:
        """One, not all."""
        disk = MemoryDisk(Random(1))
        for content in (b"1", b"2", b"3"):
            replace_file(disk.root, NAME, content, keep=True)
        self.assertEqual((read_file(disk.root, NAME), read_file(disk.root, NAME + ".prev")), (b"3", b"2"))
        self.assertEqual(len(disk.root.list()), 2)

    def test_unsynced_is_for_a_killed_process(self) -> None:
        """A kill at any call leaves old or new; nothing is synced."""
        for call in range(1, 4):
            disk = MemoryDisk(Random(call))
            write_unsynced(disk.root, NAME, b"old")
            disk.kill_at(disk.calls + call)
            try:
                write_unsynced(disk.root, NAME, b"new")
            except Stopped:
                disk.restart()
            self.assertIn(read_file(disk.root, NAME), (b"old", b"new"))
            write_unsynced(disk.root, NAME, b"newer")
            self.assertEqual(read_file(disk.root, NAME), b"newer")
            self.assertNotIn("sync", {one.kind for one in disk.log})
            self.assertNotIn("datasync", {one.kind for one in disk.log})


class Content(SynchronousTestCase):
    def test_it_is_json_that_anybody_can_read(self) -> None:
        """And it carries what is needed to know that it is whole."""
        data = render({"a": {"b": [1, None, "ü"]}}, 7)
        self.assertEqual(json.loads(data)["data"], {"a": {"b": [1, None, "ü"]}})
        self.assertEqual(parse(data), ({"a": {"b": [1, None, "ü"]}}, 7))

    def test_damage_is_found(self) -> None:
        """Every flipped bit is refused, or changes nothing."""
        whole = render({"orders-0": 12345, "x": {}}, 3)
        for position in range(len(whole)):
            for bit in range(8):
                damaged = bytearray(whole)
                damaged[position] ^= 1 << bit
                try:
                    data, _ = parse(bytes(damaged))
                except ValueError:
                    continue
                self.assertEqual(data, {"orders-0": 12345, "x": {}}, position)

    def test_what_is_no_checkpoint_is_refused(self) -> None:
        """Whatever it is; another format by name."""
        for bad in (b"", b"{}", b"[]", b"null", b"[" * 10_000, b"\xff\xfe", b'{"data": 1}', render({})[:-4]):
            self.assertRaises(ValueError, parse, bad)
        error = self.assertRaises(ValueError, parse, render({}).replace(b'"format": 1', b'"format": 2'))
        self.assertIn("format 2", str(error))


class Saving(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = MemoryDisk(Random(1))
        self.thread = QueuedThread()
        self.checkpoint = Checkpoint(self.disk.root, NAME, self.thread)

    def loaded(self) -> object:
        return Checkpoint(self.disk.root, NAME, run_now).load()

    def test_a_save_is_durable_when_it_fires(self) -> None:
        """Not before."""
        saved = self.checkpoint.save({"n": 1})
        self.assertNoResult(saved)
        self.assertEqual(self.loaded(), {})
        self.thread.perform_all()
        self.successResultOf(saved)
        self.disk.cut()
        self.assertEqual(self.loaded(), {"n": 1})

    def test_saves_under_way_are_written_together(self) -> None:
        """The first, then the newest of all that came meanwhile; each is told when a content not older than its own is durable."""
        saves = [self.checkpoint.save({"n": number}) for number in range(5)]
        self.thread.perform()
        self.successResultOf(saves[0])
        for save in saves[1:]:
            self.assertNoResult(save)
        self.thread.perform_all()
        for save in saves[1:]:
            self.successResultOf(save)
        self.assertEqual(self.loaded(), {"n": 4})
        writes = [call for call in self.disk.log if call.kind == "append"]
        self.assertEqual(len(writes), 2)

    def test_a_failed_save_is_told_to_those_it_was_for(self) -> None:
        """And to nobody after them."""
        self.disk.fail(errno.ENOSPC, "append")
        failed, good = self.checkpoint.save({"n": 1}), self.checkpoint.save({"n": 2})
        self.thread.perform_all()
        self.failureResultOf(failed, OSError)
        self.successResultOf(good)
        self.assertEqual(self.loaded(), {"n": 2})

    def test_a_damaged_one_yields_to_its_predecessor(self) -> None:
        """Both damaged is an error that names them; none is empty."""
        self.assertEqual(self.loaded(), {})
        self.checkpoint.save_now({"n": 1})
        self.checkpoint.save_now({"n": 2})
        self.disk.flip_byte(NAME, 60)
        self.assertEqual(self.loaded(), {"n": 1})
        self.disk.flip_byte(NAME + ".prev", 60)
        error = self.assertRaises(StorageError, self.loaded)
        self.assertIn(NAME, str(error))
        self.disk.lose(NAME)
        self.assertRaises(StorageError, self.loaded)
        self.disk.lose(NAME + ".prev")
        self.assertEqual(self.loaded(), {})

    def test_a_list_is_no_dictionary(self) -> None:
        """However whole the file is."""
        replace_file(self.disk.root, NAME, render([1, 2, 3]))
        self.assertRaises(StorageError, self.loaded)
