"""The watermark: who is told, when, and in which order."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import ShuttingDown, StorageError
from flux.watermark import Watermark


class WatermarkTests(SynchronousTestCase):
    """A watermark at 10, and a list of what was fired."""

    def setUp(self) -> None:
        """Nobody waits yet."""
        self.mark = Watermark(10)
        self.told: list[object] = []

    def wait(self, offset: int, name: object = None) -> Deferred[int]:
        """Park one, whose name is noted when it fires and whose failure is noted as its class."""
        waiter = self.mark.reach(offset)
        label = offset if name is None else name
        waiter.addCallbacks(lambda _: self.told.append(label), lambda failure: self.told.append((label, failure.type)))
        return waiter

    def test_an_offset_already_reached_fires_at_once(self) -> None:
        """With the value, which may be past it."""
        for offset in (0, 9, 10):
            self.assertEqual(self.successResultOf(self.mark.reach(offset)), 10)
        self.assertEqual(self.mark.waiting, 0)

    def test_waiters_fire_when_their_offset_is_reached_and_not_before(self) -> None:
        """One below stays."""
        self.wait(11)
        self.wait(13)
        self.mark.advance(12)
        self.assertEqual((self.told, self.mark.waiting), ([11], 1))
        self.mark.advance(13)
        self.assertEqual((self.told, self.mark.waiting), ([11, 13], 0))

    def test_waiters_get_the_value_reached(self) -> None:
        """Not the offset they asked for."""
        waiter = self.mark.reach(11)
        self.mark.advance(20)
        self.assertEqual(self.successResultOf(waiter), 20)

    def test_waiters_fire_in_order_of_offset_then_of_asking(self) -> None:
        """Whatever the order in which they came."""
        for offset, name in ((13, "c"), (11, "a"), (13, "d"), (12, "b"), (13, "e")):
            self.wait(offset, name)
        self.mark.advance(13)
        self.assertEqual(self.told, ["a", "b", "c", "d", "e"])

    def test_a_lower_or_equal_offset_changes_nothing(self) -> None:
        """It only rises."""
        for offset in (10, 3, -1):
            self.mark.advance(offset)
        self.assertEqual(self.mark.value, 10)

    def test_a_cancelled_waiter_is_forgotten(self) -> None:
        """The others fire in order all the same."""
        names = [(offset, self.wait(offset)) for offset in (15, 11, 14, 12, 13)]
        for offset, waiter in names:
            if offset in (11, 14):
                waiter.cancel()
        self.assertEqual((self.told, self.mark.waiting), ([(11, CancelledError), (14, CancelledError)], 3))
        self.mark.advance(15)
        self.assertEqual(self.told[2:], [12, 13, 15])

    @given(st.lists(st.tuples(st.integers(11, 20), st.booleans()), max_size=30), st.booleans())
    def test_the_order_holds_for_any_waiters_and_cancellations(
        self, asked: list[tuple[int, bool]], released: bool
    ) -> None:
        """Whether the offset is reached or everybody is released."""
        self.setUp()
        waiters = [self.wait(offset, (offset, turn)) for turn, (offset, _) in enumerate(asked)]
        for waiter, (_, cancelled) in zip(waiters, asked, strict=True):
            if cancelled:
                waiter.cancel()
        self.told.clear()
        expected = sorted((offset, turn) for turn, (offset, cancelled) in enumerate(asked) if not cancelled)
        if released:
            self.mark.release(ShuttingDown("draining"))
            self.assertEqual(self.told, [(name, ShuttingDown) for name in expected])
        else:
            self.mark.advance(20)
            self.assertEqual(self.told, expected)
        self.assertEqual(self.mark.waiting, 0)

    def test_a_waiter_may_cancel_another_while_it_is_fired(self) -> None:
        """The other one is told so, and those after it fire."""
        first, second = self.mark.reach(11), self.wait(12)
        self.wait(13)
        first.addCallback(lambda _: second.cancel())
        self.mark.advance(13)
        self.assertEqual(self.told, [(12, CancelledError), 13])

    def test_a_waiter_may_wait_again_while_it_is_fired(self) -> None:
        """For something reached it is told at once, for something else it is parked."""
        first = self.mark.reach(11)
        first.addCallback(lambda _: (self.wait(12, "reached"), self.wait(14, "parked")))
        self.wait(12, "old")
        self.mark.advance(12)
        self.assertEqual((self.told, self.mark.waiting), (["reached", "old"], 1))
        self.mark.advance(14)
        self.assertEqual(self.told, ["reached", "old", "parked"])

    def test_a_waiter_may_advance_it_further(self) -> None:
        """Nobody is fired twice, nobody is left out."""
        self.mark.reach(11).addCallback(lambda _: self.mark.advance(13))
        for offset in (12, 13, 14):
            self.wait(offset)
        self.mark.advance(12)
        self.assertEqual((self.told, self.mark.value, self.mark.waiting), ([12, 13], 13, 1))

    def test_observers_hear_of_every_rise_before_the_waiters(self) -> None:
        """Of rises only."""
        self.wait(12)
        self.mark.observe(lambda value: self.told.append(f"first {value}"))
        self.mark.observe(lambda value: self.told.append(f"second {value}"))
        for offset in (12, 12, 11, 15):
            self.mark.advance(offset)
        self.assertEqual(self.told, ["first 12", "second 12", 12, "first 15", "second 15"])

    def test_a_failure_reaches_everybody_waiting_and_is_final(self) -> None:
        """Now and later; but what was reached stays reached."""
        self.wait(12)
        self.wait(11)
        self.mark.fail(StorageError("sync failed"))
        self.assertEqual(self.told, [(11, StorageError), (12, StorageError)])
        self.failureResultOf(self.mark.reach(11), StorageError)
        self.assertEqual(self.successResultOf(self.mark.reach(10)), 10)
        self.mark.advance(20)
        self.assertEqual((self.mark.value, self.mark.waiting), (10, 0))

    def test_a_waiter_that_waits_again_while_failing_fails_again(self) -> None:
        """It is not left parked for ever."""
        self.mark.reach(11).addErrback(lambda _: self.wait(12))
        self.mark.fail(StorageError("sync failed"))
        self.assertEqual((self.told, self.mark.waiting), ([(12, StorageError)], 0))

    def test_a_release_fails_those_waiting_now_and_nobody_else(self) -> None:
        """The watermark goes on, and one who waits again is parked."""
        self.wait(12)
        self.mark.reach(11).addErrback(lambda _: self.wait(13))
        self.mark.release(ShuttingDown("draining"))
        self.assertEqual((self.told, self.mark.waiting), ([(12, ShuttingDown)], 1))
        self.mark.advance(13)
        self.assertEqual(self.told, [(12, ShuttingDown), 13])

    def test_a_waiter_may_cancel_another_while_both_are_released(self) -> None:
        """The other one is told once, and those after it are told too."""
        first, second = self.mark.reach(11), self.wait(12)
        self.wait(13)
        first.addErrback(lambda _: second.cancel())
        self.mark.release(ShuttingDown("draining"))
        self.assertEqual(self.told, [(12, CancelledError), (13, ShuttingDown)])

    def test_a_waiter_gets_a_failure_of_its_own(self) -> None:
        """One that changes its failure's traceback does not change the others'."""
        failures: list[Failure] = []
        for offset in (11, 12):
            self.mark.reach(offset).addErrback(failures.append)
        self.mark.fail(StorageError("sync failed"))
        self.assertIsNot(failures[0], failures[1])

    def test_a_truncation_lowers_it_and_keeps_the_waiters(self) -> None:
        """Their offsets may come again; a higher offset lowers nothing."""
        self.wait(12)
        self.mark.lower(20)
        self.assertEqual(self.mark.value, 10)
        self.mark.lower(4)
        self.assertEqual((self.mark.value, self.mark.waiting), (4, 1))
        self.wait(5)
        self.mark.advance(11)
        self.assertEqual(self.told, [5])
        self.mark.advance(12)
        self.assertEqual(self.told, [5, 12])
