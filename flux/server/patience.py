"""Timeouts without timers."""


class Patience:
    """How long something has gone on, as a sweep sees it: the hot path reads no clock and starts no timer.

    *Action*: :meth:`is_over` with what the sweep sees. *Transitions*: the time runs from the first sweep that sees it going on; a sweep
    that does not stops it, and so does whoever sees progress, by setting ``since`` to None. So the limit is exact to one sweep.
    """

    __slots__ = ("_limit_s", "since")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.since: float | None = None  # on the sweep's clock; None: it does not go on, or does so anew

    def is_over(self, now: float, going_on: bool) -> bool:
        """Whether what is *going_on* has done so for the limit."""
        if not going_on:
            self.since = None
            return False
        if self.since is None:
            self.since = now
        return now - self.since >= self._limit_s
