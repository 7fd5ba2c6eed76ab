"""ERR lines as exceptions."""

from twisted.trial.unittest import SynchronousTestCase

from flux.client.errors import BadReply, ClientClosed, NoBroker, NotSent, OtherError, OutcomeUnknown, error_of
from flux.errors import BY_CODE, FluxError
from flux.wire.v1 import ErrReply


class Errors(SynchronousTestCase):
    """One class a code."""

    def test_every_code_has_its_class(self) -> None:
        """With the message, the code and whether to try again."""
        for code, kind in BY_CODE.items():
            error = error_of(ErrReply(b"1", code, "what and why"))
            self.assertIs(type(error), kind)
            self.assertEqual((error.code, str(error)), (code, "what and why"))

    def test_an_unknown_code_is_kept(self) -> None:
        """A newer broker's word reaches the caller; nobody knows whether to try again."""
        error = error_of(ErrReply(b"1", "TOO_WARM", "open a window"))
        self.assertIsInstance(error, FluxError)
        self.assertEqual((error.code, str(error), error.retriable), ("TOO_WARM", "open a window", False))
        self.assertEqual(error_of(ErrReply(b"1", "TOO_COLD", "")).code, "TOO_COLD")
        self.assertEqual(FluxError.code, "INTERNAL_ERROR")
        self.assertIsInstance(error, OtherError)

    def test_what_a_client_says_itself_has_codes_of_its_own(self) -> None:
        """None of which a broker sends; only what surely was not done may be tried again."""
        own = [NoBroker, NotSent, OutcomeUnknown, BadReply, ClientClosed]
        self.assertFalse({kind.code for kind in own} & BY_CODE.keys())
        self.assertEqual(len({kind.code for kind in own}), len(own))
        self.assertEqual([kind for kind in own if kind.retriable], [NoBroker, NotSent])
