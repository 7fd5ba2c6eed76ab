"""Signals, and what they may not cut short."""

import ctypes
import functools
import os
import signal
import threading

from twisted.trial.unittest import SynchronousTestCase

from flux.cli.shell.failing import Interrupted
from flux.cli.shell.interrupting import Interruptions, Stop


def send(number: int) -> None:
    """To ourselves: its handler has run when this returns."""
    os.kill(os.getpid(), number)


class InterruptingTests(SynchronousTestCase):
    def test_a_signal_is_an_exception(self) -> None:
        """That tells which one it was; the exit status does too."""
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with Interruptions():
                stop = self.assertRaises(Stop, send, number)
            self.assertEqual(Interrupted("enough", stop).exit_code, status)

    def test_what_is_held_is_done_whole(self) -> None:
        """And the signal comes behind it."""
        done = []

        def work(interruptions: Interruptions) -> None:
            with interruptions.held():
                send(signal.SIGINT)
                done.append("all")

        with Interruptions() as interruptions:
            self.assertRaises(Stop, work, interruptions)
        self.assertEqual(done, ["all"])

    def test_a_second_signal_insists(self) -> None:
        """Then there is no waiting."""
        done = []

        def work(interruptions: Interruptions) -> None:
            with interruptions.held():
                send(signal.SIGINT)
                send(signal.SIGINT)
                done.append("all")

        with Interruptions() as interruptions:
            self.assertRaises(Stop, work, interruptions)
        self.assertEqual(done, [])

    def test_a_signal_as_a_wait_begins_is_not_slept_through(self) -> None:
        """Not even if its handler had no chance to run before: between these two calls there is no bytecode."""
        nothing_comes, other_end = os.pipe()
        self.addCleanup(os.close, nothing_comes)
        self.addCleanup(os.close, other_end)
        kill_then_wait = [
            functools.partial(ctypes.CDLL(None).kill, os.getpid(), signal.SIGINT),
            functools.partial(os.read, nothing_comes, 1),
        ]
        with Interruptions():
            self.assertRaises(Stop, list, map(functools.partial.__call__, kill_then_wait))

    def test_somebody_elses_timer_goes_on(self) -> None:
        """That of a test's own timeout, say."""
        before = signal.setitimer(signal.ITIMER_REAL, 300, 7)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, *before)
        with Interruptions():
            pass
        left_s, interval_s = signal.getitimer(signal.ITIMER_REAL)
        self.assertGreater(left_s, 290)
        self.assertEqual(interval_s, 7)

    def test_afterwards_signals_are_what_they_were(self) -> None:
        """And a thread that no signal reaches changes nothing."""
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]

        def enter() -> None:
            with Interruptions() as interruptions, interruptions.held():
                seen.append(signal.getsignal(signal.SIGTERM))

        seen: list[object] = []
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        with Interruptions():
            self.assertNotEqual(signal.getsignal(signal.SIGTERM), before[1])
        self.assertEqual(
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)], before
        )
        self.assertEqual(seen, before[1:2])
