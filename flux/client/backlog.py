"""Calls that are not sent yet, in order, and not too many of them. Pure."""

from collections import deque
from collections.abc import Callable
from typing import Any

from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings


class Backlog:
    """First in, first out; what is put back goes before everything that was never taken."""

    def __init__(self, settings: ClientSettings) -> None:
        self._most = settings.max_waiting
        self._most_bytes = settings.max_waiting_bytes
        self._queue: deque[Exchange[Any]] = deque()
        self._bytes = 0
        self._put_back = 0  # how many at the head were put back since the last was taken

    def __len__(self) -> int:
        return len(self._queue)

    def accepts(self, exchange: Exchange[Any]) -> bool:
        """Whether there is room for it; a single one always finds room."""
        return not self._queue or (len(self._queue) < self._most and self._bytes + exchange.size <= self._most_bytes)

    def add(self, exchange: Exchange[Any]) -> None:
        """At the end."""
        self._queue.append(exchange)
        self._bytes += exchange.size

    def put_back(self, exchange: Exchange[Any]) -> None:
        """At the head, behind what was put back just before. They are few: no more than were in flight."""
        self._queue.insert(self._put_back, exchange)
        self._put_back += 1
        self._bytes += exchange.size

    @property
    def first(self) -> Exchange[Any]:
        """What :meth:`take` would return. :raises IndexError: nothing."""
        return self._queue[0]

    def take(self) -> Exchange[Any]:
        """The first, to be sent. :raises IndexError: there is none."""
        exchange = self._queue.popleft()
        self._bytes -= exchange.size
        self._put_back = 0
        return exchange

    def remove(self, exchange: Exchange[Any]) -> None:
        """If it is there."""
        self.remove_if(lambda each: each is exchange)

    def remove_if(self, unwanted: Callable[[Exchange[Any]], bool]) -> list[Exchange[Any]]:
        """Remove whatever is *unwanted*; what it was, in order."""
        removed: list[Exchange[Any]] = []
        kept: list[Exchange[Any]] = []
        put_back = 0
        for position, exchange in enumerate(self._queue):
            if unwanted(exchange):
                removed.append(exchange)
            else:
                kept.append(exchange)
                put_back += position < self._put_back
        if removed:
            self._queue = deque(kept)
            self._put_back = put_back
            self._bytes -= sum(exchange.size for exchange in removed)
        return removed

    def earliest_deadline_s(self) -> float | None:
        """Of all; None if there are none."""
        return min((exchange.deadline_s for exchange in self._queue), default=None)
