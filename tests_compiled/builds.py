"""Both builds at once: the compiled one is installed, the pure one is a copy of its sources, which lie beside the compiled files."""

import importlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import flux
from flux.tap import is_compiled

INSTALLED = Path(flux.__file__).parent
# What both builds share in one process, so that errors are of one class and an Acks of the one is an Acks of the other. Never compiled.
SHARED = {"flux.errors", "flux.model"}
_SUFFIXES = tuple(EXTENSION_SUFFIXES)

if not is_compiled():
    raise RuntimeError(f"{INSTALLED} is pure Python, so there is nothing to compare; run this with: tox -e compiled")


def compiled_names() -> list[str]:
    """The modules that ``setup.py`` had compiled."""
    built = [path.relative_to(INSTALLED.parent) for path in INSTALLED.rglob("*") if path.name.endswith(_SUFFIXES)]
    return sorted(".".join([*path.parent.parts, path.name.partition(".")[0]]) for path in built)


def copy_sources(parent: Path) -> Path:
    """Put the installed package below *parent* without what was compiled of it; *parent* can then be a ``PYTHONPATH``."""
    shutil.copytree(INSTALLED, parent / "flux", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    return parent


def import_sources(parent: Path, names: Sequence[str]) -> list[ModuleType]:
    """The modules *names* as the sources below *parent* define them, and all they import; ``sys.modules`` stays as it was."""
    for name in SHARED:
        importlib.import_module(name)
    with _without_flux(), _path_first(parent):
        modules = [importlib.import_module(name) for name in names]
    for module in modules:
        assert str(module.__file__) == str(parent / Path(*module.__name__.split("."))) + ".py", module
    return modules


@contextmanager
def _without_flux() -> Iterator[None]:
    ours = {name: module for name, module in sys.modules.items() if name == "flux" or name.startswith("flux.")}
    for name in ours.keys() - SHARED:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == "flux" or name.startswith("flux.")]:
            del sys.modules[name]
        sys.modules.update(ours)


@contextmanager
def _path_first(parent: Path) -> Iterator[None]:
    sys.path.insert(0, str(parent))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(parent))
