"""The host that is a thread of this process: ready in milliseconds."""

from flux.embedded.life import Life
from flux.errors import BY_CODE
from flux.loading import Options, load


class ThreadHost:
    """See :class:`~flux.embedded.host.Host`."""

    def __init__(self, options: Options, *, syncs: bool, ahead_s: float = 0.0) -> None:
        self._config = load(None, {}, options).config  # the environment of whoever runs the tests is not the broker's
        self._life: Life | None = None
        self._syncs = syncs
        self._ahead_s = ahead_s

    def start(self) -> None:
        """See :meth:`Host.start`."""
        life = Life(self._config, self._syncs, self._ahead_s)
        life.start()
        self._life = life

    def stop(self) -> None:
        """See :meth:`Host.stop`."""
        life, self._life = self._alive(), None
        life.stop()

    def kill(self) -> None:
        """See :meth:`Host.kill`."""
        life, self._life = self._alive(), None
        life.kill()

    def advance(self, seconds: float) -> None:
        """See :meth:`Host.advance`."""
        self._alive().advance(seconds)
        self._ahead_s += seconds

    def fail_next(self, command: str, code: str, times: int) -> None:
        """See :meth:`Host.fail_next`."""
        if code not in BY_CODE:
            raise ValueError(f"code: {code!r} is no error code; there are {' '.join(BY_CODE)}")
        error = BY_CODE[code](f"{command}: not executed, because the test said so")
        self._alive().fail_next(command, error, times)

    def _alive(self) -> Life:
        assert self._life is not None, "it was started"
        return self._life
