"""Flux's blocking face."""

import time

from bench.sdk.meter import Meter, main
from flux.client import BlockingClient, ConsumerOptions


def one_by_one(meter: Meter) -> None:
    """``produce``."""
    with BlockingClient(f"127.0.0.1:{meter.port}") as client:
        meter.begin()
        at = time.perf_counter()
        while not meter.is_over:
            client.produce("bench", "k", meter.value)
            at = meter.timed(at)


def pipelined(meter: Meter) -> None:
    """A producer with its defaults: batches of 100, five under way."""
    with BlockingClient(f"127.0.0.1:{meter.port}") as client, client.producer() as producer:
        meter.begin()
        while not meter.is_over:
            producer.send("bench", f"k{meter.count % 1000}", meter.value)
            meter.count += 1
        producer.flush()


def consume(meter: Meter) -> None:
    """A consumer with its defaults."""
    options, group = ConsumerOptions(auto_offset_reset="earliest"), f"g{time.monotonic_ns()}"
    with BlockingClient(f"127.0.0.1:{meter.port}") as client, client.consumer(group, "bench", options) as consumer:
        meter.begin()
        for _ in consumer:
            meter.count += 1
            if meter.is_over:
                break


if __name__ == "__main__":
    main({"one-by-one": one_by_one, "pipelined": pipelined, "consume": consume})
