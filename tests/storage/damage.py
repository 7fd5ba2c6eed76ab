"""A log that was filled and ended, over and over as it was, and what must be true of it after any damage: the oracle of
``test_damaged_batches.py`` and ``test_small_files.py``.

A start always succeeds, what is missing is reported, the rest is there with its value, and no offset is given a second value.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from flux.batch import walk
from flux.disk.medium import DirectoryNode
from tests.storage.scene import READY, TP, Scene

BATCHES = 20
EPOCHS_BEGIN_AT = (0, 8, 14)  # batch numbers: several segments, and segments of two epochs
Values = dict[int, bytes | None]
Damage = Callable[["Patient"], object]


@contextmanager
def case(*names: object) -> Iterator[None]:
    """Say in which row of a table it failed."""
    try:
        yield
    except Exception as error:
        error.add_note("case: " + ", ".join(map(str, names)))
        raise


def stopped(scene: Scene) -> None:
    """A clean stop: there is a mark, and it says where the log ended."""
    scene.stop()


def killed(scene: Scene) -> None:
    """A kill some time after the recovery points were saved."""
    scene.advance(2)
    scene.die()


def killed_at_once(scene: Scene) -> None:
    """A kill before any recovery point was saved: only the files tell where the log ended."""
    scene.die()


def killed_ready(scene: Scene) -> None:
    """The same, and zeros behind the last batch were ready to be written over."""
    killed_at_once(scene)
    scene.lengthen(scene.names(".log")[-1], READY)


ENDINGS = (stopped, killed, killed_at_once, killed_ready)


class Patient:
    """A scene at rest. *Action*: damage it, then :meth:`recovers`; :meth:`again` makes it what it was.

    ``known`` is every value that was acknowledged, by offset.
    """

    def __init__(
        self,
        ending: Callable[[Scene], None],
        *,
        records: int = 2,
        value: int = 100,
        batches: int = BATCHES,
        start: int = 0,
        segment: int = 1024,
    ) -> None:
        self.scene = Scene(segment_max_bytes=segment, index_interval_bytes=250, checkpoint_interval_ms=1000).start()
        self.known: Values = {}
        self.times: dict[int, int] = {}  # timestamp → offset of the first record that has it
        epoch = -1
        for number in range(batches):
            epoch += number in EPOCHS_BEGIN_AT
            values = [b"%d/%d " % (number, index) + b"x" * value for index in range(records)]
            timestamp_ms = 1_700_000_000_000 + 1000 * number
            base = self.scene.put(*values, epoch=epoch, timestamp_ms=timestamp_ms)
            self.scene.turn()
            self.known.update(enumerate(values, base))
            self.times[timestamp_ms] = base
        if start:
            self.scene.done(self.scene.log.move_start(start))
        self.start = start
        self.epoch = epoch
        ending(self.scene)
        self._files = self.now()
        where = [
            (header.base_offset, header.next_offset, path, position, position + header.length)
            for path in self.scene.names(".log")
            for header, position in walk(self.scene.contents(path).removesuffix(READY))
        ]
        self.batches = sorted(where)

    def again(self, files: DirectoryNode | None = None) -> None:
        """The disk as it was before any damage, or at :meth:`now`."""
        self.scene.die()
        self.scene.disk.top = deepcopy(files or self._files)

    def now(self) -> DirectoryNode:
        """What the disk holds, for :meth:`again`."""
        return deepcopy(self.scene.disk.top)

    def offsets_in(self, path: str) -> set[int]:
        """What that segment holds."""
        return {offset for first, after, name, _, _ in self.batches if name == path for offset in range(first, after)}

    # --- the oracle

    def recovers(self, lost: Collection[int] = (), *, lives: int = 2, reported: bool = True) -> None:
        """It starts, reports *lost*, holds all the rest, goes on at offsets never used, and so in the *lives* that follow.

        Unless not *reported*: an earlier start may have reported already.
        """
        with self._reports() as told:
            scene = self.scene.start()
            found = scene.values()
        self._compare(found, lost)
        unreported = set(lost) - told()
        if unreported and reported:
            raise AssertionError(f"offsets {sorted(unreported)} are gone, and nobody was told: {scene.manager.losses}")
        for timestamp_ms, offset in self.times.items():
            if offset >= self.start and offset not in lost:
                self._equal(scene.done(scene.log.offset_for(timestamp_ms)), (offset, timestamp_ms))
        now = dict(found)
        for life in range(lives):
            value = b"life %d" % life
            offset = scene.put(value, epoch=self.epoch)
            scene.turn()
            if offset in self.known or offset in now:
                raise AssertionError(f"offset {offset} was given a second value")
            now[offset] = value
            self._equal(scene.values(), now)
            scene.kill() if life % 2 else scene.restart()
            self._equal(scene.values(), now)
        if lives > 2:
            self._equal(scene.manager.losses, [])  # it was told once

    def _compare(self, found: Values, lost: Collection[int]) -> None:
        wrong = {offset: value for offset, value in found.items() if self.known.get(offset) != value}
        missing = {offset for offset in self.known if offset >= self.start and offset not in found}
        if wrong or missing != set(lost):
            raise AssertionError(f"wrong: {wrong}; missing: {sorted(missing)}; should be: {sorted(lost)}")

    @staticmethod
    def _equal(seen: object, due: object) -> None:
        if seen != due:
            raise AssertionError(f"{seen!r:.1000} where {due!r:.1000} was due")

    @contextmanager
    def _reports(self) -> Iterator[Callable[[], set[int]]]:
        """Which offsets are reported: by the start, or to the log by a reader who passed over them."""
        passed_over: list[LogEvent] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event.get("log_format", "").endswith("passed over") and event.get("tp") == TP:
                passed_over.append(event)

        def reported() -> set[int]:
            ranges = [range(loss.first, loss.next) for _, loss in self.scene.manager.losses]
            ranges += [
                range(first, after)
                for event in passed_over
                for first, after, path, start, end in self.batches
                if path.endswith(event["file"]) and start < event["end"] and event["position"] < end
            ]
            return {offset for offset in self.known if any(offset in several for several in ranges)}

        globalLogPublisher.addObserver(observe)
        try:
            yield reported
        finally:
            globalLogPublisher.removeObserver(observe)
