"""Threads that sync side by side."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from flux.threads import NoThread, Threads

PATIENCE_S = 20.0


class Reactor:
    """Takes calls from threads, and makes them when the test says so."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        self._calls.put(lambda: function(*args))

    def turn(self) -> None:
        """Wait for a call and make it."""
        self._calls.get(timeout=PATIENCE_S)()

    @property
    def is_idle(self) -> bool:
        """Nobody called."""
        return self._calls.empty()


class Job:
    """Does what the test wants."""

    descriptor = None

    def __init__(self, run: Callable[[], object]) -> None:
        self.run: Any = run


def granted(count: int) -> type[threading.Thread]:
    """Threads, of which the system grants *count* and refuses the rest."""
    left = [count]

    class Granted(threading.Thread):
        def start(self) -> None:
            if not left[0]:
                raise RuntimeError("can't start new thread")
            left[0] -= 1
            super().start()

    return Granted


class ScarceTests(SynchronousTestCase):
    """A system that gives few threads, or none."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.before = threading.active_count()

    def scarce(self, count: int) -> Threads:
        return Threads(cast(Any, self.reactor), granted(count))

    def test_without_one_of_each_kind_there_is_no_start(self) -> None:
        """Whichever it is: the sentence names it. Those there are are ended, for they would keep the process alive."""
        for count, missing in enumerate(("calls", "more calls", "syncs")):
            threads = self.scarce(count)
            threads.one("calls")
            threads.one("more calls")
            threads.several("syncs", 4)
            refusal = self.assertRaises(NoThread, threads.startService)
            sentence = f"{missing}: the system refuses a thread (can't start new thread)"
            self.assertEqual(str(refusal).partition(";")[0], sentence)
            self.assertEqual((threads.running, threading.active_count()), (False, self.before))

    def test_one_thread_does_the_jobs_of_four(self) -> None:
        """More are asked for with each round, and nobody hears that they are refused."""
        threads = self.scarce(1)
        syncs = threads.several("syncs", 4)
        threads.startService()
        self.addCleanup(threads.stopService)
        outcomes: list[Sequence[BaseException | None]] = []
        for _ in range(2):
            syncs([Job(lambda: None)] * 4, outcomes.append)
            self.reactor.turn()
        self.assertEqual(outcomes, [[None] * 4] * 2)
        self.assertEqual(threading.active_count(), self.before + 1)


class CrewTests(SynchronousTestCase):
    """Two threads."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.threads = Threads(cast(Any, self.reactor))
        self.syncs = self.threads.several("test", 2)
        self.threads.startService()
        self.outcomes: list[Sequence[BaseException | None]] = []

    def tearDown(self) -> None:
        self.threads.stopService()

    def test_jobs_run_side_by_side(self) -> None:
        """None of these ends before all have begun; their owner is told once, on the reactor's thread."""
        barrier = threading.Barrier(2)
        self.syncs([Job(lambda: barrier.wait(PATIENCE_S))] * 2, self.outcomes.append)
        self.assertEqual(self.outcomes, [])
        self.reactor.turn()
        self.assertEqual(self.outcomes, [[None, None]])
        self.assertTrue(self.reactor.is_idle)

    def test_more_than_there_are_threads_wait_for_their_turn(self) -> None:
        """All have ended when it is told."""
        ended: list[int] = []
        self.syncs([Job(lambda: ended.append(1))] * 50, self.outcomes.append)
        self.reactor.turn()
        self.assertEqual((len(ended), len(self.outcomes[0])), (50, 50))

    def test_one_failure_is_one_jobs(self) -> None:
        """Whatever it is; in its place, when the others have ended too. The threads live on."""
        failed = threading.Event()

        def fail() -> None:
            failed.set()
            raise SystemExit

        for _ in range(5):
            self.syncs([Job(lambda: failed.wait(PATIENCE_S)), Job(fail)], self.outcomes.append)
            self.reactor.turn()
            first, second = self.outcomes.pop()
            self.assertIsNone(first)
            self.assertIsInstance(second, SystemExit)

    def test_a_stop_waits_for_what_was_begun(self) -> None:
        """And leaves no thread."""
        ended: list[int] = []
        before = threading.active_count() - 1  # one is there, the others are made when they are needed
        self.syncs([Job(lambda: ended.append(sum(range(1_000_000))))] * 5, self.outcomes.append)
        self.threads.stopService()
        self.assertEqual(len(ended), 5)
        self.assertEqual(threading.active_count(), before)
        self.threads.startService()
        self.reactor.turn()
        self.assertEqual(self.outcomes, [[None] * 5])
