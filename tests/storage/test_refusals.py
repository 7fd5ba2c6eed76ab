"""What clients are told of the disk's refusals, and what the log."""

import errno
from collections.abc import Sequence

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import system_reason
from flux.model import TopicPartition
from flux.storage.refusals import Refusals

ORDERS, OTHERS = TopicPartition("orders", 0), TopicPartition("others", 0)


def refused(number: int, path: str) -> OSError:
    return OSError(number, "No luck", path)


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.refusals = Refusals()

    def logged(self, *met: tuple[TopicPartition, OSError]) -> Sequence[str | None]:
        """What the log holds when those were met."""
        with capturedLogs() as events:
            for tp, error in met:
                self.assertEqual(
                    self.refusals.told(tp, "it failed", error), f"it failed: [Errno {error.errno}] No luck"
                )
        return [formatEvent(event) for event in events]

    def test_the_path_is_for_the_log(self) -> None:
        """With all that a client is told."""
        found = self.logged((ORDERS, refused(errno.EIO, "/data/1.log")))
        self.assertEqual(found, [f"it failed: [Errno {errno.EIO}] No luck: '/data/1.log'"])

    def test_what_is_met_again_and_again_is_reported_once(self) -> None:
        """By each log, for each file and each error."""
        first = (ORDERS, refused(errno.EIO, "/data/1.log"))
        others = [
            (OTHERS, refused(errno.EIO, "/data/1.log")),
            (ORDERS, refused(errno.EROFS, "/data/1.log")),
            (ORDERS, refused(errno.EIO, "/data/2.log")),
        ]
        self.assertEqual(len(self.logged(first, first, *others, first, *others)), 4)

    def test_it_does_not_remember_them_all(self) -> None:
        """A log may meet errors in file after file; some are reported again then."""
        files = [(ORDERS, refused(errno.EIO, f"/data/{number}.log")) for number in range(3000)]
        self.assertEqual(len(self.logged(*files)), 3000)
        self.assertEqual(len(self.logged(files[-1])), 0)
        self.assertEqual(len(self.logged(files[0])), 1)

    def test_a_reason_is_the_systems(self) -> None:
        """Of a renaming there are two paths; of what is no error of the system's the words are all there is."""
        self.assertEqual(system_reason(OSError(5, "No luck", "/a", None, "/b")), "[Errno 5] No luck")
        self.assertEqual(system_reason(OSError("io_uring is missing")), "io_uring is missing")
        self.assertEqual(system_reason(ValueError("7 is no number")), "7 is no number")
