"""What a person is told about a group: its members, what each owns, and how far behind they are."""

from typing import Any

from flux.batch import decode
from flux.errors import BadRequest, UnknownTopic
from flux.group.group import GroupState
from flux.group.live import LiveGroups
from flux.group.table import Subscription
from flux.interfaces import IPartition, IPartitions
from flux.model import TopicPartition


def summary(live: LiveGroups, group: str) -> dict[str, Any]:
    """One line of GROUP_LIST."""
    topics = live.table.groups[group]
    states = {subscription.state for subscription in topics.values()}
    worst = next(state for state in (GroupState.REBALANCING, GroupState.STABLE, GroupState.EMPTY) if state in states)
    return {"group": group, "state": worst.value, "members": live.table.members(group), "topics": sorted(topics)}


async def describe(live: LiveGroups, partitions: IPartitions, group: str) -> dict[str, Any]:
    """GROUP_DESCRIBE: each topic's generation, members and partitions.

    ``log_end`` is one past the last record consumers can see, ``lag`` the records between it and the next offset to read, and
    ``lag_seconds`` the age of the first of them; null where nothing tells. Reads one batch a lagging partition, one at a time.
    """
    topics = []
    for topic, subscription in sorted(live.table.groups[group].items()):
        generation = subscription.generation
        owners = {p: name for name, member in generation.members.items() for p in member.partitions}
        offsets = live.table.offsets.of(group, topic)
        members = [_member(live, group, topic, name, subscription) for name in sorted(generation.members)]
        topics.append(
            {
                "topic": topic,
                "generation": generation.number,
                "state": subscription.state.value,
                "assignor": generation.assignor,
                "members": members,
                "partitions": [
                    {"partition": p, "member": owners.get(p), "committed": offsets.get(p)}
                    | await _lag(live, partitions, TopicPartition(topic, p), offsets.get(p))
                    for p in sorted({*range(generation.partitions), *offsets})
                ],
            }
        )
    return summary(live, group) | {"topics": topics}


def _member(live: LiveGroups, group: str, topic: str, name: str, subscription: Subscription) -> dict[str, Any]:
    member = subscription.generation.members[name]
    return {
        "member": name,
        "assigned": list(member.partitions),
        "session_ms": member.session_ms,
        "silent_ms": live.silent_ms((group, topic, name)),
        "knows_generation": name not in subscription.unheard,
    }


async def _lag(live: LiveGroups, partitions: IPartitions, tp: TopicPartition, committed: int | None) -> dict[str, Any]:
    try:
        partition = partitions.get(tp)
    except (UnknownTopic, BadRequest):
        return {"log_start": None, "log_end": None, "lag": None, "lag_seconds": None}
    start, end = partition.log_start, partition.high_watermark
    position = max(start, start if committed is None else committed)
    lag = max(0, end - position)
    oldest_ms = await _timestamp(partition, position) if lag else None
    age = None if oldest_ms is None else max(0.0, round((live.at_ms() - oldest_ms) / 1000, 3))
    return {"log_start": start, "log_end": end, "lag": lag, "lag_seconds": age if lag else 0.0}


async def _timestamp(partition: IPartition, offset: int) -> int | None:
    """When the first record from *offset* on was stamped."""
    fetched = await partition.fetch(offset, 1, 0.0, 1)
    return next((record.timestamp_ms for record in decode(fetched.data) if record.offset >= offset), None)
