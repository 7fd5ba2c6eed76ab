from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.group.sessions import Membership, Sessions

MEMBERS: list[Membership] = [("g", "t", name) for name in "abc"]
STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "sign", "end", "wait"]), st.sampled_from(MEMBERS), st.integers(1, 8)),
    max_size=60,
)


class SessionsTests(SynchronousTestCase):
    @given(STEPS)
    def test_exactly_those_are_silent_whose_time_is_over(self, steps: list[tuple[str, Membership, int]]) -> None:
        """And the next look is never after the first of them."""
        sessions, now = Sessions(), 0.0
        model: dict[Membership, tuple[float, float]] = {}
        for what, member, number in steps:
            if what == "begin":
                sessions.begin(member, number, now)
                model[member] = (now, number)
            elif what == "sign" and member in model:
                sessions.sign(member, now)
                model[member] = (now, model[member][1])
            elif what == "end":
                sessions.end(member)
                model.pop(member, None)
            else:
                now += number / 2
                over = {name for name, (sign, timeout) in model.items() if sign + timeout <= now}
                self.assertEqual(set(sessions.silent(now)), over)
                for name in over:
                    sessions.end(name)
                    del model[name]
            deadlines = [sign + timeout for sign, timeout in model.values()]
            look = sessions.next_look
            self.assertEqual(look is None, not deadlines)
            if look is not None:
                self.assertLessEqual(look, min(deadlines))
            for name in MEMBERS:
                self.assertEqual(sessions.silence(name, now), now - model[name][0] if name in model else None)

    def test_one_that_could_not_be_expelled_is_looked_at_again(self) -> None:
        """Unless it speaks meanwhile."""
        sessions = Sessions()
        sessions.begin(MEMBERS[0], 5, 0)
        self.assertEqual(sessions.silent(5), MEMBERS[:1])
        sessions.postpone(MEMBERS[0], 6)
        self.assertEqual((sessions.next_look, sessions.silent(5.5), sessions.silent(6)), (6, [], MEMBERS[:1]))
        sessions.postpone(MEMBERS[0], 7)
        sessions.sign(MEMBERS[0], 6.5)
        self.assertEqual((sessions.silent(7), sessions.next_look), ([], 11.5))

    def test_sessions_begun_again_and_again_do_not_pile_up(self) -> None:
        """A member that changes a day-long session each second costs one place."""
        sessions = Sessions()
        for second in range(10_000):
            sessions.begin(MEMBERS[0], 86_400 + second % 2, second)
        self.assertLess(len(sessions._heap), 100)
