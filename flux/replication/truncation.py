"""How a follower parts with what its leader never had."""

from flux.errors import StorageError
from flux.interfaces import ILog
from flux.model import TopicPartition


async def truncate_to_leader(
    tp: TopicPartition, log: ILog, high_watermark: int, leader_epoch: int, end_offset: int
) -> bool:
    """The leader's largest epoch not above the one asked about is *leader_epoch*, and ends at *end_offset*: cut what it lacks.

    Whether that settles it; if not, the leader is to be asked about this log's last epoch again: after two failovers in a row one
    exchange is not enough (KIP-101, KIP-279). The high watermark is no target of it, only what it never cuts below.

    :raises StorageError: it would have to.
    """
    epoch, end = log.end_offset_for_epoch(leader_epoch)
    settled = epoch == leader_epoch
    cut = min(end, end_offset) if settled else max(end, log.start_offset)
    if cut < high_watermark:
        raise StorageError(
            f"{tp}: the leader's history leaves this log's at offset {cut}, below the high watermark {high_watermark};"
            " cutting there would lose committed records, so this replica stops"
        )
    await log.truncate(cut)
    return settled
