"""The queue through which the image changes."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.cluster.image import BrokerState, Image
from flux.cluster.metadata import Change, Metadata
from flux.errors import BadRequest, ShuttingDown, StorageError, Throttled
from flux.interfaces import IMetadataObserver, IMetadataStore


@implementer(IMetadataStore)
class SlowStore:
    """Stores in memory, when the test says so."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Image, int, Deferred[Image]]] = []

    def load(self) -> Image:
        return Image()

    def commit(self, image: Image, expected_version: int) -> "Deferred[Image]":
        answer: Deferred[Image] = Deferred()
        self.attempts.append((image, expected_version, answer))
        return answer

    def commit_now(self, image: Image, expected_version: int) -> Image:
        return image

    def accept(self) -> Image:
        image, _, answer = self.attempts.pop(0)
        answer.callback(image)
        return image

    def refuse(self) -> Image:
        image, _, answer = self.attempts.pop(0)
        answer.errback(StorageError("full"))
        return image


@implementer(IMetadataObserver)
class Watcher:
    """Remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def metadata_changed(self, image: Any) -> None:
        self.seen.append(image.index)


def add(broker_id: int) -> Change:
    """A change that adds a broker, or nothing if it is there."""

    def added(image: Image) -> Image:
        if broker_id in image.brokers:
            return image
        return replace(image, brokers={**image.brokers, broker_id: BrokerState(broker_id, "h", 1, 1)})

    return added


class MetadataTests(SynchronousTestCase):
    """One change at a time, stored before it is seen."""

    def setUp(self) -> None:
        self.store = SlowStore()
        self.metadata = Metadata(self.store)
        self.metadata.start(Image(1, 1))
        self.watcher = Watcher()
        self.metadata.watch(self.watcher)

    def test_a_watcher_is_told_the_image_in_force_first(self) -> None:
        """Then every change."""
        self.metadata.change(add(1))
        self.assertEqual(self.watcher.seen, [1])
        self.store.accept()
        self.assertEqual(self.watcher.seen, [1, 2])

    def test_nothing_is_seen_before_it_is_stored(self) -> None:
        """Neither by observers nor by whoever asks for the image; the answer comes last."""
        changed = self.metadata.change(add(1))
        self.assertEqual(self.metadata.image.brokers, {})
        self.assertNoResult(changed)
        seen: list[list[int]] = []
        changed.addCallback(lambda _: seen.append(list(self.watcher.seen)))
        self.store.accept()
        self.assertEqual(seen, [[1, 2]])

    def test_changes_are_computed_on_one_another(self) -> None:
        """One commit in flight; the next builds on its result and names its version."""
        for broker_id in (1, 2, 3):
            self.metadata.change(add(broker_id))
        self.assertEqual(len(self.store.attempts), 1)
        for expected in (1, 2, 3):
            self.assertEqual(self.store.attempts[0][1], expected)
            self.store.accept()
        self.assertEqual(sorted(self.metadata.image.brokers), [1, 2, 3])

    def test_a_change_that_changes_nothing_is_not_stored(self) -> None:
        """It is answered with the image in force, in its turn."""
        first, second = self.metadata.change(add(1)), self.metadata.change(add(1))
        self.assertNoResult(second)
        self.store.accept()
        self.assertEqual(self.successResultOf(first).index, 2)
        self.assertEqual(self.successResultOf(second).index, 2)
        self.assertEqual(self.store.attempts, [])

    def test_a_refused_change_leaves_no_trace(self) -> None:
        """Whoever asked hears why; those behind go on."""
        first, second = self.metadata.change(add(1)), self.metadata.change(add(2))
        self.store.refuse()
        self.failureResultOf(first, StorageError)
        self.store.accept()
        self.assertEqual(sorted(self.successResultOf(second).brokers), [2])

    def test_an_index_is_used_once(self) -> None:
        """A refused image may be what a crash leaves behind: the next change has another index."""
        self.metadata.change(add(1)).addErrback(lambda failure: failure.trap(StorageError))
        self.metadata.change(add(2))
        self.assertEqual(self.store.refuse().index, 2)
        self.assertEqual(self.store.accept().index, 3)

    def test_a_change_that_raises_is_told(self) -> None:
        """Nothing is stored for it."""

        def refused(image: Image) -> Image:
            raise BadRequest("no")

        self.failureResultOf(self.metadata.change(refused), BadRequest)
        self.assertEqual(self.store.attempts, [])

    def test_whoever_is_answered_may_ask_again(self) -> None:
        """Within the answer, in turn with the others."""
        again: list[Deferred[Image]] = []
        self.metadata.change(add(1)).addCallback(lambda _: again.append(self.metadata.change(add(3))))
        self.metadata.change(add(2))
        while self.store.attempts:
            self.assertEqual(len(self.store.attempts), 1)
            self.store.accept()
        self.assertEqual(sorted(self.successResultOf(again[0]).brokers), [1, 2, 3])

    def test_an_observer_that_fails_harms_nobody(self) -> None:
        """It is logged; the others are told, and the change holds."""

        @implementer(IMetadataObserver)
        class Broken:
            def metadata_changed(self, image: Any) -> None:
                raise RuntimeError("no")

        metadata = Metadata(self.store)
        metadata.watch(Broken())
        metadata.watch(self.watcher)
        changed = metadata.change(add(1))
        self.store.accept()
        self.successResultOf(changed)
        self.assertEqual(self.watcher.seen, [1, 0, 1])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_a_stop_waits_for_what_is_under_way(self) -> None:
        """And refuses what comes after."""
        first = self.metadata.change(add(1))
        stopped = self.metadata.stop(ShuttingDown("bye"))
        self.assertNoResult(stopped)
        self.failureResultOf(self.metadata.change(add(2)), ShuttingDown)
        self.store.accept()
        self.successResultOf(first)
        self.successResultOf(stopped)
        self.successResultOf(self.metadata.stop(ShuttingDown("bye")))

    def test_the_queue_has_an_end(self) -> None:
        """A store that hangs costs refusals, not memory."""
        for broker_id in range(10_001):
            self.assertNoResult(self.metadata.change(add(broker_id)))
        self.failureResultOf(self.metadata.change(add(1)), Throttled)
