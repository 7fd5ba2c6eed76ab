"""A topic read as a member of a group: what is written out is committed, and nothing else."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from flux.errors import BadRequest, FluxError

if TYPE_CHECKING:
    from flux.client import BlockingClient, BlockingConsumer, Record
    from flux.model import TopicPartition

Told = Callable[[FluxError], object]


class AtEnd(Exception):
    """Nothing is left of what there was when the partitions became ours."""


class Share:
    """A member of *group*: each record that :meth:`read` hands out counts as handled when its handler has returned.

    With *is_finite* it reads what is there when a partition becomes its own, and then stops.
    """

    def __init__(
        self,
        client: "BlockingClient",
        group: str,
        topic: str,
        reset: Literal["earliest", "latest"],
        is_finite: bool,
        told: Told,
    ) -> None:
        from flux.client import ConsumerOptions

        self._client = client
        self._group = group
        self._reset: Literal["earliest", "latest"] = reset
        self._is_finite = is_finite
        self._ends: dict[TopicPartition, int] = {}  # of the partitions that are not read up to there
        self._consumer: BlockingConsumer = client.consumer(
            group,
            topic,
            ConsumerOptions(auto_offset_reset=reset),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_error=told,
        )

    def read(self, handler: Callable[["Record"], object], most: int | None) -> None:
        """Until the end, or *most* records, or :meth:`close`."""
        try:
            while most is None or most > 0:
                record = next(self._consumer, None)
                if record is None:
                    return
                handler(record)
                self._consumer.handled()
                most = None if most is None else most - 1
                self._look(record)
        except AtEnd:
            return

    def close(self) -> None:
        """Commit what is handled, and leave."""
        self._consumer.close()

    def _look(self, record: "Record") -> None:
        """:raises AtEnd: that was the last one."""
        tp = record[:2]
        for partition, end in list(self._ends.items()):
            if partition == tp and self._position(partition, record.offset + 1) >= end:
                del self._ends[partition]
                self._check()

    def _position(self, tp: "TopicPartition", default: int) -> int:
        """What is missing behind the last record counts as read."""
        try:
            return self._consumer.position(*tp) or default
        except BadRequest:  # it is not ours any more
            return default

    def _check(self) -> None:
        if self._is_finite and not self._ends:
            raise AtEnd

    def _assigned(self, partitions: Sequence["TopicPartition"]) -> None:
        if self._is_finite:
            for tp in partitions:
                end = self._client.offsets(*tp, "latest").offset
                where = self._client.offset(self._group, *tp)
                if self._is_something_left(
                    tp, where.offset if where.committed or self._reset == "earliest" else end, end
                ):
                    self._ends[tp] = end
            self._check()

    def _is_something_left(self, tp: "TopicPartition", start: int, end: int) -> bool:
        """Not by the offsets alone: what was damaged leaves gaps."""
        page = self._client.consume(*tp, start, max_records=1, reset=self._reset)
        return any(record.offset < end for record in page.records)

    def _revoked(self, partitions: Sequence["TopicPartition"]) -> None:
        for tp in partitions:
            self._ends.pop(tp, None)
