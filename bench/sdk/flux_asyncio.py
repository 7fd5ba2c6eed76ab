"""Flux's asyncio face."""

import time

from bench.sdk.meter import Meter, main
from flux.client import AsyncFluxClient, ConsumerOptions


async def one_by_one(meter: Meter) -> None:
    """``produce``."""
    async with AsyncFluxClient(f"127.0.0.1:{meter.port}") as client:
        meter.begin()
        at = time.perf_counter()
        while not meter.is_over:
            await client.produce("bench", "k", meter.value)
            at = meter.timed(at)


async def pipelined(meter: Meter) -> None:
    """A producer with its defaults: batches of 100, five under way."""
    async with AsyncFluxClient(f"127.0.0.1:{meter.port}") as client, client.producer() as producer:
        meter.begin()
        while not meter.is_over:
            await producer.room()
            producer.send("bench", f"k{meter.count % 1000}", meter.value)
            meter.count += 1
        await producer.flush()


async def consume(meter: Meter) -> None:
    """A consumer with its defaults."""
    options, group = ConsumerOptions(auto_offset_reset="earliest"), f"g{time.monotonic_ns()}"
    async with (
        AsyncFluxClient(f"127.0.0.1:{meter.port}") as client,
        client.consumer(group, "bench", options) as consumer,
    ):
        meter.begin()
        async for _ in consumer:
            meter.count += 1
            if meter.is_over:
                break


if __name__ == "__main__":
    main({"one-by-one": one_by_one, "pipelined": pipelined, "consume": consume})
