"""``flux plugins`` in processes of their own: what is found depends on what can be imported there."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.cli.shell import FLUX, PATIENCE_S

DROP_IN = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from flux.interfaces import IAssignor

@implementer(IAssignor)
class First:
    name = "first"
    def assign(self, members, partitions):
        return {}

@implementer(IAssignor)
class NoAssignor:
    name = "useless"

first, also_first, useless = First(), First(), NoAssignor()
first_again = first
"""


def plugins(path: Path | None = None) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the answer, and what was said on stderr."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH"))))
    result = subprocess.run(
        [*FLUX, "plugins", "--format", "json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return result.returncode, json.loads(result.stdout), result.stderr


def test_our_own_are_found() -> None:
    """As if somebody else had written them; all of them can be used."""
    status, found, said = plugins()
    assert (status, said) == (0, "")
    names = {(plugin["kind"], plugin["name"]) for plugin in found if plugin["drop_in"] == "flux.plugins.builtin"}
    assert {("assignor", "range"), ("assignor", "round_robin"), ("alerts", "webhook"), ("commands", "admin")} <= names
    assert {plugin["problem"] for plugin in found} == {None}


def test_what_cannot_be_used_is_told_with_its_reason(tmp_path: Path) -> None:
    """A drop-in that cannot be imported, and an object that does not keep its promise; without a traceback."""
    drop_ins = tmp_path / "flux" / "plugins"
    drop_ins.mkdir(parents=True)
    (drop_ins / "third_party.py").write_text(DROP_IN)
    (drop_ins / "broken.py").write_text("import nothing_of_that_name")
    status, found, said = plugins(tmp_path)
    assert (status, said) == (1, "")
    ours = [plugin for plugin in found if plugin["drop_in"] != "flux.plugins.builtin"]
    problems = [(plugin["kind"], plugin["name"], plugin["drop_in"], plugin["problem"]) for plugin in ours]
    where = "flux.plugins.third_party"
    assert problems[:2] == [("assignor", "first", where, None)] * 2  # two objects, each once
    assert problems[2][:3] == ("assignor", "useless", where)
    assert "assign(members, partitions) attribute was not provided" in problems[2][3]
    reason = "ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert problems[3] == ("drop-in", "-", "flux.plugins.broken", reason)
