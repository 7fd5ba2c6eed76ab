"""redis-py."""

import time
from typing import Any

import redis

from bench.sdk.meter import BATCH, PAGE, Meter, main


def one_by_one(meter: Meter) -> None:
    """``xadd``."""
    with redis.Redis(port=meter.port) as client:
        client.ping()
        meter.begin()
        at = time.perf_counter()
        while not meter.is_over:
            client.xadd("bench", {b"v": meter.value})
            at = meter.timed(at)


def pipelined(meter: Meter) -> None:
    """Pipelines, one after the other: redis-py has no more than one under way on a connection."""
    with redis.Redis(port=meter.port) as client:
        client.ping()
        meter.begin()
        while not meter.is_over:
            with client.pipeline(transaction=False) as pipeline:
                for _ in range(BATCH):
                    pipeline.xadd("bench", {b"v": meter.value})
                meter.count += len(pipeline.execute())


def consume(meter: Meter) -> None:
    """A group: XREADGROUP, and XACK for what each brought."""
    group = f"g{time.monotonic_ns()}"
    with redis.Redis(port=meter.port) as client:
        client.xgroup_create("bench", group, id="0", mkstream=True)
        meter.begin()
        while not meter.is_over:
            pages: Any = client.xreadgroup(group, "c", {"bench": ">"}, count=PAGE)
            if not pages:
                break
            ((_, entries),) = pages
            for _ in entries:
                meter.count += 1
            client.xack("bench", group, *[number for number, _ in entries])


if __name__ == "__main__":
    main({"one-by-one": one_by_one, "pipelined": pipelined, "consume": consume})
