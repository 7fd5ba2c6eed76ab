"""Who has been silent for how long. Pure: it is told the time, and says when to look again."""

import heapq
from itertools import count

_STALE_PLACES = (
    64  # beyond as many again as there are sessions; a day-long session begun anew each second must not pile up
)

Membership = tuple[str, str, str]
"""Group, topic, consumer id."""


class Session:
    """One membership's last sign of life, in seconds of the clock."""

    __slots__ = ("ended", "last_sign", "looked_at", "timeout_s")

    def __init__(self, last_sign: float, timeout_s: float) -> None:
        self.last_sign = last_sign
        self.timeout_s = timeout_s
        self.looked_at = last_sign + timeout_s  # where it lies in the heap; a stale place is passed over
        self.ended = False


class Sessions:
    """Deadlines of every membership.

    *Action*: :meth:`begin`, :meth:`sign` and :meth:`end` as members come, live and go; :meth:`silent` when :attr:`next_look` has
    come. A sign of life only notes the time: its place in the heap is put right when it comes up, once a session and not once a
    heartbeat.
    """

    def __init__(self) -> None:
        self._sessions: dict[Membership, Session] = {}
        self._heap: list[tuple[float, int, Membership, Session]] = []
        self._order = count()

    @property
    def next_look(self) -> float | None:
        """No session ends before; None if there is none."""
        heap = self._heap
        while heap and (heap[0][3].ended or heap[0][3].looked_at != heap[0][0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def begin(self, membership: Membership, timeout_s: float, now: float) -> None:
        """A member comes, or comes again with another timeout."""
        self.end(membership)
        session = self._sessions[membership] = Session(now, timeout_s)
        self._place(membership, session)

    def sign(self, membership: Membership, now: float) -> None:
        """A sign of life."""
        self._sessions[membership].last_sign = now

    def end(self, membership: Membership) -> None:
        """The member is gone; nothing happens if it was not there."""
        session = self._sessions.pop(membership, None)
        if session is not None:
            session.ended = True

    def silence(self, membership: Membership, now: float) -> float | None:
        """Seconds since its last sign, None if it is no member."""
        session = self._sessions.get(membership)
        return None if session is None else now - session.last_sign

    def silent(self, now: float) -> list[Membership]:
        """Whose session has ended. They stay until :meth:`end`, and are told again only after another :meth:`sign` and silence."""
        found = []
        while (look := self.next_look) is not None and look <= now:
            _, _, membership, session = heapq.heappop(self._heap)
            deadline = session.last_sign + session.timeout_s
            if deadline <= now:
                found.append(membership)
            else:
                session.looked_at = deadline
                self._place(membership, session)
        return found

    def postpone(self, membership: Membership, until: float) -> None:
        """Look again at *until*: what should have followed its silence could not be done now."""
        session = self._sessions[membership]
        session.looked_at = until
        self._place(membership, session)

    def _place(self, membership: Membership, session: Session) -> None:
        heapq.heappush(self._heap, (session.looked_at, next(self._order), membership, session))
        if len(self._heap) > 2 * len(self._sessions) + _STALE_PLACES:
            self._heap = [place for place in self._heap if not place[3].ended and place[3].looked_at == place[0]]
            heapq.heapify(self._heap)
