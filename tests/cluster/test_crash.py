"""A crash at any instant of the controller's life: the image is the old one or the new one, and what it says is so."""

import contextlib  # not "from": trial takes a module's "suppress" for its own
import errno
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from flux.cluster.codec import encode
from flux.cluster.image import Image
from flux.cluster.store import FileMetadataStore
from flux.errors import FluxError
from flux.interfaces import IMetadataObserver
from flux.model import Role
from flux.storage.checkpoint import Checkpoint
from flux.testing import MemoryDisk, Stopped, run_now
from tests.cluster.images import TP
from tests.replication.scene import Broker, turn, visible_values

T = TypeVar("T")


def mortal(function: Callable[..., T], /, *args: Any) -> Deferred[T]:
    """A thread that works at once, and is silent for ever once its process has ended."""
    try:
        return succeed(function(*args))
    except Stopped:
        return Deferred()
    except Exception:
        return fail()


@implementer(IMetadataObserver)
class Recorder:
    """Every image that was seen, as its JSON."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []

    def metadata_changed(self, image: Image) -> None:
        self.images.append(encode(image))


STEPS: list[Callable[[Broker], object]] = [
    lambda broker: broker.controller.create_topic("orders", 2, 1, {"retention.ms": "5000"}),
    lambda broker: broker.put(count=3),
    lambda broker: broker.controller.alter_topic("orders", {"segment.bytes": "2048"}, 3),
    lambda broker: broker.controller.set_role(TP, Role.FOLLOWER),
    lambda broker: broker.controller.set_role(TP, Role.LEADER),
    lambda broker: broker.controller.delete_topic("orders"),
    lambda broker: broker.controller.create_on_first_use("orders"),
    lambda broker: broker.put(count=2),
    lambda broker: broker.controller.register_broker(1, "h", 1, None),
    lambda broker: broker.controller.broker_heartbeat(1),
    lambda broker: broker.controller.fence(1),
]


def live(broker: Broker, recorder: Recorder) -> None:
    """One life from start to finish, or as far as the disk lets it."""
    broker.start()
    broker.controller.watch(recorder)
    for step in STEPS:
        done = step(broker)
        if isinstance(done, Deferred):
            done.addErrback(lambda failure: failure.trap(FluxError, Stopped))
        turn(broker.clock)


class CrashTests(SynchronousTestCase):
    """Kills and power cuts between any two calls to the disk."""

    def crash(self, plan: Callable[[MemoryDisk], object], seed: int) -> tuple[Recorder, Broker]:
        """A life that ends as *plan* says; what was seen of it."""
        broker, recorder = Broker(thread=mortal, seed=seed), Recorder()
        plan(broker.disk)
        with contextlib.suppress(Stopped, FluxError):  # the script does not notice that it is dead
            live(broker, recorder)
        return recorder, broker

    def forget_deaths(self) -> None:
        """Dying is what the log may tell of, nothing else."""
        for failure in self.flushLoggedErrors():  # by type it finds no BaseException
            self.assertIsInstance(failure.value, Stopped)

    def test_the_old_image_or_the_new(self) -> None:
        """Whatever was seen is there, at most one change more, never a mix; and the next start makes it true on disk."""
        whole = Recorder()
        broker = Broker(thread=mortal)
        live(broker, whole)
        for call in range(1, broker.disk.calls + 1):
            for kind, plan in (("kill", MemoryDisk.kill_at), ("cut", MemoryDisk.cut_at)):
                with self.subTest(f"{kind} at call {call}"):
                    self.check_crash(*self.crash(lambda disk: plan(disk, call), call), whole)  # noqa: B023  # called at once
        self.forget_deaths()

    def check_crash(self, recorder: Recorder, broker: Broker, whole: Recorder) -> None:
        seen = len(recorder.images)
        self.assertEqual(recorder.images, whole.images[:seen])
        broker.disk.restart()
        found = encode(FileMetadataStore(Checkpoint(broker.disk.root, "metadata.json", run_now)).load())
        if found["index"]:
            self.assertIn(found, whole.images[max(seen - 1, 0) : seen + 1])
        else:
            self.assertEqual(seen, 0)
        broker.kill()
        turn(broker.clock)
        image = broker.controller.image
        self.assertEqual(image.term, found["term"] + 1)
        self.assertEqual(dict(image.tombstones), {})
        directories = {tp.topic for tp in broker.logs.existing()}
        self.assertEqual(directories, set(image.topics))
        for topic in image.topics.values():
            for number in range(len(topic.partitions)):
                shown = visible_values(broker.partition(topic.name, number))
                self.assertLessEqual(len(shown), 3 if topic.topic_id == "topic-1" else 2)
        broker.stop()

    @given(
        st.integers(0, 99),
        st.lists(
            st.tuples(st.booleans(), st.integers(20, 250), st.integers(0, 20), st.integers(1, 3)),
            min_size=1,
            max_size=5,
        ),
    )
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    def test_a_term_and_index_mean_one_image(self, seed: int, lives: list[tuple[bool, int, int, int]]) -> None:
        """Over crashes and a disk that fails now and then: what was seen under a term and an index is all they ever stand for."""
        meaning: dict[tuple[int, int], dict[str, Any]] = {}
        broker = Broker(thread=mortal, seed=seed)
        for killed, calls, failing, times in lives:
            recorder = Recorder()
            (broker.disk.kill_at if killed else broker.disk.cut_at)(broker.disk.calls + calls)
            if failing:
                broker.disk.fail(errno.ENOSPC, nth=failing, times=times, where=lambda path: "metadata.json" in path)
            with contextlib.suppress(Stopped, FluxError, OSError):
                live(broker, recorder)
            broker.disk.heal()
            broker.disk.restart()
            stored = FileMetadataStore(Checkpoint(broker.disk.root, "metadata.json", run_now)).load()
            for image in [*recorder.images, encode(stored)]:
                known = meaning.setdefault((image["term"], image["index"]), image)
                self.assertEqual(known, image)
        self.forget_deaths()
