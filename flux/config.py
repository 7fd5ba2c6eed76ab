"""Every setting, declared once: its name, default, environment variable and sentence.

Frozen values, one class a room, so that a room is handed only what is its own. :mod:`flux.loading` fills them from a TOML
file, ``FLUX_*`` variables and options. The table in the docs and ``--help-settings`` are made from here.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flux.model import FsyncMode

MAX_PORT = 65535


def host_and_port(text: str) -> tuple[str, int]:
    """``host:port`` or ``[host]:port`` as its two parts; an empty host means every address.

    :raises ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT or (":" in host and not bracketed):
        raise ValueError(text)
    return (host[1:-1] if bracketed else host), int(port)


def web_address(text: str) -> str:
    """*text*, a URL of the web, or nothing. :raises ValueError: it is neither."""
    url = urlsplit(text)
    plain = text.isascii() and text.isprintable() and " " not in text
    if text and not (plain and url.scheme in ("http", "https") and url.hostname and url.username is None):
        raise ValueError(text)
    _ = url.port  # raises for what is no port
    return text


def not_empty(text: str) -> str:
    """*text*. :raises ValueError: there is none."""
    if not text:
        raise ValueError(text)
    return text


def setting(
    default: Any,
    help: str,
    *,
    env: str | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    check: Callable[[str], object] | None = None,
    allowed: str | None = None,
) -> Any:
    """A field with its sentence.

    *env* defaults to ``FLUX_`` and the field's name in capitals. *minimum* and *maximum* bound numbers, -1 means no limit where
    the sentence says so. *check* raises :class:`ValueError` for text that will not do, and *allowed* then says what would.
    """
    metadata = {"help": help, "env": env, "minimum": minimum, "maximum": maximum, "check": check, "allowed": allowed}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Connections."""

    listen_addr: str = setting(
        "127.0.0.1:9092",
        "Address and port to listen on, when no endpoint is given.",
        check=host_and_port,
        allowed="host:port, such as 127.0.0.1:9092 or [::1]:9092, with a port from 0 (any free one) to 65535",
    )
    endpoints: tuple[str, ...] = setting((), "Twisted endpoint strings to listen on; they replace listen_addr.")
    max_line_bytes: int = setting(
        1 << 20, "Longest request line; a longer one is refused and its connection closed.", minimum=64
    )
    max_in_flight_requests: int = setting(
        16384, "Requests read from one connection and not yet answered; then it is not read.", minimum=1
    )
    max_in_flight_bytes: int = setting(8 << 20, "The same in bytes.", minimum=1024)
    max_connections: int = setting(10000, "Connections in all; one more is closed at once.", minimum=1)
    max_connections_per_peer: int = setting(4096, "Connections from one address.", minimum=1)
    partial_line_timeout_ms: int = setting(
        30000, "A line begun and not ended for so long closes its connection.", minimum=100
    )
    idle_timeout_ms: int = setting(600000, "A connection silent for so long is closed.", minimum=1000)
    request_timeout_ms: int = setting(
        30000, "A request not answered for so long, beyond the wait it asked for, fails.", minimum=100
    )
    drain_timeout_ms: int = setting(10000, "How long a stop may take to answer what is in flight.", minimum=0)
    busy_poll_us: int = setting(
        50,
        "While requests follow each other as fast as this, look for the next one for so many µs before going to sleep: shorter answers,"
        " for up to a whole CPU. 0: sleep at once, as with fsync_mode=always. Linux, with two CPUs or more to use, in a container too.",
        minimum=0,
        maximum=1000,
    )


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """Logs on disk."""

    data_dir: str = setting(
        "flux-data", "Directory that holds everything; one broker each.", check=not_empty, allowed="a path"
    )
    fsync_mode: FsyncMode = setting(FsyncMode.ALWAYS, "When bytes are forced to the medium: always, interval or never.")
    flush_interval_ms: int = setting(1000, "With fsync_mode=interval: the longest time between two syncs.", minimum=1)
    flush_bytes: int = setting(
        16 << 20, "With fsync_mode=interval: a partition with so many unsynced bytes is synced at once.", minimum=1
    )
    preallocate_bytes: int = setting(
        1 << 20,
        "With fsync_mode=always: a segment that is used up to its end gets as many zeros behind it as it holds, this many at most, because"
        " a sync of what is written over them takes down to half the time. 0: none.",
        minimum=0,
        maximum=4 << 20,
    )
    segment_max_bytes: int = setting(64 << 20, "A segment that has reached this size is closed.", minimum=1024)
    segment_max_age_seconds: int = setting(7 * 86400, "A segment whose first record is this old is closed.", minimum=1)
    retention_max_bytes: int = setting(
        -1, "Total size a partition may keep in closed segments and the active one; -1: no limit.", minimum=-1
    )
    retention_max_age_seconds: int = setting(7 * 86400, "Age after which closed segments go; -1: never.", minimum=-1)
    retention_interval_ms: int = setting(30000, "How often retention looks.", minimum=10)
    index_interval_bytes: int = setting(4096, "Log bytes between two index entries.", minimum=1)
    tail_bytes: int = setting(
        8 << 20,
        "Memory for the newest batches of all logs together, for those who follow a log's end; 0: none.",
        minimum=0,
    )
    checkpoint_interval_ms: int = setting(60000, "How often recovery points are saved.", minimum=10)
    disk_low_bytes: int = setting(
        1 << 30, "Below this much free space (or 5 % of the disk, if less) appends are refused.", minimum=0
    )
    disk_reserve_bytes: int = setting(
        64 << 20, "Size of the reserve file given up when the disk is full, so that a stop still fits.", minimum=0
    )


@dataclass(frozen=True, slots=True)
class ReplicationConfig:
    """Replicas and the high watermark."""

    min_isr: int = setting(1, "Replicas that must be in sync for acks=all and for the watermark to move.", minimum=1)
    replica_max_lag: int = setting(1000, "Records a replica may lag and still be in sync.", minimum=0)
    replica_lag_timeout_ms: int = setting(10000, "A replica not heard of for so long leaves the ISR.", minimum=1)
    ack_all_timeout_ms: int = setting(2000, "How long acks=all waits for the watermark.", minimum=1)


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """Consumer groups."""

    session_timeout_ms: int = setting(
        10000, "A member not heard of for so long is expelled, unless it asked for another session_ms.", minimum=1
    )
    group_snapshot_records: int = setting(1000, "Group records between two snapshots.", minimum=1)
    group_snapshot_interval_ms: int = setting(30000, "The longest time between two snapshots.", minimum=10)
    max_groups: int = setting(10000, "Groups in all.", minimum=1)
    max_group_members: int = setting(1000, "Members of one group.", minimum=1)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What exists."""

    broker_id: int = setting(0, "This broker's id.", minimum=0)
    advertised_host: str = setting(
        "127.0.0.1", "The address clients are told.", check=not_empty, allowed="a host name or address"
    )
    advertised_port: int = setting(9092, "The port clients are told.", minimum=0, maximum=MAX_PORT)
    num_partitions: int = setting(3, "Partitions of a topic created on first use.", minimum=1)
    replication_factor: int = setting(1, "Its replication factor.", minimum=1)
    auto_create_topics: bool = setting(True, "Whether a topic is created on first use.")
    max_topics: int = setting(10000, "Topics in all.", minimum=1)
    max_partitions_per_topic: int = setting(1000, "Partitions of one topic.", minimum=1)
    broker_timeout_ms: int = setting(9000, "A registered broker silent for so long is fenced.", minimum=1)


@dataclass(frozen=True, slots=True)
class AlertConfig:
    """Who is told of trouble."""

    alert_webhook_url: str = setting(
        "",
        "Where alerts are POSTed as JSON, when a partition becomes under-replicated or its leader changes; empty: nowhere.",
        check=web_address,
        allowed="an http or https URL without a user name, or empty",
    )
    alert_webhook_timeout_ms: int = setting(5000, "How long one attempt may take.", minimum=1)
    alert_webhook_retries: int = setting(
        5, "Further attempts when one fails, after half a second, then twice as long each time.", minimum=0
    )
    alert_queue_size: int = setting(
        1000, "Alerts that wait for a slow receiver; past it the oldest is dropped, and counted.", minimum=1
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All settings in force."""

    server: ServerConfig = ServerConfig()
    storage: StorageConfig = StorageConfig()
    replication: ReplicationConfig = ReplicationConfig()
    group: GroupConfig = GroupConfig()
    cluster: ClusterConfig = ClusterConfig()
    alerts: AlertConfig = AlertConfig()
