"""The stand-ins for threads."""

from twisted.trial.unittest import SynchronousTestCase

from flux.testing import QueuedThread, run_now


def refuse() -> None:
    raise ValueError("no")


class RunNow(SynchronousTestCase):
    def test_the_result_is_there_at_once(self) -> None:
        """The Deferred has fired with what the function returned."""
        self.assertEqual(self.successResultOf(run_now(divmod, 7, 2)), (3, 1))

    def test_an_exception_is_a_failure(self) -> None:
        """It does not escape."""
        self.failureResultOf(run_now(refuse), ValueError)


class Queued(SynchronousTestCase):
    def setUp(self) -> None:
        self.thread = QueuedThread()
        self.done: list[int] = []

    def test_nothing_happens_before_the_test_says_so(self) -> None:
        """Calls wait, in order, one performed at a time; then their Deferreds fire."""
        first, second = self.thread(self.done.append, 1), self.thread(self.done.append, 2)
        self.assertNoResult(first)
        self.assertEqual((self.done, len(self.thread)), ([], 2))
        self.thread.perform()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual((self.done, len(self.thread)), ([1], 1))

    def test_an_exception_is_a_failure(self) -> None:
        """The thread goes on after it."""
        failing = self.thread(refuse)
        self.thread(self.done.append, 1)
        self.thread.perform_all()
        self.failureResultOf(failing, ValueError)
        self.assertEqual(self.done, [1])

    def test_what_is_queued_meanwhile_is_performed_too(self) -> None:
        """perform_all leaves nothing."""
        self.thread(self.done.append, 1).addCallback(lambda _: self.thread(self.done.append, 2))
        self.thread.perform_all()
        self.assertEqual((self.done, len(self.thread)), ([1, 2], 0))

    def test_a_cancelled_call_is_made_all_the_same(self) -> None:
        """As in a thread: nobody is told any more, that is all."""
        call = self.thread(self.done.append, 1)
        call.addErrback(lambda _: None)
        call.cancel()
        self.thread.perform()
        self.assertEqual(self.done, [1])

    def test_nothing_to_perform_is_a_mistake(self) -> None:
        """perform() says so, perform_all() is content."""
        self.thread.perform_all()
        self.assertRaises(IndexError, self.thread.perform)

    def test_an_endless_queue_is_found_out(self) -> None:
        """A call that always queues another ends the test, not the patience."""

        def again(_: object = None) -> None:
            self.thread(int).addCallback(again)

        again()
        self.assertRaises(AssertionError, self.thread.perform_all)
