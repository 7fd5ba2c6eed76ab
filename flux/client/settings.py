"""What a client can be told besides whom to talk to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Times and limits of one client; the defaults suit most."""

    timeout_s: float = 10.0
    """For a whole call, from asking to answer, unless the call brings its own; what a CONSUME lets the broker wait comes on top."""
    connect_timeout_s: float = 5.0
    """For one broker: to connect, and to be greeted."""
    max_idle_s: float = 300.0
    """A connection silent for longer is not trusted with a request: the broker may be closing it, after its ``idle_timeout_ms``."""
    max_in_flight: int = 1024
    """Requests sent and not answered, at most; others wait in the client."""
    max_in_flight_bytes: int = 4 << 20  # half of what a broker holds for one connection before it stops reading
    """The same in bytes."""
    max_waiting: int = 16384
    """Requests that wait in the client, at most; one more is refused as ``Throttled``."""
    max_waiting_bytes: int = 64 << 20
    """The same in bytes."""
    max_reply_bytes: int = 64 << 20  # a broker reads at most 4 MiB for one answer; encoding may triple them
    """An answer longer than that ends the connection."""
