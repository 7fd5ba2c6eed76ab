"""What the disk refuses: clients are told what failed and why, the broker's log also in which file."""

from twisted.logger import Logger

from flux.errors import system_reason
from flux.model import TopicPartition

_REMEMBERED = 1000


class Refusals:
    """Reports each error once a log and file, for whoever meets it meets it again with every request."""

    _log = Logger()

    def __init__(self) -> None:
        self._reported: set[tuple[TopicPartition, int | None, object]] = set()

    def told(self, tp: TopicPartition, what: str, error: OSError) -> str:
        """*what* was refused, and why: a sentence for clients, without our paths. The log has them."""
        met = (tp, error.errno, error.filename)
        if met not in self._reported:
            if len(self._reported) == _REMEMBERED:
                self._reported.clear()
            self._reported.add(met)
            self._log.error("{what}: {error}", what=what, error=error)
        return f"{what}: {system_reason(error)}"
