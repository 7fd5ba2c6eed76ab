"""The families that come with Flux, found as any drop-in is."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import flux.plugins
from flux.interfaces import ICommandFamily
from flux.plugins import builtin
from flux.server.families import load


class BuiltinTests(SynchronousTestCase):
    def test_they_are_found(self) -> None:
        """All that are in the module, each once."""
        families = [thing for thing in vars(builtin).values() if ICommandFamily.providedBy(thing)]
        found = [family for family in load(flux.plugins) if type(family).__module__.startswith("flux.commands.")]
        self.assertCountEqual(found, families)
        self.assertGreaterEqual({family.name for family in found}, {"session", "produce", "fetch"})

    def test_they_keep_their_promise(self) -> None:
        """verifyObject, as at the start."""
        for family in load(flux.plugins):
            self.assertTrue(verifyObject(ICommandFamily, family))
