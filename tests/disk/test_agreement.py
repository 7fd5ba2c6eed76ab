"""The model and the real directory agree on everything but what a power cut does."""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.disk.files import FilesDirectory
from flux.disk.memory import MemoryDisk
from flux.interfaces import IDirectory, IFile

NAMES = st.sampled_from(["a", "b", "c"])
SIZES = st.integers(0, 12)

STEPS = st.one_of(
    st.tuples(st.sampled_from(["create", "open", "remove", "remove_directory", "make", "list_child", "lock"]), NAMES),
    st.tuples(st.just("create_below"), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("append"), NAMES),
    st.tuples(st.just("append"), NAMES, st.binary(max_size=9)),
    st.tuples(st.just("append"), NAMES, st.binary(max_size=9), st.binary(max_size=9)),
    st.tuples(st.sampled_from(["truncate", "allocate"]), NAMES, SIZES),
    st.tuples(st.just("read_at"), NAMES, SIZES, SIZES),
    st.tuples(st.sampled_from(["datasync", "drop_cache", "close"]), NAMES),
)


class Scene:
    """One directory, one handle a name, and what each step says: its result, or the class of what it raises."""

    def __init__(self, directory: IDirectory) -> None:
        self.directory = directory
        self.handles: dict[str, IFile] = {}

    def step(self, kind: str, name: str, *arguments: object) -> object:
        try:
            return self._step(kind, name, *arguments)
        except (OSError, ValueError) as error:
            return type(error), getattr(error, "errno", None)

    def _step(self, kind: str, name: str, *arguments: object) -> object:
        directory = self.directory
        match kind:
            case "create" | "open":
                if name in self.handles:
                    self.handles.pop(name).close()
                self.handles[name] = getattr(directory, kind)(name)
                return self.handles[name].size
            case "make":
                return directory.child(name).make()
            case "list_child":
                return directory.child(name).list()
            case "create_below":
                directory.child(name).create("below").close()
                return None
            case "lock":
                return directory.lock(name)()
            case "rename" | "remove" | "remove_directory":
                return getattr(directory, kind)(name, *arguments)
        if name not in self.handles:
            return None
        file = self.handles[name]
        use: Callable[..., object] = getattr(file, kind)
        return use(*arguments), file.size

    def listing(self) -> object:
        return self.directory.list()

    def close(self) -> None:
        for file in self.handles.values():
            file.close()


class TheModelAgrees(SynchronousTestCase):
    @settings(max_examples=150, deadline=None, database=None)
    @given(st.lists(STEPS, max_size=30))
    def test_every_step_ends_alike(self, steps: list[tuple[str, str]]) -> None:
        """Any sequence of calls gives the same results, the same errors and the same listings."""
        real = FilesDirectory(self.mktemp())
        real.make()
        scenes = Scene(real), Scene(MemoryDisk(Random(0)).root)
        try:
            for step in steps:
                first, second = (scene.step(*step) for scene in scenes)
                self.assertEqual(first, second, step)
                self.assertEqual(scenes[0].listing(), scenes[1].listing(), step)
        finally:
            for scene in scenes:
                scene.close()
