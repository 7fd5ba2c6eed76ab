"""What clients hear of a disk that refuses, through a whole broker."""

import errno
import re
from urllib.parse import unquote

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.commands.scene import Scene

REQUESTS = (
    b"1 CONSUME orders 2 0",
    b"2 PRODUCE orders user1:again",
    b"3 PRODUCE new user1:first",
    b"4 JOIN readers orders c1",
    b"5 ADMIN_CREATE_TOPIC other 1 1",
    b"6 ADMIN_ALTER_TOPIC orders retention.ms=1000",
    b"7 SET_PARTITION_ROLE replicated 0 follower",
    b"8 REPLICA_FETCH replicated 0 1 0",
    b"9 EXPLAIN_PARTITION orders 2",
    b"10 ADMIN_DESCRIBE_TOPIC other",
    b"11 OFFSET readers orders 0",
    b"12 ADMIN_DELETE_RECORDS orders 2 1",
    b"13 ADMIN_DELETE_TOPIC orders",
    b"14 ADMIN_CREATE_TOPIC orders 1 1",
)
# Calls that fail from then on; which paths they are about; and a request that hears of it, with what it is told.
FAILURES = (
    (errno.EIO, "append", "", 2, "orders-2: the disk failed ([Errno 5] Input/output error); "),
    (errno.EIO, "rollback", "", 2, "orders-2: the disk failed ([Errno 5] "),
    (errno.EIO, "datasync", "", 2, "orders-2: the disk failed ([Errno 5] Input/output error); "),
    (errno.ENOSPC, "append", "", 2, "orders-2: the write found no room: [Errno 28] No space left on device; "),
    (errno.EROFS, "append", ".log", 2, "orders-2: the disk refused the write: [Errno 30] Read-only file system"),
    (errno.EIO, "read_at", "", 1, "orders-2: offset 0 cannot be read: [Errno 5] Input/output error"),
    (errno.EACCES, "create", "metadata", 3, "the change is not in force: [Errno 13] Permission denied"),
    (errno.EIO, "create", "/new-", 3, "cannot be opened: [Errno 5] Input/output error; mend the disk and restart"),
    (errno.EIO, "rename", "log-start", 12, "orders-2: that the log starts at 1 could not be saved: [Errno 5] Input"),
    (errno.EIO, "rename", "-delete", 13, "orders is deleted, its files are not: [Errno 5] Input/output error; a"),
)
PATH = re.compile(r"[\s'(]/")


class FailureTests(SynchronousTestCase):
    def test_clients_hear_what_failed_and_the_log_where(self) -> None:
        """Operation, partition and the system's reason; no answer shows a path of the server's, none is missing in the log."""
        for error, kind, part, number, told in FAILURES:
            scene = Scene()
            scene.create("orders", partitions=3)
            scene.create("replicated", partitions=1, replicas=2)
            scene.ask(b"1 PRODUCE orders user1:first")
            scene.restart()  # so that what was written is no longer in memory
            if kind == "rollback":
                scene.disk.fail(errno.EIO, "append", times=None)
            scene.disk.fail(error, kind, times=None, where=lambda path, part=part: part in path)  # type: ignore[misc]
            with capturedLogs() as events:
                client, answers = scene.connect(), []
                for request in REQUESTS:
                    client.send(request)
                    scene.settle()
                    answers += client.lines()
            texts = [unquote(answer.decode()) for answer in answers]
            self.assertEqual(len(texts), len(REQUESTS))
            self.assertIn(f"|ERR|STORAGE_ERROR|{told}" if told.startswith("orders-2") else told, texts[number - 1])
            self.assertEqual([text for text in texts if PATH.search(text)], [])
            lines = [str(formatEvent(event)) for event in events]
            tracebacks = [failure.getTraceback() for failure in self.flushLoggedErrors(OSError)]
            self.assertTrue(any(PATH.search(line) and part in line for line in lines + tracebacks), (kind, lines))
