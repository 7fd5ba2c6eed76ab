"""What Flux asks of the socket below a connection."""

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import ITCPTransport
from twisted.protocols.policies import ProtocolWrapper

READ_BYTES = (
    1 << 18
)  # measured: with the usual 64 KiB a pipelined run is cut in four, and each part costs a batch and a sync
# A peer that vanished is noticed within a minute, whether it was idle or something was on its way to it.
_TCP_OPTIONS = (
    (socket.TCP_KEEPIDLE, 30),
    (socket.TCP_KEEPINTVL, 10),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, 60_000),
)


def tune(transport: Any) -> None:
    """Read much at once, send at once, and notice peers that vanish. *transport* may be TLS or a proxy's header above a socket."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    transport.bufferSize = (
        READ_BYTES  # how much one read takes, and how much unsent makes the transport say that nobody reads
    )
    is_tcp = ITCPTransport.providedBy(transport)
    if is_tcp:
        # Answers are whole: Nagle would hold one back until the last is acknowledged, for 40 ms.
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        for option, value in _TCP_OPTIONS:
            with suppress(OSError):  # what the system does not know, it does not do
                transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, value)
