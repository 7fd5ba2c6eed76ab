"""A log's own settings: the broker's, overridden topic by topic under Kafka's names."""

from collections.abc import Mapping
from dataclasses import dataclass

from flux.config import StorageConfig
from flux.model import FsyncMode

_MAX_SEGMENT = (1 << 31) - 1  # positions are 32-bit in the index files


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What one log goes by. None stands for *no limit*."""

    fsync_mode: FsyncMode
    flush_bytes: int
    preallocate_bytes: int
    segment_bytes: int
    segment_ms: int
    retention_ms: int | None
    retention_bytes: int | None

    @classmethod
    def of(cls, config: StorageConfig, topic: Mapping[str, str]) -> "LogSettings":
        """*config*, with what *topic* says otherwise (``segment.bytes``, ``segment.ms``, ``retention.bytes``, ``retention.ms``)."""
        age = config.retention_max_age_seconds
        return cls(
            fsync_mode=config.fsync_mode,
            flush_bytes=config.flush_bytes,
            preallocate_bytes=config.preallocate_bytes if config.fsync_mode is FsyncMode.ALWAYS else 0,
            segment_bytes=min(int(topic.get("segment.bytes", config.segment_max_bytes)), _MAX_SEGMENT),
            segment_ms=int(topic.get("segment.ms", config.segment_max_age_seconds * 1000)),
            retention_ms=_limit(int(topic.get("retention.ms", -1 if age < 0 else age * 1000))),
            retention_bytes=_limit(int(topic.get("retention.bytes", config.retention_max_bytes))),
        )


def _limit(value: int) -> int | None:
    return None if value < 0 else value
