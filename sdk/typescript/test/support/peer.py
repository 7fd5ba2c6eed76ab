"""A Python program that takes part: it produces, or is a member of a group. Says what happens line by line; ends with its input."""

import sys
import threading
from collections.abc import Callable, Sequence

from flux.client import BlockingClient, ConsumerOptions, ProducerOptions, Record
from flux.model import TopicPartition


def say(*words: object) -> None:
    """One line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def produce(address: str, topic: str, count: str) -> None:
    """So many records, keyed and numbered."""
    with BlockingClient(address) as client, client.producer(ProducerOptions(linger_ms=2)) as producer:
        sent = [producer.send(topic, number, number) for number in map(str, range(int(count)))]
        producer.flush()
        for each in sent:
            each.result()
    say("produced", count)


def consume(address: str, topic: str, group: str, member: str) -> None:
    """``+`` and ``-`` with partitions that come and go, ``=`` with a record's partition and value."""

    def told(what: str) -> Callable[[Sequence[TopicPartition]], None]:
        return lambda partitions: say(what, *(tp.partition for tp in partitions))

    def handle(record: Record) -> None:
        say("=", record.partition, (record.value or b"").decode())

    options = ConsumerOptions(heartbeat_ms=100)
    with BlockingClient(address) as client:
        consumer = client.consumer(group, topic, options, member=member, on_assign=told("+"), on_revoke=told("-"))
        thread = threading.Thread(target=consumer.run, args=(handle,))
        thread.start()
        sys.stdin.read()
        consumer.close()
        thread.join()
    say("left")


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
