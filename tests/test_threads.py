"""Threads that work side by side."""

import threading
from functools import partial
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from flux.threads import Threads

PATIENCE_S = 20.0


class SeveralTests(SynchronousTestCase):
    """Helpers of a thread that may wait."""

    def setUp(self) -> None:
        reactor: Any = MemoryReactorClock()  # it only has to be there
        self.threads = Threads(reactor)
        self.at_once = self.threads.several("test", 2)
        self.threads.startService()

    def tearDown(self) -> None:
        self.threads.stopService()

    def test_functions_run_side_by_side(self) -> None:
        """None of these returns before all have begun; what they return comes in their order."""
        barrier = threading.Barrier(3)

        def meet(number: int) -> int:
            barrier.wait(PATIENCE_S)
            return number

        self.assertEqual(self.at_once([partial(meet, number) for number in range(3)]), [0, 1, 2])

    def test_one_alone_bothers_nobody(self) -> None:
        """It runs in the thread that asked; nothing asked, nothing done."""
        self.assertEqual(self.at_once([threading.get_ident]), [threading.get_ident()])
        nothing: list[int] = self.at_once([])
        self.assertEqual(nothing, [])

    def test_more_than_there_are_threads_wait_for_their_turn(self) -> None:
        """All are done when it returns."""
        done: list[int] = []
        self.at_once([partial(done.append, number) for number in range(50)])
        self.assertEqual(sorted(done), list(range(50)))

    def test_a_failure_waits_for_the_others(self) -> None:
        """Whoever relies on one thread at a time finds nobody else at work afterwards."""
        failing = threading.Event()
        done: list[int] = []

        def fail() -> None:
            failing.set()
            raise ZeroDivisionError

        def work() -> None:
            failing.wait(PATIENCE_S)
            done.append(sum(range(1_000_000)))  # takes a while

        self.assertRaises(ZeroDivisionError, self.at_once, [fail, work])
        self.assertEqual(len(done), 1)

    def test_no_thread_is_left(self) -> None:
        """After the stop."""
        before = threading.active_count()
        self.at_once([int, int, int])
        self.threads.stopService()
        self.assertEqual(threading.active_count(), before)
        self.threads.startService()
