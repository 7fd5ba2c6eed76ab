"""A port that nobody else gets."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from flux.embedded.port import Port


class Held(SynchronousTestCase):
    def setUp(self) -> None:
        self.port = Port()
        self.port.hold()
        self.addCleanup(self.port.release)

    def test_whoever_connects_is_refused(self) -> None:
        """As if nobody had it."""
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.port.number))

    def test_nobody_else_is_given_it(self) -> None:
        """Not even who asks for it, unless with an option that servers set."""
        with socket.socket() as other:
            self.assertRaises(OSError, other.bind, ("127.0.0.1", self.port.number))

    def test_it_is_the_same_again(self) -> None:
        """After somebody listened on it, and had a connection which the other side closed last."""
        number = self.port.number
        self.port.release()
        with socket.create_server(("127.0.0.1", number)) as server:
            client = socket.create_connection(("127.0.0.1", number))
            accepted, _ = server.accept()
            accepted.close()
        self.port.hold()
        client.close()
        self.assertEqual(self.port.number, number)
