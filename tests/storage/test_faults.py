"""A disk that is full, or fails, at each single call: of a broker at work, and of a start-up."""

import contextlib  # by name: trial gives a module-level "suppress" a meaning
import errno
from collections.abc import Callable, Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from flux.errors import StorageError
from flux.model import TopicPartition
from tests.storage.damage import ENDINGS, Patient, case
from tests.storage.history import History
from tests.storage.scene import Scene

ORDERS, EVENTS = TopicPartition("orders", 0), TopicPartition("events", 0)
SMALL: dict[str, Any] = {"segment_max_bytes": 1024, "index_interval_bytes": 250, "checkpoint_interval_ms": 1000}
MOST_CALLS = 400


def work(history: History) -> Iterator[Callable[[], None]]:
    """What a broker does all day, one step after the other: rolls, an epoch, a checkpoint, retention, a truncation, a stop."""
    for size in (20, 300, 500, 300):
        yield lambda size=size: history.produce(ORDERS, records=2, size=size)  # type: ignore[misc]  # bound now, not later
        yield history.turn
    yield lambda: history.produce(EVENTS)
    yield lambda: history.begin_epoch(ORDERS)
    yield lambda: history.produce(ORDERS, size=100)
    yield history.turn
    yield lambda: history.advance(2)
    yield lambda: history.move_start(ORDERS, 3)
    yield lambda: history.produce(EVENTS, records=3)
    yield history.turn
    yield lambda: history.truncate(EVENTS, 1)
    yield history.turn
    yield lambda: history.produce(EVENTS, records=2)
    yield lambda: history.consume(ORDERS)
    yield history.turn
    yield history.stop


class AtWork(SynchronousTestCase):
    def play(self, error: int, nth: int, times: int | None) -> bool:
        """Whether the fault came at all. What was acknowledged is there in the next life, and appends go on."""
        history = History(Scene(tps=(ORDERS, EVENTS), **SMALL))
        history.start()
        history.fail(error, None, nth)
        if times is None:
            history.scene.disk.fail(error, nth=nth, times=None)
        before = history.scene.disk.calls
        for step in work(history):
            step()
        came = history.scene.disk.calls - before >= nth
        for _ in range(2):
            history.start()
            for tp in (ORDERS, EVENTS):
                self.assertIsNone(history.scene.logs[tp].failure)
                end = history.scene.logs[tp].promised.value
                history.produce(tp)
                history.turn()
                self.assertEqual(history.scene.logs[tp].promised.value, end + 1)
            history.consume(ORDERS)
            history.lose_power()
        self.flushLoggedErrors()
        return came

    def every_call(self, error: int, times: int | None) -> None:
        for nth in range(1, MOST_CALLS):
            with case(nth):
                if not self.play(error, nth, times):
                    self.assertGreater(nth, 60)
                    return
        self.fail("there is no end to the calls")

    def test_one_call_fails(self) -> None:
        """EIO at call number n, for every n: nothing acknowledged is missing, and the next start goes on."""
        self.every_call(errno.EIO, 1)

    def test_all_calls_fail_from_one_on(self) -> None:
        """The disk is gone until the restart."""
        self.every_call(errno.EIO, None)

    def test_one_call_finds_the_disk_full(self) -> None:
        """ENOSPC at call number n, for every n."""
        self.every_call(errno.ENOSPC, 1)

    def test_the_disk_is_full_from_one_call_on(self) -> None:
        """Until the restart there is no room, not even for the mark."""
        self.every_call(errno.ENOSPC, None)


class AtTheStart(SynchronousTestCase):
    def fails_once(self, patient: Patient, error: int, nth: int, times: int | None) -> bool:
        """Whether the start was refused or had its fault; it raises what it promises to raise, nothing else."""
        scene = patient.scene
        before = scene.disk.calls
        scene.disk.fail(error, nth=nth, times=times)
        manager = scene.prepare()
        try:
            manager.startService()
        except OSError:
            pass
        else:
            with contextlib.suppress(StorageError):
                manager.open(scene.tps[0], {})
        came = scene.disk.calls - before >= nth
        scene.disk.heal()
        return came

    def every_call(self, patient: Patient, lost: set[int], error: int, times: int | None, *, stop: bool = False) -> int:
        """Fault after fault until a start makes no such call. How many there were."""
        damaged = patient.now()
        for nth in range(1, MOST_CALLS):
            with case(errno.errorcode[error], nth, times):
                came = self.fails_once(patient, error, nth, times)
                if stop:
                    patient.scene.stop()
                patient.scene.die()
                patient.recovers(lost, reported=False, lives=1)
            patient.again(damaged)
            self.flushLoggedErrors()
            if not came:
                return nth
        raise AssertionError("there is no end to the calls")

    def test_a_start_that_failed_at_any_call_did_no_harm(self) -> None:
        """EIO: it is refused with the promised exception, or goes on; the next start without a fault finds everything."""
        for ending in ENDINGS:
            for times in (1, None):
                with case(ending.__name__):
                    self.assertGreater(self.every_call(Patient(ending, batches=10), set(), errno.EIO, times), 10)

    def test_a_start_without_room_does_no_harm(self) -> None:
        """ENOSPC, of calls that need room and, to be sure, of all."""
        for ending in ENDINGS:
            with case(ending.__name__):
                self.every_call(Patient(ending, batches=10), set(), errno.ENOSPC, None)

    def test_a_start_that_failed_while_it_mended_did_no_harm(self) -> None:
        """With a torn tail, a damaged batch and a lost segment to report: the next start still finds the rest."""
        for ending in ENDINGS:
            patient = Patient(ending, batches=10)
            logs = patient.scene.names(".log")
            lost = patient.offsets_in(logs[1])
            patient.scene.lose(logs[1])
            for number, at in ((6, 40), (9, 80)):
                first, after, path, start, _ = patient.batches[number]
                patient.scene.flip_byte(path, start + at)
                lost.update(range(first, after))
            with case(ending.__name__):
                self.every_call(patient, lost, errno.EIO, 1)

    def test_a_stop_after_a_failed_start_leaves_no_false_mark(self) -> None:
        """A log that could not be opened is not said to have ended cleanly."""
        for ending in ENDINGS:
            with case(ending.__name__):
                self.every_call(Patient(ending, batches=10), set(), errno.EIO, 1, stop=True)
