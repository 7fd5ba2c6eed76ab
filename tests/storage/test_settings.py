"""A log's settings: the broker's, and the topic's own under Kafka's names."""

from twisted.trial.unittest import SynchronousTestCase

from flux.config import StorageConfig
from flux.model import FsyncMode
from flux.storage.settings import LogSettings

CONFIG = StorageConfig(
    fsync_mode=FsyncMode.INTERVAL,
    segment_max_bytes=5000,
    segment_max_age_seconds=60,
    retention_max_bytes=-1,
    retention_max_age_seconds=3600,
    flush_bytes=77,
)


class Settings(SynchronousTestCase):
    def test_the_brokers_hold_where_the_topic_says_nothing(self) -> None:
        """Seconds become milliseconds, -1 becomes no limit."""
        self.assertEqual(
            LogSettings.of(CONFIG, {}), LogSettings(FsyncMode.INTERVAL, 77, 0, 5000, 60_000, 3_600_000, None)
        )
        endless = StorageConfig(retention_max_age_seconds=-1, retention_max_bytes=9)
        self.assertEqual(
            (LogSettings.of(endless, {}).retention_ms, LogSettings.of(endless, {}).retention_bytes), (None, 9)
        )

    def test_the_topics_own_come_first(self) -> None:
        """All four of Kafka's names; others are none of storage's business."""
        topic = {
            "segment.bytes": "1024",
            "segment.ms": "7",
            "retention.bytes": "0",
            "retention.ms": "-1",
            "cleanup.policy": "delete",
        }
        self.assertEqual(LogSettings.of(CONFIG, topic), LogSettings(FsyncMode.INTERVAL, 77, 0, 1024, 7, None, 0))

    def test_a_segment_has_32_bit_positions(self) -> None:
        """However large it may be."""
        self.assertEqual(LogSettings.of(CONFIG, {"segment.bytes": str(1 << 40)}).segment_bytes, (1 << 31) - 1)
