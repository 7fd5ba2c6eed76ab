"""What an installation brings: the wheel and the editable install, each in a fresh environment and seen from another directory."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker import READY, LineClient

ROOT = Path(__file__).parents[2]
PATIENCE_S = 280  # packages come over the network
PARTS = ("flux", "twisted", "docs/examples/flux-echo")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


class Environment:
    """A virtual environment with Flux and the example plugin in it."""

    def __init__(self, path: Path, example: Path) -> None:
        self.path = path
        self.example = example
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True, timeout=PATIENCE_S)

    def run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        """What a program of it prints, run in a directory that is not the sources'."""
        result = subprocess.run(
            [str(self.path / "bin" / program), *arguments],
            cwd=cwd or self.path,
            env=self._variables(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def serve(self) -> "subprocess.Popen[str]":
        """``flux serve`` on a free port."""
        return subprocess.Popen(
            [str(self.path / "bin" / "flux"), "serve", "--port", "0", "--data-dir", str(self.path / "data")],
            cwd=self.path,
            env=self._variables(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def _variables(self) -> dict[str, str]:
        """Those of this process, without its import path: only what is installed shall be found."""
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Flux and the example plugin, installed in one of the two ways from a copy of the sources."""
    source = tmp_path_factory.mktemp(f"{request.param}-source")
    for part in PARTS:
        shutil.copytree(
            ROOT / part,
            source / part,
            ignore=shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info", "build"),
        )
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    environment = Environment(tmp_path_factory.mktemp(f"{request.param}-venv"), source / "docs/examples/flux-echo")
    option = ["-e"] if request.param == "editable" else []
    environment.run("pip", "install", "--quiet", "--no-compile", *option, str(source))
    environment.run("pip", "install", "--quiet", "--no-compile", *option, str(environment.example))
    yield environment
    shutil.rmtree(environment.path)


def test_pytest_finds_the_plugin(installed: Environment) -> None:
    """By its entry point; without pytest, nothing is imported."""
    found = (
        "from importlib.metadata import entry_points; print(*(each.value for each in entry_points(group='pytest11')))"
    )
    assert "flux.pytest_plugin" in installed.run("python", "-c", found)


def test_twistd_lists_flux(installed: Environment) -> None:
    """From another directory than the sources'."""
    assert re.search(r"^    flux +An event-streaming broker", installed.run("twistd", "--help"), re.MULTILINE)
    assert "--help-settings" in installed.run("twistd", "flux", "--help")
    assert re.search(r"^\s*!?uvloop\s", installed.run("twistd", "--help-reactors"), re.MULTILINE)


def test_the_flux_command_is_there(installed: Environment) -> None:
    """With the version of the distribution."""
    version = installed.run(
        "python", "-c", "from importlib.metadata import version; print(version('flux-broker'))"
    ).strip()
    assert installed.run("flux", "--version") == f"flux, version {version}\n"


def test_a_third_party_command_is_served(installed: Environment) -> None:
    """Found beside our own, and documented by HELP."""
    with installed.serve() as process:
        assert process.stdout is not None
        client = LineClient(int(process.stdout.readline().removeprefix(READY)))
        try:
            commands = client.ask("HELLO").rpartition("commands=")[2]
            assert {"ECHO", "PRODUCE", "CONSUME"} <= set(commands.strip("[]").split())
            assert client.ask("ECHO", "hello") == "OK|text=hello"
            assert client.ask("HELP", "ECHO").startswith("OK|help=")
        finally:
            client.close()
            process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_a_plugins_own_tests_run(installed: Environment) -> None:
    """Its, and not those of Flux that a checkout brings along."""
    arguments = ("-m", "twisted.trial", "--temp-directory", str(installed.path / "trial"), "tests")
    printed = installed.run("python", *arguments, cwd=installed.example)
    assert "PASSED (successes=3)" in printed


def test_types_are_published(installed: Environment) -> None:
    """A plugin author's mypy reads our annotations."""
    assert (
        installed.run(
            "python",
            "-c",
            "import flux.errors, pathlib; print(pathlib.Path(flux.__file__).with_name('py.typed').exists())",
        )
        == "True\n"
    )
