"""What the rooms keep beside the logs: metadata, high watermarks, group snapshots. Each file is read, and held against the logs."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flux.cluster.codec import decode
from flux.cluster.image import Image
from flux.errors import StorageError
from flux.interfaces import IDirectory
from flux.model import TopicPartition
from flux.storage.checkpoint import read_file
from flux.storage.claims import SmallFiles
from flux.storage.existing import META, log_named
from flux.storage.findings import Finding, Kind

GROUP_LOG = "__consumer_offsets-0"
METADATA, WATERMARKS, OFFSETS, GROUPS = "metadata.json", "high-watermarks.json", "offsets.json", "groups.json"


class DataFiles:
    """*Action*: :meth:`read` before the logs are, :meth:`compare` after. What is wrong goes to *small*."""

    def __init__(self, directory: IDirectory, small: SmallFiles) -> None:
        self._directory = directory
        self._small = small
        self._image: Image | None = None
        self._watermarks: Mapping[tuple[str, str], int] = {}
        self._snapshots: dict[str, int] = {}

    def read(self) -> None:
        """What the files say now: a running broker's logs are only ever ahead of them."""
        self._read_meta()
        refused = "a start is refused; restore it from a backup"
        self._image = self._small.checkpoint(METADATA, _image, refused)
        relearned = "a start goes on without it, and consumers may see less until replicas report"
        self._watermarks = self._small.checkpoint(WATERMARKS, _watermarks, relearned) or {}
        rebuilt = "a start rebuilds it from the group log, if that was never cut, and is refused otherwise"
        for name in (OFFSETS, GROUPS):
            covers = self._small.checkpoint(name, _covers, rebuilt)
            if covers is not None:
                self._snapshots[name] = covers

    def compare(self, ends: Mapping[str, int]) -> Iterator[Finding]:
        """What is said and is not so. *ends* is where each log that is there ends."""
        for (topic_id, log), committed in sorted(self._watermarks.items()):
            end = ends.get(log)
            if end is not None and committed > end and self._is_of_today(topic_id, log):
                why = f"says that {log} is committed up to offset {committed}, and the log ends at {end}"
                then = "a start says that committed records are missing"
                yield Finding(Kind.CHECKPOINT, WATERMARKS, why, then, first=end, next=committed, log=log)
        end = ends.get(GROUP_LOG, 0)
        for name, covers in self._snapshots.items():
            if covers > end:
                why = f"includes the group log up to offset {covers}, and that ends at {end}"
                then = "a start goes on from the snapshots if both include as much, and is refused otherwise"
                yield Finding(Kind.CHECKPOINT, name, why, then, first=end, next=covers, log=GROUP_LOG)
        if self._image is not None:
            yield from _topics_without_logs(self._image, ends)
            yield from _logs_without_topics(self._image, ends)

    def _is_of_today(self, topic_id: str, log: str) -> bool:
        """A topic may have had a predecessor of its name, which is forgotten a little later than it is deleted."""
        tp = log_named(log)
        topic = None if self._image is None or tp is None else self._image.topics.get(tp.topic)
        return topic is None or topic.topic_id == topic_id

    def _read_meta(self) -> None:
        try:
            data = read_file(self._directory, META) or b""
        except OSError as error:
            self._small.note(META, f"cannot be read: {error.strerror or error}", "a start is refused")
            return
        known = dict(line.split("=", 1) for line in data.decode("utf-8", "replace").splitlines() if "=" in line)
        if not (known.get("version", "").isdigit() and known.get("broker.id", "").isdigit()):
            self._small.note(META, "does not say whose directory this is, and in which format", "a start is refused")


def _topics_without_logs(image: Image, ends: Collection[str]) -> Iterator[Finding]:
    for topic in image.topics.values():
        for number in range(len(topic.partitions)):
            log = str(TopicPartition(topic.name, number))
            if log not in ends:
                why = "the topic has this partition, and there is no directory for it"
                yield Finding(Kind.CHECKPOINT, METADATA, why, "a start makes it", harmless=True, log=log)


def _logs_without_topics(image: Image, ends: Collection[str]) -> Iterator[Finding]:
    for log in sorted(ends):
        tp = log_named(log)
        topic = None if tp is None else image.topics.get(tp.topic)
        if topic is None or tp is None or tp.partition >= len(topic.partitions):
            why = "is not of any topic in the metadata"
            yield Finding(Kind.LEFTOVER, "", why, "a start adopts it as a topic's", harmless=True, log=log)


def _image(content: Any) -> Image:
    try:
        return decode(content)
    except StorageError as error:
        raise ValueError(str(error)) from error


def _watermarks(content: Any) -> dict[tuple[str, str], int]:
    """Topic id and log → one past its last committed offset."""
    return {
        (str(topic_id), str(TopicPartition(str(topic["topic"]), int(number)))): int(offset)
        for topic_id, topic in content.get("topics", {}).items()
        for number, offset in topic["high_watermarks"].items()
    }


def _covers(content: Any) -> int:
    return int(content["log_offset"])
