"""The model disk against a log that keeps the rules, and against the same log with one rule left out.

The first must never lose what it acknowledged, the second must be found out: a model that cannot find a planted defect
proves nothing about code in which nobody planted one.
"""

import errno
from itertools import count
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.disk.faults import Stopped
from flux.disk.memory import MemoryDisk
from tests.disk.reference_log import DEFECTS, ReferenceLog

SEEDS = 200  # the shyest defect is found in one life of eight
STEPS = 40


class Lost(Exception):
    """Something acknowledged, or served, was not there afterwards."""


class History:
    """One life of a disk: a random one, full of kills, cuts and failing calls, and what was promised in it."""

    def __init__(self, seed: int, defect: str | None) -> None:
        self.dice = Random(seed)
        self.disk = MemoryDisk(Random(seed))
        self.defect = defect
        self.acknowledged: list[int] = []
        self.value: int | None = None
        self.maybe: set[int | None] = set()  # values whose saving ended in nobody knows what
        self.numbers = count(1)
        self.log = self.recovered()

    def recovered(self) -> ReferenceLog:
        """The log as the next process finds it. :raises Lost: it does not hold what it must."""
        while True:
            self.disk.heal()
            try:
                log = ReferenceLog(self.disk.root, self.defect)
            except Stopped:
                self.disk.restart()
            else:
                break
        if log.numbers[: len(self.acknowledged)] != self.acknowledged:
            raise Lost(f"acknowledged {self.acknowledged}, found {log.numbers}")
        if log.value not in {self.value, *self.maybe}:
            raise Lost(f"saved {self.value} or {self.maybe}, found {log.value}")
        # What is served once counts as acknowledged from then on.
        self.acknowledged, self.value, self.maybe = list(log.numbers), log.value, set()
        return log

    def live(self) -> None:
        for _ in range(STEPS):
            step = self.dice.choice((self.produce, self.produce, self.produce, self.save, self.fail, self.stop))
            try:
                step()
            except OSError:
                pass
            except Stopped:
                self.disk.restart()
                self.log = self.recovered()
        self.disk.cut()
        self.recovered()

    def produce(self) -> None:
        if self.log.failed:
            return
        for _ in range(self.dice.randint(1, 3)):
            self.log.append(next(self.numbers))
        self.log.sync()
        self.acknowledged = list(self.log.numbers)

    def save(self) -> None:
        value = next(self.numbers)
        self.maybe.add(value)
        self.log.save(value)
        self.value, self.maybe = value, set()

    def fail(self) -> None:
        """One of the next calls, a datasync more often than by chance: what follows one is where most can be lost."""
        kind = self.dice.choice((None, "append", "datasync", "datasync"))
        self.disk.fail(self.dice.choice((errno.EIO, errno.ENOSPC)), kind, nth=self.dice.randint(1, 3))

    def stop(self) -> None:
        match self.dice.randrange(4):
            case 0:
                self.disk.cut_at(self.disk.calls + self.dice.randint(1, 20))
            case 1:
                self.disk.kill_at(self.disk.calls + self.dice.randint(1, 20))
            case 2:
                self.disk.cut()
                self.log = self.recovered()
            case 3:
                self.disk.kill()
                self.log = self.recovered()


def first_loss(defect: str | None, seeds: int) -> int | None:
    """The first seed with which something is lost, None if it is none of the first *seeds*."""
    for seed in range(seeds):
        try:
            History(seed, defect).live()
        except Lost:
            return seed
    return None


class Calibration(SynchronousTestCase):
    def test_a_log_that_keeps_the_rules_loses_nothing(self) -> None:
        """Whatever fails, and wherever the power goes."""
        self.assertIsNone(first_loss(None, SEEDS))

    def test_every_planted_defect_is_found(self) -> None:
        """Each within the same number of lives."""
        found = {defect: first_loss(defect, SEEDS) for defect in DEFECTS}
        self.assertEqual([defect for defect, seed in found.items() if seed is None], [], found)
