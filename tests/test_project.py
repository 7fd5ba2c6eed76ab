"""What is said in two places says the same."""

import re
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


class ProjectTests(SynchronousTestCase):
    def test_every_dependency_is_explained(self) -> None:
        """With the bound it has in setup.cfg."""
        packaging = ConfigParser()
        packaging.read_string(text("setup.cfg"))
        required = packaging["options"]["install_requires"].split()
        explained = re.findall(r"``(\S+)`` ≥ (\S+)", text("docs/dependencies.rst"))
        self.assertEqual(required, [f"{name}>={bound}" for name, bound in explained])

    def test_the_readme_has_two_set_up_commands(self) -> None:
        """One that starts a broker, one that passes the tests; the latter is what ``.ci/run`` looks for."""
        readme = text("README.md")
        first, second = re.findall(r"^```sh\n(.*)\n```$", readme, re.MULTILINE)
        self.assertIn("twistd -n flux --port 9092", first)
        self.assertIn("tox", second)
        self.assertIn(f"<!-- tests -->\n```sh\n{second}\n```", readme)
        self.assertTrue(second.startswith("python3 "))

    def test_the_readme_starts_each_face_quickly(self) -> None:
        """In ten lines at most; that they work is shown by those who run them."""
        starts = re.findall(r"^```python\n(.*?)\n```$", text("README.md"), re.MULTILINE | re.DOTALL)
        for face in ("BlockingClient", "AsyncFluxClient", "FluxClient"):
            (start,) = [each for each in starts if f"import {face}\n" in each]
            self.assertLessEqual(len(start.splitlines()), 10, face)
