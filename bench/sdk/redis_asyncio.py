"""redis-py's asyncio face."""

import asyncio
import time
from typing import Any

import redis.asyncio as redis

from bench.sdk.meter import BATCH, BATCHES, PAGE, Meter, main


async def one_by_one(meter: Meter) -> None:
    """``xadd``."""
    async with redis.Redis(port=meter.port) as client:
        await client.ping()
        meter.begin()
        at = time.perf_counter()
        while not meter.is_over:
            await client.xadd("bench", {b"v": meter.value})
            at = meter.timed(at)


async def pipelined(meter: Meter) -> None:
    """Pipelines, as many under way as the other producers have batches, on a connection each."""

    async def worker() -> None:
        while not meter.is_over:
            async with client.pipeline(transaction=False) as pipeline:
                for _ in range(BATCH):
                    pipeline.xadd("bench", {b"v": meter.value})
                meter.count += len(await pipeline.execute())

    async with redis.Redis(port=meter.port) as client:
        await client.ping()
        meter.begin()
        await asyncio.gather(*(worker() for _ in range(BATCHES)))


async def consume(meter: Meter) -> None:
    """A group: XREADGROUP, and XACK for what each brought."""
    group = f"g{time.monotonic_ns()}"
    async with redis.Redis(port=meter.port) as client:
        await client.xgroup_create("bench", group, id="0", mkstream=True)
        meter.begin()
        while not meter.is_over:
            pages: Any = await client.xreadgroup(group, "c", {"bench": ">"}, count=PAGE)
            if not pages:
                break
            ((_, entries),) = pages
            for _ in entries:
                meter.count += 1
            await client.xack("bench", group, *[number for number, _ in entries])


if __name__ == "__main__":
    main({"one-by-one": one_by_one, "pipelined": pipelined, "consume": consume})
