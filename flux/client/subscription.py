"""A consumer: its memberships, the partitions they give it, and the next record among them. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flux.client.agent import Wanted, earliest
from flux.client.calls import Record
from flux.client.errors import ClientClosed
from flux.client.feed import Feed
from flux.client.membership import Membership
from flux.client.options import ConsumerOptions
from flux.errors import BadRequest, FluxError, OffsetOutOfRange, Unauthorized, UnknownCommand, UnknownTopic
from flux.model import TopicPartition

_FATAL = (BadRequest, ClientClosed, Unauthorized, UnknownCommand, UnknownTopic)  # trying again would not help
_MOST_EVENTS = 1000  # not yet told; a handler that never returns must not fill memory with errors


class Assigned(NamedTuple):
    """These partitions are the consumer's from now on."""

    partitions: tuple[TopicPartition, ...]


class Revoked(NamedTuple):
    """These no longer are; what was handled and not committed may be handled again by whoever has them now."""

    partitions: tuple[TopicPartition, ...]


class Survived(NamedTuple):
    """Something failed and will be tried again."""

    error: FluxError


Event = Assigned | Revoked | Survived


class Subscription:
    """Records of all partitions that a group gives to one of its members.

    *Action*: :meth:`next`, :meth:`handled`, :meth:`seek`, :meth:`pause`, :meth:`resume`. *Transitions*: :meth:`close` commits what is
    handled, leaves, and is final; so is a failure that no repetition would mend.
    """

    def __init__(self, group: str, topics: Iterable[str], member: str, options: ConsumerOptions) -> None:
        self.failure: FluxError | None = None
        self._options = options
        self._memberships = [
            Membership(group, topic, member, options, self._assigned, self._failed) for topic in dict.fromkeys(topics)
        ]
        if not self._memberships:
            raise BadRequest("topics: there are none; subscribe to at least one")
        self._feeds: dict[TopicPartition, Feed] = {}
        self._turns: deque[Feed] = deque()  # whose record comes next
        self._lent: tuple[Record, Feed, int] | None = None  # what is out, whose it is, and when
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._close_by_s: float | None = None

    # --- the consumer ---

    def next(self, now_s: float) -> Record | Event | None:
        """What is to be told next, or else the next record; None if nothing is at hand. Partitions take turns.

        One record is out at a time: the one before is either :meth:`handled` by now, or counts as never handed out.
        """
        if self._events:
            return self._events.popleft()
        for _ in range(len(self._turns)):
            feed = self._turns[0]
            self._turns.rotate(-1)
            if feed.has_records(now_s):
                record = feed.take()
                self._lent = record, feed, feed.jumps
                return record
        return None

    def handled(self) -> None:
        """The record that is out need not be read again; unless its partition is another's now, or went elsewhere."""
        if self._lent is not None:
            (record, feed, jumps), self._lent = self._lent, None
            if self._feeds.get(feed.tp) is feed and feed.jumps == jumps:
                feed.handled(record)

    def has_news(self, now_s: float) -> bool:
        """Whether :meth:`next` has something, or never will."""
        return (
            bool(self._events)
            or self.failure is not None
            or any(feed.has_records(now_s) for feed in self._feeds.values())
        )

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The partitions that are the consumer's, in order."""
        return tuple(sorted(self._feeds))

    def position(self, topic: str, partition: int) -> int | None:
        """The offset of the next record of a partition; None as long as nobody knows. :raises BadRequest: it is not ours."""
        return self._feed(topic, partition).position

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on there. :raises BadRequest: it is not ours."""
        self._feed(topic, partition).seek(offset)

    def pause(self, topic: str, partition: int) -> None:
        """Hand out nothing from there. :raises BadRequest: it is not ours."""
        self._feed(topic, partition).pause()

    def resume(self, topic: str, partition: int) -> None:
        """Go on there. :raises BadRequest: it is not ours."""
        self._feed(topic, partition).resume()

    def close(self, by_s: float) -> None:
        """Hand out no more, commit what is handled, leave; after *by_s* the rest is left to the session's end."""
        if self._close_by_s is None:
            self._close_by_s = by_s
            for feed in self._feeds.values():
                feed.stop()

    def is_over(self, now_s: float) -> bool:
        """Whether nothing more is wanted."""
        return self._close_by_s is not None and (
            now_s >= self._close_by_s or all(membership.has_left for membership in self._memberships)
        )

    # --- the runner ---

    @property
    def wake_at_s(self) -> float | None:
        """When something is wanted next, if nothing happens before."""
        if self._is_at_its_end:
            return None
        return earliest(
            self._close_by_s,
            *(membership.wake_at_s for membership in self._memberships),
            *(feed.wake_at_s for feed in self._feeds.values()),
        )

    def wants(self, now_s: float) -> list[Wanted]:
        """Signs of life, commits, and more records."""
        if self._is_at_its_end:
            return []
        if self._close_by_s is not None and all(feed.is_settled for feed in self._feeds.values()):
            for membership in self._memberships:
                membership.leave()
        wanted: list[Wanted] = []
        for membership in self._memberships:
            wanted += membership.wants(now_s)
        for feed in self._feeds.values():
            wanted += feed.wants(now_s)
        return wanted

    # --- inside ---

    @property
    def _is_at_its_end(self) -> bool:
        return self.failure is not None and self._close_by_s is None

    def _feed(self, topic: str, partition: int) -> Feed:
        tp = TopicPartition(topic, partition)
        if tp not in self._feeds:
            owned = ", ".join(map(str, self.assignment)) or "none"
            raise BadRequest(f"partition: {tp} is not this consumer's; those are: {owned}")
        return self._feeds[tp]

    def _assigned(self, membership: Membership, partitions: Sequence[int]) -> None:
        before = {tp for tp in self._feeds if tp.topic == membership.topic}
        after = {TopicPartition(membership.topic, partition) for partition in partitions}
        for tp in before - after:
            del self._feeds[tp]
        for tp in before & after:
            self._feeds[tp].doubt()
        if self._close_by_s is None:
            for tp in sorted(after - before):
                self._feeds[tp] = Feed(tp, membership, self._options, self._failed)
        self._turns = deque(self._feeds.values())
        if before - after:
            self._events.append(Revoked(tuple(sorted(before - after))))
        if after - before:
            self._events.append(Assigned(tuple(sorted(after - before))))

    def _failed(self, error: FluxError) -> None:
        is_out = isinstance(error, OffsetOutOfRange) and self._options.auto_offset_reset == "error"
        if is_out or isinstance(error, _FATAL):
            self.failure = self.failure or error
        else:
            self._events.append(Survived(error))
