from twisted.trial.unittest import SynchronousTestCase

from flux.config import GroupConfig
from flux.errors import BadRequest, Throttled
from flux.group.group import Generation, Member
from flux.group.limits import MAX_NAME, MAX_SESSION_MS, Limits, check_name
from flux.group.records import GenerationChange
from flux.group.table import GroupTable


class LimitsTests(SynchronousTestCase):
    def test_names_have_a_length(self) -> None:
        """One character at least; a long one is shown in part."""
        check_name("group", "x" * MAX_NAME)
        for name in ("", "x" * (MAX_NAME + 1)):
            with self.assertRaises(BadRequest) as caught:
                check_name("group", name)
            self.assertLess(len(str(caught.exception)), 120)

    def test_a_session_is_the_brokers_unless_the_member_asks(self) -> None:
        """For something that ends within a day."""
        limits = Limits(GroupConfig(session_timeout_ms=7000))
        self.assertEqual([limits.session_ms(asked) for asked in (None, 1, MAX_SESSION_MS)], [7000, 1, MAX_SESSION_MS])
        for asked in (0, -1, MAX_SESSION_MS + 1):
            with self.assertRaises(BadRequest):
                limits.session_ms(asked)

    def test_there_is_room_for_so_many(self) -> None:
        """Groups in all, and members of one group over all its topics; the message names the setting."""
        limits, table = Limits(GroupConfig(max_groups=2, max_group_members=2)), GroupTable()
        for group, topic in (("g", "t"), ("g", "u"), ("h", "t")):
            limits.check_room(table, group, "c")
            table.apply(GenerationChange(group, topic, Generation(2, members={"c": Member(1)})))
        limits.check_room(table, "h", "d")
        for group, named in (("i", "max_groups=2"), ("g", "max_group_members=2")):
            with self.assertRaises(Throttled) as caught:
                limits.check_room(table, group, "d")
            self.assertIn(named, str(caught.exception))
