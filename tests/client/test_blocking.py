"""What importing the blocking face costs; what it does is told in tests/integration/client."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_STRANGERS = (
    "sorted({name.partition('.')[0] for name in sys.modules} & {'twisted', 'zope', 'asyncio', 'constantly', 'attr'})"
)


def _imported_by(statement: str) -> str:
    program = f"import sys; {statement}; print({_STRANGERS})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.strip()


class Imports(SynchronousTestCase):
    """Each in a process of its own."""

    def test_the_blocking_face_imports_no_twisted_and_no_asyncio(self) -> None:
        """By either name."""
        self.assertEqual(_imported_by("import flux.client.blocking"), "[]")
        self.assertEqual(_imported_by("from flux.client import BlockingClient"), "[]")

    def test_the_asyncio_face_imports_no_twisted(self) -> None:
        """Only asyncio."""
        self.assertEqual(_imported_by("from flux.client import AsyncFluxClient"), "['asyncio']")

    def test_the_twisted_face_is_found_by_the_same_name(self) -> None:
        """And then Twisted is there, which shows that the tests above can fail."""
        self.assertIn("'twisted'", _imported_by("from flux.client import FluxClient"))

    def test_every_name_that_is_offered_is_there(self) -> None:
        """And no other."""
        import flux.client

        for name in dir(flux.client):
            self.assertEqual(getattr(flux.client, name).__name__, name)
        with self.assertRaises(AttributeError):
            flux.client.Nothing  # noqa: B018  # looking it up is the test
