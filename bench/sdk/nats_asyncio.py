"""nats-py, which has an asyncio face only."""

import time

import nats
from nats.js.api import AckPolicy, ConsumerConfig

from bench.sdk.meter import PAGE, WINDOW, Meter, main


async def one_by_one(meter: Meter) -> None:
    """``publish``, which awaits the acknowledgement."""
    client = await nats.connect(f"nats://127.0.0.1:{meter.port}")
    stream = client.jetstream()
    meter.begin()
    at = time.perf_counter()
    while not meter.is_over:
        await stream.publish("bench", meter.value)
        at = meter.timed(at)
    await client.close()


async def pipelined(meter: Meter) -> None:
    """``publish_async``, with as many not yet acknowledged as the other producers have."""
    client = await nats.connect(f"nats://127.0.0.1:{meter.port}")
    stream = client.jetstream(publish_async_max_pending=WINDOW)
    meter.begin()
    while not meter.is_over:
        await stream.publish_async("bench", meter.value, wait_stall=5)
        meter.count += 1
    await stream.publish_async_completed()
    await client.close()


async def consume(meter: Meter) -> None:
    """Batches of a pull consumer; the acknowledgement of a batch's last message is for all of them."""
    client = await nats.connect(f"nats://127.0.0.1:{meter.port}")
    stream = client.jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.ALL, max_ack_pending=10 * PAGE)
    subscription = await stream.pull_subscribe("bench", f"g{time.monotonic_ns()}", config=config)
    meter.begin()
    while not meter.is_over:
        messages = await subscription.fetch(PAGE)
        for _ in messages:
            meter.count += 1
        await messages[-1].ack()
    await client.close()


if __name__ == "__main__":
    main({"one-by-one": one_by_one, "pipelined": pipelined, "consume": consume})
