"""A storage room's life as the dice have it: full of kills, power cuts and failing calls."""

import errno
from collections.abc import Callable
from random import Random
from typing import Any

from flux.errors import StorageError
from flux.model import FsyncMode, TopicPartition
from flux.testing import Stopped
from tests.storage.history import History
from tests.storage.layer import Layer
from tests.storage.scene import Scene

ORDERS, EVENTS = TopicPartition("orders", 0), TopicPartition("events", 1)
SMALL: dict[str, Any] = {
    "segment_max_bytes": 700,
    "index_interval_bytes": 150,
    "checkpoint_interval_ms": 3000,
    "flush_interval_ms": 500,
    "preallocate_bytes": 1000,
}
_LIVES = 5  # starts in a row that a plan may stop before it is called off


class Wanderer:
    """Plays moves on a history. A move that the disk's plan ends is followed by the next start."""

    def __init__(self, mode: FsyncMode, seed: int, layer: Layer | None = None, *, queued: bool = False) -> None:
        self.layer = layer if layer is not None else Layer()
        scene = Scene(mode, seed, tps=(ORDERS, EVENTS), queued=queued, through=self.layer, **SMALL)
        self.history = History(scene)
        self.disk = scene.disk
        self._plan_cuts = True
        self.begin()

    def begin(self) -> None:
        """Start a process; one in which a call fails for good is started again on a healed disk."""
        for _ in range(_LIVES):
            self.layer.recovering = True
            try:
                self.history.start()
            except Stopped:
                self.history.was_stopped(lost_power=self._plan_cuts)
            except (StorageError, OSError):
                self.history.die()
            else:
                return
            finally:
                self.layer.recovering = False
        raise AssertionError("it does not start")

    def play(self, move: Callable[[], None]) -> None:
        """One move, and what follows if it is the last of a life."""
        try:
            move()
        except Stopped:
            self.history.was_stopped(lost_power=self._plan_cuts)
            self.begin()

    # --- moves

    def cut(self) -> None:
        """The power goes now."""
        self.history.lose_power()
        self.begin()

    def kill(self) -> None:
        """SIGKILL, now."""
        self.history.die()
        self.begin()

    def restart(self) -> None:
        """A clean stop, and a start."""
        self.history.stop()
        self.begin()

    def plan_cut(self, calls: int) -> None:
        """The power will go in that many calls."""
        self._plan_cuts = True
        self.disk.cut_at(self.disk.calls + calls)

    def plan_kill(self, calls: int) -> None:
        """The process will be killed in that many calls."""
        self._plan_cuts = False
        self.disk.kill_at(self.disk.calls + calls)

    def fail(self, error: int, kind: str | None, nth: int) -> None:
        """A call will fail."""
        self.history.fail(error, kind, nth)

    def sync_fails_then_cut(self, tp: TopicPartition, records: int) -> None:
        """What is most likely to lose something: a failed sync, a restart that finds the bytes readable, a power cut (F1, F2)."""
        self.history.turn()
        self.history.fail(errno.EIO, "datasync", 1)
        self.history.produce(tp, records)
        self.history.flush(tp)
        self.history.turn()
        self.kill()
        self.history.consume(tp)
        self.cut()


def wander(wanderer: Wanderer, dice: Random, steps: int) -> None:
    """That many moves as the dice have it, then a last power cut. :raises Broken: a promise was not kept."""
    history = wanderer.history

    def tp() -> TopicPartition:
        return dice.choice((ORDERS, EVENTS))

    def some_offset(tp: TopicPartition) -> int:
        log = history.scene.logs[tp]
        return dice.randint(log.start_offset, max(log.start_offset, log.end_offset))

    def forget() -> None:
        one = tp()
        history.move_start(one, some_offset(one))

    def forget_and_cut() -> None:
        """The power goes while a checkpoint is replaced for the second time: the first leaves nothing to lose."""
        forget()
        history.turn()
        wanderer.plan_cut(dice.randint(1, 9))
        forget()
        history.turn()

    produce = (lambda: history.produce(tp(), dice.randint(1, 4), dice.choice((5, 60, 200, 400))),)
    moves: tuple[Callable[[], None], ...] = (
        *produce * 5,
        *(history.turn,) * 3,
        lambda: history.flush(tp()),
        lambda: history.consume(tp()),
        lambda: history.begin_epoch(tp()),
        forget,
        forget_and_cut,
        lambda: history.truncate(tp(), dice.randint(1, 3)),
        lambda: history.advance(dice.choice((0.5, 3))),
        wanderer.cut,
        wanderer.kill,
        wanderer.restart,
        lambda: wanderer.plan_cut(dice.randint(1, 30)),
        lambda: wanderer.plan_kill(dice.randint(1, 30)),
        lambda: wanderer.fail(dice.choice((errno.EIO, errno.ENOSPC)), dice.choice((None, "append", "datasync")), 1),
        lambda: wanderer.sync_fails_then_cut(tp(), dice.randint(1, 3)),
    )
    for _ in range(steps):
        wanderer.play(dice.choice(moves))
    wanderer.play(history.turn)
    wanderer.play(wanderer.cut)
