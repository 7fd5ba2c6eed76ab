"""Two real brokers, one compiled and one not: the same bytes in, the same bytes out, the same records on disk.

What may differ is the time a record was stamped with, and what the comments below name.
"""

import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux.wire.v1 import MAX_CUT
from tests.integration.broker import BrokerProcess, LineClient
from tests_compiled.comparing import BOTH
from tests_compiled.traffic import MAX_LINE_BYTES, Traffic

EXAMPLES = int(os.environ.get("FLUX_TEST_EXAMPLES", "100"))
CHUNKS = 8 * EXAMPLES
CONNECTIONS = 4
MANY = 70  # partitions, all of which a run may wait for: more than a C integer has bits
SETTINGS = {
    # Small, so that the traffic meets every limit and rolls many segments.
    "max_line_bytes": MAX_LINE_BYTES,
    "segment_max_bytes": 4096,
    "index_interval_bytes": 256,
    "tail_bytes": 4096,
    "max_topics": 40,
    "max_partitions_per_topic": MANY,
    "max_groups": 20,
    "max_group_members": 3,
    "group_snapshot_records": 50,
    # Nothing may depend on how fast a broker is, so no timer rings.
    "retention_interval_ms": 10**9,
    "retention_max_age_seconds": -1,
    "segment_max_age_seconds": 10**12,
    "session_timeout_ms": 3600 * 1000,
    "replica_lag_timeout_ms": 10**9,
    "broker_timeout_ms": 10**9,
}


class Pair:
    """Both brokers, and connections to both."""

    def __init__(self, compiled: BrokerProcess, pure: BrokerProcess) -> None:
        self.brokers = compiled, pure
        self.clients = [self._connected() for _ in range(CONNECTIONS)]

    def ask(self, connection: int, lines: list[bytes]) -> list[list[str]]:
        """What both answer to *lines*, sent at once: as many lines, or fewer and that they closed."""
        self.send(connection, lines)
        return self.answers(connection, len(lines))

    def send(self, connection: int, lines: list[bytes]) -> None:
        """The lines, to both."""
        for client in self.clients[connection]:
            client.socket.sendall(b"".join(line + b"\n" for line in lines))

    def answers(self, connection: int, count: int) -> list[list[str]]:
        """The next *count* answers of both, or those until they closed, and that they did; then there is a new connection."""
        both = [_lines(client, count) for client in self.clients[connection]]
        if any(lines[-1:] == ["closed"] for lines in both):
            for client in self.clients[connection]:
                client.close()
            self.clients[connection] = self._connected()
        return both

    def close(self) -> None:
        """Close all connections."""
        for clients in self.clients:
            for client in clients:
                client.close()

    def stop(self) -> None:
        """Stop both brokers."""
        assert [broker.stop() for broker in self.brokers] == [0, 0]

    def _connected(self) -> list[LineClient]:
        return [broker.client() for broker in self.brokers]


def _lines(client: LineClient, count: int) -> list[str]:
    lines = []
    for _ in range(count):
        try:
            lines.append(_comparable(client.line()))
        except ConnectionError:
            return [*lines, "closed"]
    return lines


def _comparable(text: str) -> str:
    """*text* without topics' ids, which are made, and without what may be the present time in milliseconds, which the traffic never is."""
    text = re.sub("(?<=%22)[0-9a-f]{32}(?=%22)", "id", text)
    return re.sub(r"(?<!\d)\d{13}(?!\d)", lambda found: "now" if _is_now(int(found[0])) else found[0], text)


def _is_now(timestamp_ms: int) -> bool:
    return abs(timestamp_ms - time.time() * 1000) < 3600 * 1000


@pytest.fixture
def pair(tmp_path: Path, pure: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both, running, with the settings that the test asks for beside ours; each says in its log what it is."""
    options = [word for name, value in {**SETTINGS, **request.param}.items() for word in ("--set", f"{name}={value}")]
    compiled_broker = BrokerProcess(tmp_path / "compiled", *options)
    pure_broker = BrokerProcess(tmp_path / "pure", *options, PYTHONPATH=str(pure))
    with compiled_broker, pure_broker:
        assert "compiled, runs on" in compiled_broker.log()
        assert "pure Python, runs on" in pure_broker.log()
        both = Pair(compiled_broker, pure_broker)
        yield both
        both.close()
    for broker in (compiled_broker, pure_broker):
        assert "Traceback" not in broker.log(), broker.log()[-3000:]


# Nothing waits for the disk, so that watermarks are the same too; and what waits for a replica that never comes waits in vain.
@pytest.mark.parametrize("pair", [{"fsync_mode": "never", "ack_all_timeout_ms": 20}], ids=["never"], indirect=True)
def test_what_is_asked_in_turn_is_answered_alike(pair: Pair) -> None:
    """Any lines, on several connections, one chunk at a time: byte for byte, and so are segments and batches on disk."""
    seed = _seed()
    traffic, dice = Traffic(seed), random.Random(seed)
    for lines in ([b"V1|0|ADMIN_CREATE_TOPIC|pair 2 2"], [b"V1|0|ADMIN_CREATE_TOPIC|one 1 1"]):
        compiled, pure = pair.ask(0, lines)
        assert compiled == pure
    for number in range(CHUNKS):
        lines = traffic.chunk()
        compiled, pure = pair.ask(dice.randrange(CONNECTIONS), lines)
        for line, one, other in zip(lines, compiled, pure, strict=False):
            assert one == other, (
                f"seed {seed}, chunk {number}: {line!r} was answered so by the compiled one, and so by the other"
            )
            assert "INTERNAL_ERROR" not in one, f"seed {seed}, chunk {number}: {line!r} was answered {one!r}"
        assert compiled == pure, f"seed {seed}, chunk {number}"
        traffic.heard(pure)
    pair.stop()
    compiled_log, pure_log = (_batches(broker.data_dir) for broker in pair.brokers)
    assert len(pure_log) > 10
    assert compiled_log == pure_log, f"seed {seed}"


@pytest.mark.parametrize("pair", [{"fsync_mode": "always", "ack_all_timeout_ms": 10**6}], ids=["always"], indirect=True)
def test_what_is_asked_at_once_is_answered_alike(pair: Pair) -> None:
    """Chunks as long as a run and longer, on all connections at once, each to a topic of its own and then all to one."""
    seed = _seed()
    traffic, dice = Traffic(seed), random.Random(seed)
    for connection in range(CONNECTIONS):
        compiled, pure = pair.ask(0, [b"V1|0|ADMIN_CREATE_TOPIC|own-%d %d 1" % (connection, MANY)])
        assert compiled == pure
    for _ in range(EXAMPLES // 10):
        counts = [dice.choice([1, 10, 1000, MAX_CUT + 1]) for _ in range(CONNECTIONS)]
        for connection, count in enumerate(counts):
            pair.send(connection, traffic.produces(b"own-%d" % connection, count))
        for connection, count in enumerate(counts):
            compiled, pure = pair.answers(connection, count)
            # The watermark depends on how TCP cuts a long chunk into reads.
            assert _without(" hw=", compiled) == _without(" hw=", pure), f"seed {seed}"
        offsets: list[list[int]] = [[], []]
        for connection in range(CONNECTIONS):
            pair.send(connection, [b"V1|1|PRODUCE|shared k:%d acks=1" % connection] * counts[connection])
        for connection, count in enumerate(counts):
            both = pair.answers(connection, count)
            # Who comes first among connections is free too.
            assert _without(" offset=", both[0]) == _without(" offset=", both[1]), f"seed {seed}"
            for known, lines in zip(offsets, both, strict=True):
                known += [int(line.split(" offset=")[1].split(" ")[0]) for line in lines]
        assert sorted(offsets[0]) == sorted(offsets[1]), f"seed {seed}"
    pair.stop()
    compiled_log, pure_log = (_records(broker.data_dir) for broker in pair.brokers)
    assert len(pure_log) > CONNECTIONS
    assert compiled_log == pure_log, f"seed {seed}"


def _seed() -> int:
    """Another in each run; what a failure prints, given as ``FLUX_TEST_SEED``, is played again."""
    return int(os.environ.get("FLUX_TEST_SEED", "0")) or random.randrange(1, 1 << 32)


def _without(field: str, lines: list[str]) -> list[str]:
    """Without *field* and what comes after it in the line."""
    return [line.split(field)[0] for line in lines]


# --- on disk ---


def _segments(data_dir: Path) -> Iterator[tuple[str, str, bytes]]:
    """Partition, name and bytes of every segment of what clients produced."""
    for path in sorted(data_dir.glob("*/*.log")):
        if not path.parent.name.startswith("__"):
            yield path.parent.name, path.name, path.read_bytes()


def _batches(data_dir: Path) -> list[Any]:
    """Every segment's batches: their places, all that their headers say but times and CRC, and their records, as pure Python reads them."""
    batch = BOTH["flux.batch"][1]
    found = []
    for partition, name, data in _segments(data_dir):
        for header, position in batch.walk(data):
            free = {
                "crc": 0,
                "base_timestamp_ms": _stamp(header.base_timestamp_ms),
                "max_timestamp_ms": _stamp(header.max_timestamp_ms),
            }
            records = batch.decode(data[position : position + header.length])
            found.append((partition, name, header._replace(**free), [_untimed(record) for record in records]))
    return found


def _records(data_dir: Path) -> dict[str, list[Any]]:
    """Each partition's records; in batches of any size, and those of the topic that all connections share in any order."""
    batch = BOTH["flux.batch"][1]
    found: dict[str, list[Any]] = {}
    for partition, _, data in _segments(data_dir):
        found.setdefault(partition, []).extend(_untimed(record) for record in batch.decode(data))
    for partition in found:
        if partition.startswith("shared-"):
            found[partition] = sorted((record.key, record.value) for record in found[partition])
    return found


def _untimed(record: Any) -> Any:
    return record._replace(timestamp_ms=_stamp(record.timestamp_ms))


def _stamp(timestamp_ms: int) -> int | str:
    return "now" if _is_now(timestamp_ms) else timestamp_ms
