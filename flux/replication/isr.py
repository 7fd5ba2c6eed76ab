"""Replica progress → in-sync replicas and high watermark. Pure: every time is passed in, in seconds of a clock that only rises.

The rules, stricter than they need be for one broker because several will live by them:

- The high watermark (exclusive) is the lowest end among the *counted* replicas: the leader, the stored ISR, and every member of a
  proposal that is not settled. So a replica leaves only once that is stored, and counts from the moment its joining is proposed.
- It never falls, and stands still while the stored ISR is smaller than ``min_isr``.
- A replica leaves when it was silent for ``lag_timeout_s`` or lags by more than ``max_lag`` records. It joins when it is
  neither and holds everything below the watermark and below the offset at which this leadership began: else the watermark would
  stand above what a member of the ISR holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

LEADER = 0  # the replica id of whoever keeps this account


@dataclass(frozen=True, slots=True)
class Limits:
    """When a replica is in sync, and how many must be."""

    min_isr: int
    max_lag: int
    lag_timeout_s: float


class Standing(NamedTuple):
    """Where one replica stands, and why: what EXPLAIN_PARTITION prints. ``silent_s`` is None when it was never heard."""

    replica: int
    end_offset: int
    lag: int
    silent_s: float | None
    in_sync: bool
    why: str


@dataclass(slots=True)
class _Progress:
    """What is known of a follower: it holds all below ``end_offset``. ``since`` starts its silence; ``heard`` is the last report."""

    end_offset: int
    since: float
    heard: float | None = None


class ReplicaProgress:
    """One leadership's account of its replicas.

    *Action*: :meth:`leader_holds` and :meth:`report` raise what is known, :meth:`wanted` judges, :meth:`propose`, :meth:`stored` and
    :meth:`settled` change who is counted. *Transitions*: ``high_watermark`` rises; ``isr`` changes in :meth:`stored` alone.
    """

    __slots__ = (
        "_alone",
        "_counted",
        "_epoch_start",
        "_followers",
        "_leader_end",
        "_unsettled",
        "high_watermark",
        "isr",
        "limits",
    )

    def __init__(
        self, replicas: int, isr: Iterable[int], limits: Limits, *, high_watermark: int, log_end: int, now: float
    ) -> None:
        self.high_watermark = high_watermark
        self.limits = limits
        # Of a follower not heard yet this much is certain: as a member of the ISR it holds what is committed. Outside, nothing is.
        self._followers = {
            replica: _Progress(high_watermark if replica in isr else 0, now) for replica in range(1, replicas)
        }
        self._leader_end = high_watermark
        self._epoch_start = log_end
        self._unsettled: frozenset[int] = frozenset()
        self.isr: tuple[int, ...] = ()
        self.stored(isr)

    @property
    def replicas(self) -> int:
        """How many there are, the leader included."""
        return 1 + len(self._followers)

    @property
    def under_replicated(self) -> bool:
        """Some replica is out of sync."""
        return len(self.isr) < self.replicas

    @property
    def min_isr(self) -> int:
        """As asked for, but never more than there are replicas: else nothing could ever be committed."""
        return min(self.limits.min_isr, self.replicas)

    def leader_holds(self, end_offset: int) -> int:
        """The leader's own promise stands at *end_offset*; return the high watermark."""
        self._leader_end = end_offset
        if self._alone:  # a run of the hot path, and the usual case
            if end_offset > self.high_watermark:
                self.high_watermark = end_offset
            return self.high_watermark
        return self._rise()

    def report(self, replica: int, end_offset: int, log_end: int, now: float) -> int:
        """*replica* holds everything below *end_offset*; return the high watermark.

        Capped at *log_end* (nobody holds what was never written) and never lowered (reports overtake one another).
        """
        progress = self._followers[replica]
        progress.end_offset = max(progress.end_offset, min(end_offset, log_end))
        progress.since = progress.heard = now
        return self._rise()

    def wanted(self, log_end: int, now: float) -> tuple[int, ...]:
        """The ISR as it should be now, ascending."""
        return (LEADER, *(replica for replica in self._followers if not self._objection(replica, log_end, now)))

    def must_propose(self, wanted: tuple[int, ...]) -> bool:
        """*wanted* is not what is stored; or an earlier proposal's fate is unknown, and only storing again can tell."""
        return wanted != self.isr or not self._unsettled.issubset(wanted)

    def propose(self, isr: Iterable[int]) -> None:
        """*isr* was sent to be stored: its members count from now on, and those it leaves out still do."""
        self._unsettled |= frozenset(isr)
        self._count()

    def stored(self, isr: Iterable[int]) -> int:
        """*isr* is what is stored; return the high watermark. A proposal under way keeps counting."""
        self.isr = tuple(sorted({replica for replica in isr if replica in self._followers} | {LEADER}))
        self._count()
        return self._rise()

    def settled(self) -> int:
        """Nothing proposed can still be stored: only the stored ISR counts; return the high watermark."""
        self._unsettled = frozenset()
        self._count()
        return self._rise()

    def standings(self, log_end: int, now: float) -> list[Standing]:
        """Every replica's place, the leader first."""
        leader = Standing(LEADER, self._leader_end, log_end - self._leader_end, 0.0, True, "it leads")
        return [leader, *(self._standing(replica, log_end, now) for replica in self._followers)]

    def _standing(self, replica: int, log_end: int, now: float) -> Standing:
        progress = self._followers[replica]
        in_sync = replica in self.isr
        why = self._objection(replica, log_end, now) or "heard of in time and close enough to the end"
        silent = None if progress.heard is None else now - progress.heard
        return Standing(replica, progress.end_offset, log_end - progress.end_offset, silent, in_sync, why)

    def _objection(self, replica: int, log_end: int, now: float) -> str:
        """Why *replica* should not be in the ISR; empty if it should."""
        progress, limits = self._followers[replica], self.limits
        joins = replica not in self.isr
        if joins and progress.heard is None:
            return "not heard of since this leadership began"
        if now >= progress.since + limits.lag_timeout_s:
            return f"silent for {now - progress.since:.3f} s; {limits.lag_timeout_s:g} s are allowed"
        if log_end - progress.end_offset > limits.max_lag:
            return f"{log_end - progress.end_offset} records behind; {limits.max_lag} are allowed"
        must_hold = max(self.high_watermark, self._epoch_start)
        if joins and progress.end_offset < must_hold:
            return f"holds records below {progress.end_offset}; to join it must hold all below {must_hold}"
        return ""

    def _count(self) -> None:
        self._counted = tuple(
            replica for replica in self._followers if replica in self.isr or replica in self._unsettled
        )
        self._alone = not self._counted and self.min_isr <= 1

    def _rise(self) -> int:
        if len(self.isr) >= self.min_isr:
            low = self._leader_end
            for replica in self._counted:
                low = min(low, self._followers[replica].end_offset)
            self.high_watermark = max(self.high_watermark, low)
        return self.high_watermark
