"""Addresses, and the order in which they are tried."""

from twisted.trial.unittest import SynchronousTestCase

from flux.client.addresses import Address, Rotation, leader_address


def _round(rotation: Rotation) -> list[str]:
    rotation.begin()
    tried: list[str] = []
    for _ in range(10):
        address = rotation.next()
        if address is None:
            return tried
        tried.append(str(address))
    raise AssertionError(f"the round does not end: {tried}")


class Addresses(SynchronousTestCase):
    """As people write them."""

    def test_a_host_alone_means_the_usual_port(self) -> None:
        """And blanks around an address are none of it."""
        for text, address in [
            ("127.0.0.1:9093", Address("127.0.0.1", 9093)),
            (" localhost ", Address("localhost", 9092)),
            ("[::1]:9092", Address("::1", 9092)),
        ]:
            self.assertEqual(Address.parse(text), address)

    def test_an_address_reads_back(self) -> None:
        """As it is shown."""
        for address in [Address("127.0.0.1", 1), Address("::1", 65535)]:
            self.assertEqual(Address.parse(str(address)), address)

    def test_what_is_no_address_is_refused(self) -> None:
        """With what would be one."""
        for text in ["", ":9092", "a:b", "a:70000", "a:0", "::1", "a:"]:
            with self.assertRaises(ValueError) as raised:
                Address.parse(text)
            self.assertIn("write host:port", str(raised.exception))

    def test_a_refusal_may_name_the_leader(self) -> None:
        """As ``leader=host:port``, anywhere in the message."""
        for message, address in [
            ("orders-1 is led by broker 2, leader=10.0.0.2:9092", Address("10.0.0.2", 9092)),
            ("leader=[::1]:9092; this broker only follows", Address("::1", 9092)),
            ("(leader=b:1)", Address("b", 1)),
            ("orders-1 has no leader", None),
            ("leader=2", None),
            ("leader=a:99999", None),
        ]:
            self.assertEqual(leader_address(message), address, message)


class Rounds(SynchronousTestCase):
    """Each broker once."""

    def test_a_round_tries_each_once_in_the_order_given(self) -> None:
        """And so does the next."""
        rotation = Rotation("a:1, b:2,c:3,a:1")
        self.assertEqual(_round(rotation), ["a:1", "b:2", "c:3"])
        self.assertEqual(_round(rotation), ["a:1", "b:2", "c:3"])
        self.assertIsNone(rotation.next())

    def test_a_list_of_addresses_will_do(self) -> None:
        """Instead of one text."""
        self.assertEqual(_round(Rotation(["b:2", "a:1"])), ["b:2", "a:1"])

    def test_no_address_at_all_is_refused(self) -> None:
        """At once, not at the first call."""
        for brokers in ["", [], "a:1,,b:2"]:
            with self.assertRaises(ValueError):
                Rotation(brokers)

    def test_the_preferred_one_comes_first_and_the_avoided_one_last(self) -> None:
        """From the next round on."""
        rotation = Rotation("a:1,b:2,c:3")
        rotation.prefer(Address("c", 3))
        self.assertEqual(_round(rotation), ["c:3", "a:1", "b:2"])
        rotation.avoid(Address("c", 3))
        self.assertEqual(_round(rotation), ["a:1", "b:2", "c:3"])
        rotation.avoid(Address("x", 1))
        self.assertEqual(_round(rotation), ["a:1", "b:2", "c:3"])

    def test_a_preferred_stranger_becomes_known(self) -> None:
        """But strangers without end do not fill memory."""
        rotation = Rotation("a:1")
        rotation.prefer(Address("b", 2))
        self.assertEqual(_round(rotation), ["b:2", "a:1"])
        for port in range(1, 1000):
            rotation.prefer(Address("x", port))
        self.assertEqual(len(rotation), 100)
