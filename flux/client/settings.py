"""What a client can be told besides whom to talk to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Times and limits of one client; the defaults suit most.

    ``timeout_s`` is for a whole call, from asking to answer, unless the call brings its own; what a CONSUME lets the broker wait
    comes on top. ``connect_timeout_s`` is for one broker: to connect, and to be greeted. A connection silent for longer than
    ``max_idle_s`` is not trusted with a request: the broker may be closing it, after its ``idle_timeout_ms``, which is longer.

    Requests wait in the client while as much as ``max_in_flight…`` allows is sent and not answered; past ``max_waiting…`` they
    are refused as :class:`~flux.errors.Throttled`. An answer longer than ``max_reply_bytes`` ends the connection.
    """

    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    max_idle_s: float = 300.0
    max_in_flight: int = 1024
    max_in_flight_bytes: int = 4 << 20  # half of what a broker holds for one connection before it stops reading
    max_waiting: int = 16384
    max_waiting_bytes: int = 64 << 20
    max_reply_bytes: int = 64 << 20  # a broker reads at most 4 MiB for one answer; encoding may triple them
