"""The suites of all clients have the same cases: those that the data names, see :mod:`tests.vectors`."""

from types import ModuleType

import pytest

from tests.integration.client import test_consumers, test_contract, test_faults, test_producers
from tests.vectors import load

SUITES = {
    "contract": test_contract,
    "producers": test_producers,
    "consumers": test_consumers,
    "faults": test_faults,
}


@pytest.mark.parametrize("name", SUITES)
def test_every_case_is_tried(name: str) -> None:
    """One that is added here is added to the data, and so demanded of the others."""
    assert cases(SUITES[name]) == set(load("contract.json")[name])


def cases(suite: ModuleType) -> set[str]:
    return {name.removeprefix("test_") for name in vars(suite) if name.startswith("test_")}


def test_there_is_no_other_suite() -> None:
    """Nor one too few."""
    assert set(SUITES) == set(load("contract.json"))
