"""What waits, in order, within limits."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.client.backlog import Backlog
from flux.client.calls import ping
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.wire.session import Pong


def _exchange(size: int = 0, deadline_s: float = 1.0) -> Exchange[Pong]:
    exchange = Exchange(ping(), deadline_s)
    exchange.load(bytes(size))
    return exchange


def _all(backlog: Backlog) -> list[Exchange[Pong]]:
    return [backlog.take() for _ in range(len(backlog))]


class Order(SynchronousTestCase):
    """First in, first out."""

    def test_what_is_put_back_goes_before_what_was_never_taken(self) -> None:
        """In the order in which it is put back."""
        backlog = Backlog(ClientSettings())
        first, second, third = (_exchange() for _ in range(3))
        for exchange in (first, second, third):
            backlog.add(exchange)
        self.assertIs(backlog.take(), first)
        self.assertIs(backlog.take(), second)
        backlog.put_back(first)
        backlog.put_back(second)
        self.assertIs(backlog.first, first)
        self.assertEqual(_all(backlog), [first, second, third])

    def test_what_comes_back_while_others_did_not_leave_again_goes_before_them(self) -> None:
        """A call never falls behind one that was made after it."""
        backlog = Backlog(ClientSettings())
        first, second, third = (_exchange() for _ in range(3))
        for exchange in (first, second, third):
            backlog.put_back(exchange)
        self.assertIs(backlog.take(), first)
        backlog.put_back(first)
        self.assertEqual(_all(backlog), [first, second, third])

    def test_removal_keeps_the_place_for_what_is_put_back(self) -> None:
        """Whether what is removed was put back itself or not."""
        backlog = Backlog(ClientSettings())
        first, second, third, fourth = (_exchange() for _ in range(4))
        backlog.add(fourth)
        backlog.put_back(first)
        backlog.put_back(second)
        backlog.remove(first)
        backlog.put_back(third)
        self.assertEqual(_all(backlog), [second, third, fourth])

    @given(st.lists(st.tuples(st.sampled_from(["add", "take", "back"]), st.integers(0, 50)), max_size=60))
    def test_size_is_what_is_there(self, steps: list[tuple[str, int]]) -> None:
        """Whatever came and went, as much fits as into a new one."""
        backlog = Backlog(ClientSettings(max_waiting=1000, max_waiting_bytes=1000))
        for step, size in steps:
            if step == "take":
                if backlog:
                    backlog.take()
            elif step == "add":
                backlog.add(_exchange(size))
            else:
                backlog.put_back(_exchange(size))
        backlog.remove_if(lambda exchange: len(exchange.arguments) % 2 == 0)
        _all(backlog)
        backlog.add(_exchange(0))
        self.assertTrue(backlog.accepts(_exchange(600)))
        self.assertFalse(backlog.accepts(_exchange(601)))


class Limits(SynchronousTestCase):
    """Not too many."""

    def test_there_is_a_most_in_number_and_in_bytes(self) -> None:
        """Past either it accepts no more."""
        backlog = Backlog(ClientSettings(max_waiting=2))
        backlog.add(_exchange())
        self.assertTrue(backlog.accepts(_exchange()))
        backlog.add(_exchange())
        self.assertFalse(backlog.accepts(_exchange()))
        backlog = Backlog(ClientSettings(max_waiting_bytes=1000))
        backlog.add(_exchange(500))
        self.assertFalse(backlog.accepts(_exchange(500)))

    def test_a_single_one_always_finds_room(self) -> None:
        """However large: the broker says what is too large."""
        self.assertTrue(Backlog(ClientSettings(max_waiting_bytes=1)).accepts(_exchange(1000)))

    def test_the_earliest_deadline_is_known(self) -> None:
        """And that there is none."""
        backlog = Backlog(ClientSettings())
        self.assertIsNone(backlog.earliest_deadline_s())
        for deadline_s in (3.0, 1.0, 2.0):
            backlog.add(_exchange(0, deadline_s))
        self.assertEqual(backlog.earliest_deadline_s(), 1.0)
