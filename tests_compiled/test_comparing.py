"""That the other tests here leave nothing out."""

import ast
from pathlib import Path

from tests_compiled.builds import compiled_names
from tests_compiled.comparing import IN_BROKERS, NAMES


def test_whatever_is_compiled_is_compared() -> None:
    """A module that is compiled from now on has a test that compares it, or is said to be compared in brokers."""
    compared = set()
    for test in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(test.read_text())):
            match node:
                case ast.Call(ast.Name("compare"), [ast.Constant(str(name)), *_]):
                    compared.add(name)
    assert compared == set(NAMES)
    assert set(compiled_names()) >= IN_BROKERS
