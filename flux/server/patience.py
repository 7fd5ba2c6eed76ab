"""Timeouts without timers."""


class Patience:
    """How long something has gone on, as a sweep sees it: the hot path reads no clock and starts no timer.

    *Action*: :meth:`is_over` with what the sweep sees. *Transitions*: the time runs from the first sweep that sees it going on; a sweep
    that does not, or :meth:`renew`, stops it. So the limit is exact to one sweep.
    """

    __slots__ = ("_limit_s", "_since")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None

    def renew(self) -> None:
        """There was progress: the time runs anew."""
        self._since = None

    def is_over(self, now: float, going_on: bool) -> bool:
        """Whether what is *going_on* has done so for the limit."""
        if not going_on:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._limit_s
