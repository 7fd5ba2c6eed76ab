"""ECHO, as the broker calls it."""

from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import flux.plugins
from flux.errors import BadRequest
from flux.interfaces import ICommandFamily
from flux.plugins.flux_echo import Echo, Echoed, echo, family


class EchoTests(SynchronousTestCase):
    def test_it_is_found(self) -> None:
        """By the broker's own way of looking, and it keeps its promise."""
        self.assertIn("echo", [found.name for found in getPlugins(ICommandFamily, flux.plugins)])
        self.assertTrue(verifyObject(ICommandFamily, family))

    def test_it_says_what_it_is_told(self) -> None:
        """Whatever that is."""
        reply = echo(Echo.decode(b"hello, | world"), None)  # type: ignore[arg-type]  # it does not ask who speaks
        self.assertEqual(reply.encode(), b"text=hello, | world")
        self.assertEqual(Echoed.decode(reply.encode()), reply)

    def test_it_refuses_to_say_nothing(self) -> None:
        """The error names the field and the way out."""
        with self.assertRaises(BadRequest):
            Echo.decode(b"")
