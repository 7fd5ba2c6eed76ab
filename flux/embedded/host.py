"""What a broker of a test runs in, a thread or a process, as one promise."""

from collections.abc import Mapping
from typing import Protocol

from flux.loading import Options, load


class Host(Protocol):
    """Runs one life of a broker after the other, on one directory and port. Its clocks keep what they are ahead.

    Methods return when it is done. ``stop`` and ``kill`` leave no thread, process, socket or open file.
    """

    def start(self) -> None:
        """Serve. :raises CannotStart: the directory. :raises CannotListenError: the port."""

    def stop(self) -> None:
        """Drain, as SIGTERM does."""

    def kill(self) -> None:
        """End it at once: nothing is flushed, marked or answered."""

    def advance(self, seconds: float) -> None:
        """Move its clocks; what is due then is done when this returns."""

    def fail_next(self, command: str, code: str, times: int) -> None:
        """Answer the next *times* requests of *command* with the error *code*. :raises ValueError: either is not known."""


def options(data_dir: str, port: int, settings: Mapping[str, object]) -> Options:
    """What a host is told, as a command line would say it. :raises BadSetting: one of *settings* will not do."""
    # A test machine may be nearly full, and a reserve takes longer to write than the test.
    defaults = {"disk_low_bytes": 0, "disk_reserve_bytes": 0, "advertised_port": port}
    assignments = [f"{name}={_word(value)}" for name, value in {**defaults, **settings}.items()]
    given = Options(str(port), (), data_dir, assignments)
    load(None, {}, given)
    return given


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
