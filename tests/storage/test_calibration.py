"""The tests of power cuts can fail: each planted defect is found, within a bounded number of lives.

A model that finds nothing in code with a planted defect proves nothing about code in which nobody planted one.
"""

import os
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from flux.model import FsyncMode
from tests.storage.defects import DEFECTS, EQUIVALENT
from tests.storage.history import Broken
from tests.storage.layer import Layer
from tests.storage.wandering import Wanderer, wander

EXAMPLES = int(os.environ.get("FLUX_TEST_EXAMPLES", "40"))
LIVES = 100  # each is found within the first 20
STEPS = 30


def first_loss(layer: type[Layer], lives: int, mode: FsyncMode = FsyncMode.ALWAYS) -> int | None:
    """The first seed with which a promise is broken, None if it is none of the first *lives*."""
    for seed in range(lives):
        try:
            wander(Wanderer(mode, seed, layer(), queued=seed % 2 == 1), Random(seed), STEPS)
        except Broken:
            return seed
    return None


class Calibration(SynchronousTestCase):
    def tearDown(self) -> None:
        self.flushLoggedErrors()  # of processes that ended in the middle of something

    def test_without_a_defect_nothing_is_lost(self) -> None:
        """Whatever fails, and wherever the power goes."""
        for mode in FsyncMode:
            self.assertIsNone(first_loss(Layer, EXAMPLES, mode), mode)

    def test_every_planted_defect_is_found(self) -> None:
        """Each within the same number of lives."""
        found = {defect.__name__: first_loss(defect, LIVES) for defect in DEFECTS}
        self.assertEqual([defect for defect, seed in found.items() if seed is None], [], found)

    def test_what_is_equivalent_loses_nothing(self) -> None:
        """Each has its reason beside it, in defects.py."""
        for defect in EQUIVALENT:
            self.assertIsNone(first_loss(defect, EXAMPLES), defect)
