"""The reactor of a broker where nobody chose another: Twisted's on epoll, but an event costs less. Linux only."""

import errno
import os
import sys
from collections import deque
from collections.abc import Callable
from select import EPOLLIN
from time import perf_counter
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log
from zope.interface import implementer

from flux.interfaces import ITurns

Events = list[tuple[int, int]]  # descriptors and what is up with each

# Short waits in a row that count: after more of them it takes no longer to learn that waits are long now.
_MOST_CONFIDENT = 8
_CONFIDENT = 4  # so many of them, before it is worth while not to sleep


class Waiting:
    """Waits for events: asleep, or for the first ``awake_s`` seconds awake, asking again and again, where the last waits were short.

    To be woken costs more than a short wait is long. Awake for 50 µs, one connection that waits for each answer gets 10.4 → 18.3 k of
    them a second, beside Redis's 16.5 k; sixteen in flight 144 → 233 k. Linux's haltpoll does it for a virtual CPU, Go's scheduler for a
    thread. To have been awake in vain costs the confidence that two short waits earned: so at most a third of the waits is that, and
    none while nobody asks.
    """

    def __init__(self, poll: Callable[[float, int], Events], now: Callable[[], float] = perf_counter) -> None:
        """*poll* is :meth:`select.epoll.poll`."""
        self.awake_s = 0.0
        self._poll = poll
        self._now = now
        self._confidence = 0  # that the next wait is short

    def __call__(self, timeout: float, most: int) -> Events:
        """At most *most* events, as soon as there are any, or none after *timeout* seconds; -1: for ever."""
        poll, now = self._poll, self._now
        if not timeout or not self.awake_s:
            return poll(timeout, most)
        began = now()
        if self._confidence < _CONFIDENT:
            events = poll(timeout, most)
            # Twice: it has slept, and the waking is in it.
            self._learn(now() - began < 2 * self.awake_s)
            return events
        sleeps_at = began + (self.awake_s if timeout < 0 else min(timeout, self.awake_s))
        while not (events := poll(0, most)) and now() < sleeps_at:
            pass
        self._learn(bool(events))
        if not events and timeout < 0:
            return poll(timeout, most)
        if not events and (left := began + timeout - now()) > 0:
            return poll(left, most)
        return events

    def _learn(self, short: bool) -> None:
        self._confidence = min(self._confidence + 1, _MOST_CONFIDENT) if short else max(self._confidence - 2, 0)


@implementer(ITurns)
class EventReactor(EPollReactor):
    """Calls a readable descriptor as it is, where Twisted's own reactor makes a log context for each event first.

    Flux's loggers know their source and need none. With 50 connections that wait for each answer a request takes 15.3 → 12.9 µs of
    CPU. What is private of Twisted's in here, its own tests watch on this reactor too: see ``tests/test_epoll.py``.
    """

    def __init__(self) -> None:
        self._ending: deque[Callable[[], object]] = deque()
        super().__init__()
        self._wait = Waiting(self._poller.poll)

    def at_end_of_turn(self, function: Callable[[], object]) -> None:
        """See :class:`~flux.interfaces.ITurns`."""
        self._ending.append(function)

    def busy_poll(self, seconds: float) -> None:
        """Stay awake for *seconds* where waits are short: see :class:`Waiting`. Not on a single CPU: who is waited for needs it."""
        self._wait.awake_s = seconds if len(os.sched_getaffinity(0)) > 1 else 0.0

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, *timeout* seconds at most (None: for ever), and tell whose they are."""
        selectables: dict[int, Any] = self._selectables
        try:
            events = self._wait(0 if self._ending else -1 if timeout is None else timeout, len(selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:  # what came before has closed it
                continue
            if event != EPOLLIN or selectable.fileno() == -1:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
                continue
            try:
                why = selectable.doRead()
            except BaseException:  # as Twisted does: whatever it is, it costs its own connection only
                why = sys.exc_info()[1]
                log.err()
            if why:
                self._disconnectSelectable(selectable, why, True)
        # What was asked for, and what that asked for; the rest has its turn when the others had theirs.
        for _ in range(2):
            ending, self._ending = self._ending, deque()
            for function in ending:
                try:
                    function()
                except BaseException:  # as with any call of a reactor's
                    log.err()

    doIteration = doPoll


def install() -> None:
    """Make it the reactor of this process."""
    installReactor(EventReactor())
