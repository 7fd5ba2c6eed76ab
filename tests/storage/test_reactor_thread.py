"""Nothing that waits for the disk runs on the reactor's thread while clients are served."""

from twisted.trial.unittest import SynchronousTestCase

from flux.interfaces import IDirectory, IFile
from flux.model import FsyncMode, TopicPartition
from tests.storage.layer import Layer
from tests.storage.scene import TP, Scene


class Watch(Layer):
    """Notes what waits for the disk, or reads a closed segment, outside the threads."""

    def __init__(self) -> None:
        super().__init__()
        self.in_thread = True  # a start may wait
        self.waited: list[str] = []

    def datasync(self, file: IFile, path: str) -> None:
        self._note("datasync " + path)
        super().datasync(file, path)

    def drop_cache(self, file: IFile, path: str) -> None:
        self._note("drop_cache " + path)
        super().drop_cache(file, path)

    def sync(self, directory: IDirectory) -> None:
        self._note("sync " + directory.path)
        super().sync(directory)

    def remove(self, directory: IDirectory, name: str) -> None:
        self._note(f"remove {directory.path}/{name}")  # of a large file it takes long
        super().remove(directory, name)

    def _note(self, call: str) -> None:
        if not self.in_thread:
            self.waited.append(call)


class WatchedScene(Scene):
    """Tells its layer when the threads work."""

    layer: Watch

    def work(self) -> None:
        before, self.layer.in_thread = self.layer.in_thread, True
        super().work()
        self.layer.in_thread = before


class OnTheReactor(SynchronousTestCase):
    def test_nothing_waits_for_the_disk(self) -> None:
        """Appends, rolls, epochs, reads, timers, retention, truncation, new topics and deletions; in every mode."""
        for mode in FsyncMode:
            layer = Watch()
            scene = WatchedScene(
                mode, queued=True, through=layer, segment_max_bytes=700, flush_bytes=900, retention_max_age_seconds=3600
            )
            scene.layer = layer
            scene.start()
            scene.turn()
            layer.in_thread = False
            for number in range(20):
                scene.put(b"v" * 150, epoch=number // 8)
                if number % 3 == 0:
                    scene.turn()
            scene.done(scene.log.flush())
            self.assertEqual(len(scene.records()), 20)
            scene.done(scene.log.offset_for(0))
            scene.advance(61)
            scene.done(scene.log.move_start(5))
            scene.done(scene.log.truncate(15))
            other = TopicPartition("another", 0)
            scene.open(other)
            scene.put(b"x", tp=other)
            scene.turn()
            scene.done(scene.manager.delete(other))
            scene.tps = [TP]
            scene.advance(7200)
            scene.turn()
            self.assertEqual(layer.waited, [])
