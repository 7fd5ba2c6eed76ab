"""Entering a client in Python: ``with`` and ``async with``, which other languages have no counterpart of."""

import threading

import pytest

from flux.client import ClientClosed
from flux.errors import StorageError
from tests.integration.client.faces import World
from tests.integration.client.scripted import Caller, ScriptedBroker


def test_a_client_that_cannot_be_entered_is_closed(world: World, scripted: ScriptedBroker) -> None:
    """A ``with`` that did not begin does not end either, and nobody else would hang up."""
    hung_up = threading.Event()

    def script(caller: Caller) -> None:
        caller.welcome()
        caller.refuse(caller.request()[0], "STORAGE_ERROR", "not today")
        caller.until_it_hangs_up()
        hung_up.set()

    scripted.plays(script)
    face = world.face(scripted.address)
    with pytest.raises(StorageError):
        world.enter(face)
    assert hung_up.wait(10)
    with pytest.raises(ClientClosed):
        face.ping()
