"""Sending a group elsewhere: every committed offset of one topic moved at once, under the feet of whoever reads."""

from flux.errors import BadRequest
from flux.group.group import Cause, Step, fence
from flux.group.live import LiveGroups
from flux.group.offsets import OffsetChange
from flux.interfaces import IPartitions, OffsetMove, Reset, ResetTo
from flux.model import TopicPartition


async def targets(partitions: IPartitions, topic: str, count: int, to: ResetTo) -> list[int]:
    """Where *to* lies in each partition, never outside what it holds. :raises UnknownTopic: it is gone."""
    return [await _target(partitions, TopicPartition(topic, number), to) for number in range(count)]


def must_be_on(live: LiveGroups, group: str, topic: str) -> None:
    """:raises BadRequest: *group* never joined *topic*; a typing error must not make a new group."""
    if live.table.get(group, topic) is None:
        on = " ".join(sorted(live.table.groups[group]))
        raise BadRequest(f"topic: group {group!r} is not on topic {topic!r}; it is on {on}")


def moves(live: LiveGroups, group: str, topic: str, wanted: list[int]) -> Reset:
    """What would be done, in the generation in force."""
    offsets = live.table.offsets.of(group, topic)
    moved = tuple(OffsetMove(partition, offsets.get(partition), after) for partition, after in enumerate(wanted))
    return Reset(live.generation(group, topic).number, moved)


def reset(live: LiveGroups, group: str, topic: str, wanted: list[int], to: ResetTo) -> tuple[Reset, int]:
    """Do it, in one batch with the fence; what was done, and where the log ends then. :raises StorageError: nothing was."""
    planned = moves(live, group, topic, wanted)
    current = live.generation(group, topic)
    step = Step(current)
    if current.members:  # somebody reads: what it says of the old offsets from now on must be refused
        detail = f"to={to.where}" + (f":{to.value}" if to.where in ("offset", "time") else "")
        step = fence(current, topic, Cause.RESET, 1, detail, live.at_ms())
    number = step.generation.number
    written = [OffsetChange(group, topic, move.partition, move.after, number, None) for move in planned.moves]
    return Reset(number, planned.moves), live.follow(group, topic, current, step, written)


async def _target(partitions: IPartitions, tp: TopicPartition, to: ResetTo) -> int:
    partition = partitions.get(tp)
    found = await partition.offset_for(to.value) if to.where == "time" else None
    start, end = partition.log_start, partition.high_watermark
    wanted = {"earliest": start, "offset": to.value, "time": end if found is None else found[0]}.get(to.where, end)
    return min(max(wanted, start), end)
