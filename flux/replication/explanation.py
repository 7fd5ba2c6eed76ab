"""Why a partition's watermark stands where it stands. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from flux.model import Role
from flux.replication.isr import Standing


class Explanation(NamedTuple):
    """Everything that decides the watermark, and the sentence that sums it up."""

    role: Role
    leader_epoch: int
    high_watermark: int
    log_start: int
    log_end: int
    promised_end: int
    min_isr: int
    isr: tuple[int, ...]
    replicas: Sequence[Standing]
    why: str


def why(
    high_watermark: int,
    committed: int,
    log_end: int,
    isr: Sequence[int],
    min_isr: int,
    replicas: Sequence[Standing],
    failure: Exception | None,
) -> str:
    """The leader's sentence; *failure* is its log's, which outdoes every other reason."""
    hidden = log_end - high_watermark
    if failure is not None:
        return f"{f'{hidden} records are not' if hidden else 'every record is'} committed; {failure}"
    if not hidden:
        return "every record is committed"
    if committed > high_watermark:
        return f"{committed - high_watermark} records are committed and not shown yet: their watermark is being stored"
    if len(isr) < min_isr:
        return f"{hidden} records are not committed: {len(isr)} replicas are in sync and the watermark moves from {min_isr} on"
    holding = [standing.replica for standing in replicas if standing.in_sync and standing.end_offset <= high_watermark]
    if holding == [0]:
        return f"{hidden} records are not committed: the leader has not synced them yet"
    if holding:
        return f"{hidden} records are not committed: replicas {holding} are in sync and have not confirmed them"
    return f"{hidden} records are not committed: an ISR change is being stored"
