"""Where reading begins: ``-o beginning | end | N | -N | a time``, in kcat's words, rpk's, and ours."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flux.cli.shell.moments import moment_ms
from flux.errors import OffsetOutOfRange

if TYPE_CHECKING:
    from flux.client import BlockingClient

_ENDS: dict[str, Literal["earliest", "latest"]] = {
    **dict.fromkeys(("beginning", "start", "earliest"), "earliest"),
    **dict.fromkeys(("end", "latest"), "latest"),
}
_AGO = re.compile(r"-([0-9]+)(ms|s|m|h|d)\Z")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_USAGE = (
    "write beginning, end, an offset, -N for the last N of each partition, or a time such as 2026-11-27T10:00:00Z, @-1h or"
    " @1764237600000"
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin in each partition: at an ``end``, at an ``offset``, ``back`` from the end, or ``since`` a time (Unix ms)."""

    end: Literal["earliest", "latest"] | None = None
    offset: int | None = None
    back: int | None = None
    since: int | None = None

    @classmethod
    def parse(cls, text: str, now_ms: int) -> "Start":
        """As it is written after ``-o``. :raises ValueError: it cannot be read."""
        word = text.strip()
        if word.lower() in _ENDS:
            return cls(end=_ENDS[word.lower()])
        if re.fullmatch(r"[0-9]{1,19}", word):
            return cls(offset=int(word))
        if re.fullmatch(r"-[0-9]{1,19}", word):
            return cls(back=-int(word))
        return cls(since=_time_ms(word.removeprefix("s@").removeprefix("@"), now_ms))

    def offsets(self, client: "BlockingClient", topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Where that is, partition by partition. Where the log begins later or ends earlier, it is that.

        :raises OffsetOutOfRange: all of them end before an offset that was named.
        """
        found = {partition: self._offset(client, topic, partition) for partition in partitions}
        if self.offset is not None and all(offset < self.offset for offset in found.values()):
            ends = ", ".join(f"{topic}-{partition} ends at {offset}" for partition, offset in found.items())
            raise OffsetOutOfRange(f"offset: there is no {self.offset} yet: {ends}; -o end waits for what comes")
        return found

    def _offset(self, client: "BlockingClient", topic: str, partition: int) -> int:
        if self.end is not None:
            return client.offsets(topic, partition, self.end).offset
        if self.since is not None:
            found = client.offsets(topic, partition, self.since).offset
            return client.offsets(topic, partition, "latest").offset if found < 0 else found
        start = client.offsets(topic, partition, "earliest").offset
        end = client.offsets(topic, partition, "latest").offset
        wanted = end - self.back if self.back is not None else self.offset
        assert wanted is not None, "one of the four is given"
        return min(max(start, wanted), end)


def _time_ms(text: str, now_ms: int) -> int:
    ago = _AGO.match(text)
    if ago:
        return now_ms - int(ago[1]) * _UNITS_MS[ago[2]]
    try:
        return moment_ms(text)
    except ValueError:
        raise ValueError(f"{text!r} is no place to begin; {_USAGE}") from None
