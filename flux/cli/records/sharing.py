"""A topic read as a member of a group: what is written out is committed, and nothing else."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from flux.cli.records.outage import Outage
from flux.errors import BadRequest, FluxError

if TYPE_CHECKING:
    from flux.client import BlockingClient, BlockingConsumer, Record
    from flux.model import TopicPartition
_LEAVE_S = 3.0  # somebody has pressed Ctrl-C; a session that is not left ends by itself


class _AtEnd(Exception):
    """Nothing is left to wait for."""


class Share:
    """A member of *group*: what :meth:`next` handed out is committed once it is :meth:`handled`.

    With *is_finite* it reads what is there when a partition becomes its own, and then there is no next one.
    """

    def __init__(
        self,
        client: "BlockingClient",
        group: str,
        topic: str,
        reset: Literal["earliest", "latest"],
        is_finite: bool,
        outage: Outage,
    ) -> None:
        from flux.client import ConsumerOptions

        self._client = client
        self._group = group
        self._topic = topic
        self._reset: Literal["earliest", "latest"] = reset
        self._is_finite = is_finite
        self._outage = outage
        self._is_at_end = False
        self._is_closing = False
        self._ends: dict[TopicPartition, int] = {}  # of the partitions that are not read up to there
        self._consumer: BlockingConsumer = client.consumer(
            group,
            topic,
            ConsumerOptions(auto_offset_reset=reset),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_error=outage.told,
        )

    def next(self) -> "Record | None":
        """The next record; None when there is none left, or this was closed."""
        if self._is_at_end:
            return None
        try:
            record = next(self._consumer, None)
        except _AtEnd:
            return None
        if record is not None:
            self._outage.over()
            self._note(record)
        return record

    def handled(self) -> None:
        """The record is where it should be."""
        self._consumer.handled()

    def close(self) -> None:
        """Commit what is handled, and leave, if the broker answers soon. From any thread, and more than once."""
        self._is_closing = True
        self._consumer.close(_LEAVE_S)

    def is_committed(self, last: Mapping[int, int]) -> bool:
        """Whether the group surely goes on behind the *last* offsets, by partition."""
        try:
            return all(
                self._client.offset(self._group, self._topic, partition, timeout_s=_LEAVE_S).offset > offset
                for partition, offset in last.items()
            )
        except FluxError:
            return False

    def _note(self, record: "Record") -> None:
        for tp, end in list(self._ends.items()):
            if tp == record[:2] and self._position(tp, record.offset + 1) >= end:
                del self._ends[tp]
                self._is_at_end = self._is_finite and not self._ends

    def _position(self, tp: "TopicPartition", default: int) -> int:
        """What is missing behind the last record counts as read."""
        try:
            return self._consumer.position(*tp) or default
        except BadRequest:  # it is not ours any more
            return default

    def _assigned(self, partitions: Sequence["TopicPartition"]) -> None:
        if not self._is_finite:
            return
        for tp in partitions:
            end = self._client.offsets(*tp, "latest").offset
            found = self._client.offset(self._group, *tp)
            start = found.offset if found.committed or self._reset == "earliest" else end
            if self._is_something_left(tp, start, end):
                self._ends[tp] = end
        if not self._ends:
            raise _AtEnd

    def _is_something_left(self, tp: "TopicPartition", start: int, end: int) -> bool:
        """Not by the offsets alone: what was damaged leaves gaps."""
        page = self._client.consume(*tp, start, max_records=1, reset=self._reset)
        return any(record.offset < end for record in page.records)

    def _revoked(self, partitions: Sequence["TopicPartition"]) -> None:
        were_left = [self._ends.pop(tp, None) for tp in partitions]
        if any(were_left) and not self._ends and not self._is_closing:
            raise _AtEnd  # the rest is somebody else's
