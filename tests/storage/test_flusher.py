"""Group commit: one round at a time, shared by all who ask meanwhile."""

from collections.abc import Callable, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from flux.interfaces import Synced, SyncJob
from flux.storage.flusher import Flusher
from flux.testing import QueuedThread, syncs_in


class Job:
    """One sync; ``outcome`` is what done() was told, False before."""

    descriptor = None

    def __init__(self, error: Exception | None, then: Callable[[], None]) -> None:
        self.outcome: BaseException | bool | None = False
        self._error = error
        self._then = then

    def run(self) -> None:
        if self._error is not None:
            raise self._error

    def done(self, error: BaseException | None) -> None:
        self.outcome = error
        self._then()


class Log:
    """Counts its syncs."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.dirty = True
        self.error: Exception | None = None
        self.then: Callable[[], None] = lambda: None

    def begin_sync(self) -> Job | None:
        if not self.dirty:
            return None
        self.jobs.append(Job(self.error, self.then))
        return self.jobs[-1]


class Rounds(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.thread = Clock(), QueuedThread()
        self.flusher = Flusher(self.clock, syncs_in(self.thread))
        self.logs = [Log(), Log(), Log()]

    def test_a_turn_shares_a_round(self) -> None:
        """However often each asks; the round begins when the turn is over."""
        for log in self.logs * 5:
            self.flusher.want(log)
        self.assertEqual(len(self.thread), 0)
        self.clock.advance(0)
        self.assertEqual(len(self.thread), 1)
        self.thread.perform()
        self.assertEqual([len(log.jobs) for log in self.logs], [1, 1, 1])
        self.assertEqual([log.jobs[0].outcome for log in self.logs], [None, None, None])

    def test_who_asks_during_a_round_shares_the_next(self) -> None:
        """One more round, after this one, and not in its turn."""
        first, second, _ = self.logs
        self.flusher.want(first)
        self.clock.advance(0)
        for log in (first, second) * 3:
            self.flusher.want(log)
        self.clock.advance(0)
        self.assertEqual(len(self.thread), 1)
        self.thread.perform()
        self.assertEqual(len(self.thread), 0)
        self.clock.advance(0)
        self.thread.perform()
        self.assertEqual([len(log.jobs) for log in self.logs], [2, 1, 0])

    def test_waiters_write_before_the_next_round_begins(self) -> None:
        """What a resumed waiter appends shares the next round with those who asked before it."""
        first, second, third = self.logs
        first.then = lambda: self.flusher.want(third)
        self.flusher.want(first)
        self.clock.advance(0)
        self.flusher.want(second)
        self.thread.perform()
        first.then = lambda: None
        self.clock.advance(0)
        self.thread.perform()
        self.assertEqual([len(log.jobs) for log in self.logs], [1, 1, 1])

    def test_one_failure_is_one_logs(self) -> None:
        """The others of the round are told of their success."""
        self.logs[1].error = OSError(5, "broken")
        for log in self.logs:
            self.flusher.want(log)
        self.clock.advance(0)
        self.thread.perform()
        outcomes = [log.jobs[0].outcome for log in self.logs]
        self.assertEqual((outcomes[0], outcomes[2]), (None, None))
        self.assertIsInstance(outcomes[1], OSError)

    def test_who_is_clean_costs_nothing(self) -> None:
        """No round for nothing."""
        self.logs[0].dirty = False
        self.flusher.want(self.logs[0])
        self.clock.advance(0)
        self.assertEqual(len(self.thread), 0)
        self.successResultOf(self.flusher.when_idle())

    def test_idle_is_told_when_nothing_is_due(self) -> None:
        """Not between two rounds."""
        self.successResultOf(self.flusher.when_idle())
        self.flusher.want(self.logs[0])
        idle = self.flusher.when_idle()
        self.clock.advance(0)
        self.flusher.want(self.logs[1])
        self.thread.perform()
        self.assertNoResult(idle)
        self.clock.advance(0)
        self.assertNoResult(idle)
        self.thread.perform()
        self.successResultOf(idle)

    def test_the_end_of_a_round_is_told(self) -> None:
        """When its logs know; whether another is due makes no difference."""
        self.successResultOf(self.flusher.when_round_is_over())
        self.flusher.want(self.logs[0])
        self.successResultOf(self.flusher.when_round_is_over())  # it is not running yet
        self.clock.advance(0)
        over = self.flusher.when_round_is_over().addCallback(lambda _: self.logs[0].jobs[0].outcome)
        self.flusher.want(self.logs[1])
        self.assertNoResult(over)
        self.thread.perform()
        self.assertIsNone(self.successResultOf(over))

    def test_a_waiter_that_raises_stops_nobody(self) -> None:
        """It is reported; the others of the round are told, and the next round comes when asked for."""

        def burst() -> None:
            raise RuntimeError("a waiter broke")

        self.logs[0].then = burst
        self.flusher.want(self.logs[0])
        self.flusher.want(self.logs[2])
        self.clock.advance(0)
        self.thread.perform()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIsNone(self.logs[2].jobs[0].outcome)
        self.flusher.want(self.logs[1])
        self.clock.advance(0)
        self.thread.perform()
        self.assertEqual(len(self.logs[1].jobs), 1)

    def test_a_round_that_breaks_is_a_failure_of_its_logs(self) -> None:
        """Whoever is to sync cannot, say: nobody waits for ever, and the next round is tried."""
        broken = True

        def syncs(jobs: Sequence[SyncJob], synced: Synced, /) -> None:
            if broken:
                raise RuntimeError("can't start new thread")
            syncs_in(self.thread)(jobs, synced)

        flusher = Flusher(self.clock, syncs)
        first, second, third = self.logs
        for log in (first, second):
            flusher.want(log)
        self.clock.advance(0)
        for log in (first, second):
            self.assertIsInstance(log.jobs[0].outcome, RuntimeError)
        self.flushLoggedErrors(RuntimeError)
        broken = False
        flusher.want(third)
        self.clock.advance(0)
        self.thread.perform()
        self.assertIsNone(third.jobs[0].outcome)
