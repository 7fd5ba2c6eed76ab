"""Receivers of alerts that do what the test says."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from flux.model import Alert, AlertKind, TopicPartition


def alert(number: int) -> Alert:
    """One of many."""
    tp = TopicPartition("orders", number)
    return Alert(AlertKind.UNDER_REPLICATED, tp, 1000 + number, "out of sync: 1", 0, 3, (0, 1), (0,))


class Receiver:
    """Remembers what it is told, and is done with it when the test says so."""

    def __init__(self) -> None:
        self.told: list[tuple[list[int], int]] = []  # the alerts' partitions, and the number dropped
        self.pending: list[Deferred[None]] = []
        self.cancelled = 0

    def __call__(self, alerts: Sequence[Alert], dropped: int) -> "Deferred[None]":
        self.told.append(([each.tp.partition for each in alerts], dropped))
        done: Deferred[None] = Deferred(self._cancel)
        self.pending.append(done)
        return done

    def _cancel(self, done: "Deferred[None]") -> None:
        self.cancelled += 1
