"""A verification foresees what a start, and whoever reads then, will find missing; whatever the disk did."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.damage import Patient, killed
from tests.storage.scene import EPOCHS, Scene
from tests.storage.test_verification import verified

FAR = 1 << 16  # beyond every offset there is


def damaged(where: float, how: str, much: float) -> Callable[[Scene], object]:
    """Something done to one of the segments, or to what lies beside them; *where* and *much* are shares of what there is."""

    def do(scene: Scene) -> None:
        paths = scene.names(".log")
        if how in ("epochs", "hints") or not paths:
            scene.lose_hints() if how == "hints" else scene.put_file(EPOCHS, b"?")
            return
        path = paths[int(where * len(paths))]
        size = len(scene.contents(path))
        if how == "lose":
            scene.lose(path)
        elif how == "lengthen":
            scene.lengthen(path, bytes(range(256)) * int(1 + 3 * much))
        elif how == "shorten":
            scene.shorten(path, int(much * size))
        elif size:
            scene.flip_bit(path, int(much * size), int(where * 1000) % 8)

    return do


SHARES = st.floats(0, 1, exclude_max=True)
DAMAGES = st.builds(
    damaged, SHARES, st.sampled_from(["flip", "flip", "lose", "lengthen", "shorten", "epochs", "hints"]), SHARES
)


class Foreseen(SynchronousTestCase):
    def setUp(self) -> None:
        self.patient = Patient(killed)

    @settings(max_examples=80, deadline=None)
    @given(st.lists(DAMAGES, min_size=1, max_size=4))
    def test_a_verification_foresees_what_is_lost(self, damages: list[Callable[[Scene], object]]) -> None:
        """Nothing that is missing was not foreseen, nor anything that a start reports; nothing foreseen is there."""
        patient, scene = self.patient, self.patient.scene
        patient.again()
        for damage in damages:
            damage(scene)
        found = [each for each in verified(scene) if not each.harmless]
        foreseen = {offset for each in found for offset in range(each.first or 0, min(each.next or 0, FAR))}
        scene.start()
        told = {offset for _, loss in scene.manager.losses for offset in range(loss.first, min(loss.next, FAR))}
        missing = set(patient.known) - set(scene.values())
        scene.die()
        self.assertLessEqual(missing | told, foreseen)
        self.assertLessEqual(foreseen & set(patient.known), missing)
