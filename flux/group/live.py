"""The groups as they live: the table, the sessions and the journal, always in step, and the timer that expels the silent."""

from collections.abc import Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from flux.errors import FluxError, GenerationMismatch
from flux.group.assigning import Assigning
from flux.group.group import NOBODY, Cause, Generation, Step, fence, remove
from flux.group.journal import Journal
from flux.group.records import Change, GenerationChange
from flux.group.sessions import Membership, Sessions
from flux.group.table import GroupTable, Subscription
from flux.interfaces import Now

RETRY_S = 1.0  # after the disk refused what nobody asked for: an expiry, a reassignment


class LiveGroups:
    """What every decision is made on, and goes through.

    *Action*: :meth:`follow` records a step. *Transitions*: the table by the journal, the sessions with it, and the timer, which stands at
    the session that ends first; nothing else ends one.
    """

    _log = Logger()

    def __init__(
        self, table: GroupTable, journal: Journal, assigning: Assigning, clock: IReactorTime, now: Now
    ) -> None:
        self.table = table
        self.journal = journal
        self.assigning = assigning
        self.sessions = Sessions()
        self._clock = clock
        self._now = now
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """Load what was acknowledged and give every member a full session. :raises StorageError: see :meth:`Journal.load`."""
        self.journal.load()
        now = self._clock.seconds()
        for group, topic, subscription in self.table.subscriptions():
            for name, member in subscription.generation.members.items():
                self.sessions.begin((group, topic, name), member.session_ms / 1000, now)
        if self.journal.lost_records:
            self._fence_everybody(2 * self.journal.lost_records)  # one record raises a generation by two at most
        self._arm()

    def end(self) -> None:
        """Expel nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def at_ms(self) -> int:
        """The wall clock, for stamps."""
        return int(self._now() * 1000)

    def generation(self, group: str, topic: str) -> Generation:
        """The one in force; the first, without members, if nobody ever joined."""
        subscription = self.table.get(group, topic)
        return NOBODY if subscription is None else subscription.generation

    def subscription(self, group: str, topic: str) -> Subscription:
        """*group* on *topic*. :raises GenerationMismatch: there is no such group, or it is not on *topic*."""
        subscription = self.table.get(group, topic)
        if subscription is None:
            raise GenerationMismatch(
                f"topic: group {group!r} is not on topic {topic!r}; JOIN first"
                if group in self.table.groups
                else f"group: there is no group {group!r}; JOIN first"
            )
        return subscription

    def silent_ms(self, membership: Membership) -> int | None:
        """Age of its last sign of life, None if it is no member."""
        silence = self.sessions.silence(membership, self._clock.seconds())
        return None if silence is None else round(silence * 1000)

    def sign_of_life(self, membership: Membership) -> None:
        """A member has shown that it lives, and that it knows the generation in force."""
        group, topic, member = membership
        self.sessions.sign(membership, self._clock.seconds())
        self.table.groups[group][topic].heard(member)

    def follow(self, group: str, topic: str, current: Generation, step: Step, also: Sequence[Change] = ()) -> int:
        """Record *step* and *also* as one, and let the sessions follow; where the log ends then. :raises StorageError: nothing changed."""
        after = step.generation
        changes = [*([] if after is current else [GenerationChange(group, topic, after, step.events)]), *also]
        if not changes:
            return self.journal.end
        end = self.journal.write(changes)
        now = self._clock.seconds()
        for member in current.members.keys() - after.members.keys():
            self.sessions.end((group, topic, member))
        for member, held in after.members.items():
            if member not in current.members or current.members[member].session_ms != held.session_ms:
                self.sessions.begin((group, topic, member), held.session_ms / 1000, now)
        self._arm()
        for event in step.events:
            self._log.info(
                "group {group} on {topic}: {cause}, generation {before} → {after}",
                group=group,
                topic=topic,
                cause=event.cause.value,
                before=event.before.generation,
                after=event.after.generation,
                members=event.members,
            )
        return end

    def expel_silent(self) -> None:
        """Expel whoever's session has ended: those of one group and topic together, in one generation.

        By timer, and also before anything else is decided: a timer that is late must not let a silent member speak first.
        """
        now = self._clock.seconds()
        silent: dict[tuple[str, str], dict[str, int | None]] = {}
        for membership in self.sessions.silent(now):
            group, topic, member = membership
            silent.setdefault((group, topic), {})[member] = self.silent_ms(membership)
        for (group, topic), gone in silent.items():
            current = self.generation(group, topic)
            try:
                step = remove(current, topic, Cause.EXPIRED, gone, self.assigning, self.at_ms())
                self.follow(group, topic, current, step)
            except FluxError as error:
                self._log.warn(
                    "silent members of {group} on {topic} stay for now: {error}", group=group, topic=topic, error=error
                )
                for member in gone:
                    self.sessions.postpone((group, topic, member), now + RETRY_S)

    def _fence_everybody(self, by: int) -> None:
        """Records are missing from the log: no generation they may have begun is used again."""
        for group, topic, subscription in list(self.table.subscriptions()):
            current = subscription.generation
            step = fence(current, topic, Cause.LOG_DAMAGED, by, "records of the group log are lost", self.at_ms())
            self.follow(group, topic, current, step)

    def _arm(self) -> None:
        look = self.sessions.next_look
        if look is None:
            return
        if self._timer is not None:
            if self._timer.getTime() <= look:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, look - self._clock.seconds()), self._look)

    def _look(self) -> None:
        self._timer = None
        if self.journal.refusal is None:
            self.expel_silent()
            self._arm()
