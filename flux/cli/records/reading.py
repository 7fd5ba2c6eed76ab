"""Partitions, read without a group: first what is there, partition by partition; then what comes, from all of them."""

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from flux.cli.records.outage import Outage
from flux.errors import FluxError

if TYPE_CHECKING:
    from flux.client import BlockingClient, Record

_POLL_MS = 5000
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 1.0  # somebody watches
_GLANCE_S = 0.01
_MOST_PAGES = 8  # read and not written yet; then nothing more is read

Pages = Iterator[Sequence["Record"]]


def backlog(client: "BlockingClient", topic: str, positions: dict[int, int], most: int | None) -> Pages:
    """All records there are now, from *positions* on, which move along; *most* of them, if not None."""
    ends = {partition: client.offsets(topic, partition, "latest").offset for partition in positions}
    for partition, end in ends.items():
        while positions[partition] < end and most != 0:
            page = client.consume(topic, partition, positions[partition], max_records=most, reset="earliest")
            if page.next_offset <= positions[partition]:
                break  # it ends earlier now: another broker leads, or the topic is another one
            records = [record for record in page.records if record.offset < end]
            positions[partition] = page.next_offset
            most = None if most is None else most - len(records)
            yield records


class Tail:
    """Whatever comes, from *positions* on: every partition has a thread that waits for it.

    An *outage* is survived: reading goes on when a broker answers. *Transitions*: :meth:`start`, :meth:`close`.
    """

    def __init__(self, client: "BlockingClient", topic: str, positions: Mapping[int, int], outage: Outage) -> None:
        self._client = client
        self._topic = topic
        self._outage = outage
        self._pages: queue.Queue[Sequence[Record] | Exception] = queue.Queue(_MOST_PAGES)
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=position, name="flux-tail", daemon=True)
            for position in positions.items()
        ]

    def start(self) -> None:
        """Begin to wait. Not done by making it: who is interrupted meanwhile must have something to close."""
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Pages:
        while True:
            found = self._pages.get()
            if isinstance(found, Exception):
                raise found
            yield found

    def fail(self, error: Exception) -> None:
        """Have the iteration end with *error*."""
        self._pages.put(error)

    def close(self) -> None:
        """Close the client, and return when the threads are gone."""
        self._closing.set()
        self._client.close()
        for thread in self._threads:
            while thread.is_alive():
                with suppress(queue.Empty):  # it may wait for room
                    self._pages.get_nowait()
                thread.join(_GLANCE_S)

    def _follow(self, partition: int, offset: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            try:
                page = self._client.consume(self._topic, partition, offset, wait_ms=_POLL_MS, reset="earliest")
            except FluxError as error:
                if self._closing.is_set():
                    return
                if not (error.retriable or error.code == "OUTCOME_UNKNOWN"):  # reading twice does no harm
                    self.fail(error)
                    return
                self._outage.told(error)
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                self._outage.over()
                offset = page.next_offset
                if page.records:
                    self._pages.put(page.records)
