"""Which calls to the model disk fail, and at which one the power goes."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from os import strerror
from random import Random
from threading import RLock
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Stopped(BaseException):
    """The process that made this call is no more. No ``Exception``: nothing it would do about one can happen."""


class PowerCut(Stopped):
    """The power went before or during this call, and stays away until :meth:`MemoryDisk.restart`."""


class ProcessKilled(Stopped):
    """The process was killed before or during this call; the kernel lives on."""


class Call(NamedTuple):
    """One call: the method's name, or ``rollback`` for what cuts a failed append or allocation back, and the path it is about.

    A renaming is about the new name.
    """

    kind: str
    path: str


@dataclass(slots=True)
class _Fault:
    error: int
    kind: str | None
    where: Callable[[str], bool] | None
    spared: int
    left: int | None

    def hits(self, call: Call) -> bool:
        """Count *call* if it matches; whether it is to fail."""
        if self.kind not in (None, call.kind) or (self.where is not None and not self.where(call.path)):
            return False
        if self.spared > 0:
            self.spared -= 1
            return False
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


class Calls:
    """Every call made so far, and the plan for those to come. One call at a time takes effect, from whatever thread."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.log: list[Call] = []
        self.turn = RLock()
        self._faults: list[_Fault] = []
        self._stop_at: tuple[int, type[Stopped]] | None = None
        self._stopped: type[Stopped] | None = None

    @property
    def calls(self) -> int:
        """How many calls were made; the first was number 1."""
        return len(self.log)

    def fail(
        self,
        error: int,
        kind: str | None = None,
        *,
        nth: int = 1,
        times: int | None = 1,
        where: Callable[[str], bool] | None = None,
    ) -> None:
        """Let the *nth* call from now on fail with the errno *error*, and so in all *times* of them (None: until :meth:`heal`).

        Only calls of *kind* count, if it is given, and those whose path satisfies *where*. A failing append or
        allocation has written a part by then, and cuts it back, which is a call of the kind ``rollback``. A failing
        datasync or drop_cache loses what was unsynced in the way Linux does.
        """
        self._faults.append(_Fault(error, kind, where, nth - 1, times))

    def heal(self) -> None:
        """Forget what :meth:`fail` was told."""
        self._faults.clear()

    def cut_at(self, call: int) -> None:
        """Let the power go before or during call number *call*: it and every later one raise :class:`PowerCut`."""
        self._plan(call, PowerCut)

    def kill_at(self, call: int) -> None:
        """Let the process be killed before or during call number *call*: it and every later one raise :class:`ProcessKilled`."""
        self._plan(call, ProcessKilled)

    def begin(self, kind: str, path: str) -> BaseException | None:
        """Count a call; what it must raise once it has done its part, None if it goes well.

        :raises Stopped: there is nobody left to make it.
        """
        if self._stopped is not None:
            raise self._stopped(f"before {kind} {path}")
        call = Call(kind, path)
        self.log.append(call)
        if self._stop_at is not None and self._stop_at[0] == len(self.log):
            self._stopped = self._stop_at[1]
            return self._stopped(f"at call {len(self.log)}, {kind} {path}")
        failing = [fault for fault in self._faults if fault.hits(call)]  # all of them count it
        return OSError(failing[0].error, strerror(failing[0].error), path) if failing else None

    def perform(self, kind: str, path: str, effect: Callable[[], T]) -> T:
        """One call that takes effect whole or not at all: *effect*, unless the plan says otherwise."""
        with self.turn:
            failure = self.begin(kind, path)
            if failure is None:
                return effect()
            if isinstance(failure, Stopped) and self.random.random() < 0.5:
                with suppress(OSError):  # nobody is left to be told
                    effect()
            raise failure

    def _plan(self, call: int, stop: type[Stopped]) -> None:
        if call <= len(self.log):
            raise ValueError(f"call {call} was made already: there were {len(self.log)}")
        self._stop_at = (call, stop)

    def _go_on(self) -> type[Stopped] | None:
        """Take calls again; what had stopped them."""
        stopped, self._stopped, self._stop_at = self._stopped, None, None
        return stopped
