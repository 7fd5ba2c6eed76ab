"""Which broker to try next. Pure."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from flux.config import host_and_port

DEFAULT_PORT = 9092

_MOST_KNOWN = 100  # a broker that names ever new leaders must not fill memory

# How a NOT_LEADER message tells where the leader is: clients need no second request to find it.
_LEADER = re.compile(r"\bleader=(\S+:[0-9]{1,5})(?![^\s;,.)])")


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in a bootstrap list."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """``host``, ``host:port`` or ``[host]:port``. :raises ValueError: it is none of these."""
        text = text.strip()
        try:
            host, port = host_and_port(text if ":" in text else f"{text}:{DEFAULT_PORT}")
        except ValueError:
            host, port = "", 0
        if not host or not port:
            raise ValueError(f"{text!r} is no broker's address; write host:port, such as 127.0.0.1:{DEFAULT_PORT}")
        return cls(host, port)


def leader_address(message: str) -> Address | None:
    """Where the leader is, if a NOT_LEADER *message* says so as ``leader=host:port``."""
    found = _LEADER.search(message)
    if found is None:
        return None
    try:
        return Address.parse(found[1])
    except ValueError:
        return None


class Rotation:
    """The known brokers, tried in rounds: each once, beginning with the most promising one."""

    def __init__(self, brokers: str | Iterable[str]) -> None:
        """*brokers* is the bootstrap list, as ``host:port,host:port`` or one by one. :raises ValueError: it cannot be read."""
        texts = brokers.split(",") if isinstance(brokers, str) else brokers
        self._known = deque(dict.fromkeys(Address.parse(text) for text in texts))
        if not self._known:
            raise ValueError("brokers: there are none; name at least one as host:port")
        self._untried: deque[Address] = deque()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> Sequence[Address]:
        """In the order in which the next round tries them."""
        return tuple(self._known)

    def begin(self) -> None:
        """Begin a round."""
        self._untried = deque(self._known)

    def next(self) -> Address | None:
        """Whom to try now; None at the end of the round."""
        return self._untried.popleft() if self._untried else None

    def prefer(self, address: Address) -> None:
        """Try *address* first; it becomes known."""
        if address in self._known:
            self._known.remove(address)
        elif len(self._known) >= _MOST_KNOWN:
            self._known.pop()
        self._known.appendleft(address)

    def avoid(self, address: Address) -> None:
        """Try *address* last."""
        if address in self._known:
            self._known.remove(address)
            self._known.append(address)
