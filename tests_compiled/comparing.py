"""Every pure function that is compiled, beside itself interpreted: the same results, the same errors in the same words.

An argument of a wrong *type* is not tried: compiled code refuses it at the door with a TypeError, interpreted code perhaps later or
never. mypy would refuse it too.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from flux.model import Header
from tests_compiled.builds import compiled_names, copy_sources, import_sources

# Of these there is no function to compare: every request goes through them, and whole brokers are compared (test_brokers).
IN_BROKERS = {
    "flux.commands.page",
    "flux.commands.produce",
    "flux.replication.leadership",
    "flux.replication.visible",
    "flux.server.answer",
    "flux.server.dispatch",
    "flux.server.joint",
    "flux.server.pipeline",
    "flux.storage.segments",
    "flux.watermark",
}
NAMES = [name for name in compiled_names() if name not in IN_BROKERS]

# Where a C integer of some width, or mypyc's tagged one of 63 bits, ends and something else begins.
EDGES = sorted(
    {
        sign * ((1 << bits) + step)
        for bits in (0, 6, 7, 13, 15, 31, 32, 40, 61, 62, 63, 64, 100)
        for step in (-1, 0, 1)
        for sign in (-1, 1)
    }
)
INTEGERS = st.sampled_from(EDGES) | st.integers(-10, 300) | st.integers()
INT64 = INTEGERS.filter(lambda number: -(1 << 63) <= number < 1 << 63)
INT32 = INTEGERS.filter(lambda number: -(1 << 31) <= number < 1 << 31)
FIELDS = st.none() | st.binary(max_size=6) | st.sampled_from([b"", b"v" * 63, b"v" * 64, b"\0" * 8191, b"\xff" * 8200])
HEADERS = st.lists(st.builds(Header, st.sampled_from(["", "h", "é", "\udcff"]), FIELDS), max_size=3)

same = settings(
    max_examples=int(os.environ.get("FLUX_TEST_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def _both() -> dict[str, tuple[ModuleType, ModuleType]]:
    with TemporaryDirectory() as directory:
        sources = import_sources(copy_sources(Path(directory)), NAMES)
    return {name: (importlib.import_module(name), source) for name, source in zip(NAMES, sources, strict=True)}


BOTH = _both()


def outcome(call: Callable[[], Any]) -> Any:
    """What came of it, in words that do not depend on which build's classes were used."""
    try:
        return _told(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _told(result: Any) -> Any:
    if isinstance(result, Iterator):
        told = []
        try:
            for item in result:
                told.append(_told(item))
        except Exception as error:  # what came before it counts too
            told.append(f"{type(error).__name__}: {error}")
        return told
    if isinstance(result, (list, tuple, range)):
        return type(result).__name__, [_told(item) for item in result]
    return type(result).__name__, result if isinstance(result, (int, bytes, float, type(None))) else repr(result)


def compare(module: str, call: Callable[[Any], Any]) -> None:
    """Whatever *call* does to the one module has to come of it with the other."""
    compiled, pure = BOTH[module]
    assert str(compiled.__file__).endswith((".so", ".pyd")) and str(pure.__file__).endswith(".py")
    assert outcome(lambda: call(compiled)) == outcome(lambda: call(pure))
