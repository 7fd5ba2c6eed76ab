"""Keys go where deployed clients expect them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.partitioner import KeyRoutes, fnv1a

VECTORS = [  # key, hash, and the partition of 2, 3, 5 and 12
    ("", 2166136261, 1, 1, 1, 1),
    ("user1", 2692558073, 1, 2, 3, 5),
    ("user2", 2642225216, 0, 2, 1, 8),
    ("user-42", 39875499, 1, 0, 4, 3),
    ("k3", 2520612251, 1, 2, 1, 11),
    ("héllo", 1252296000, 0, 0, 0, 0),
]


class PartitionerTests(SynchronousTestCase):
    """The hash, and what is remembered of it."""

    def test_keys_hash_as_the_protocol_says(self) -> None:
        """The table of the protocol's page."""
        for key, expected, *partitions in VECTORS:
            with self.subTest(key=key):
                self.assertEqual(fnv1a(key.encode()), expected)
                found = [KeyRoutes(count)[key.encode()] for count in (2, 3, 5, 12)]
                self.assertEqual(found, partitions)

    @given(st.lists(st.binary(max_size=300)), st.integers(1, 64))
    def test_a_remembered_key_goes_where_it_went(self, keys: list[bytes], count: int) -> None:
        """Asked once or twice, the answer is the hash modulo the partitions."""
        routes = KeyRoutes(count)
        for key in keys + keys:
            self.assertEqual(routes[key], fnv1a(key) % count)

    def test_a_key_is_hashed_once(self) -> None:
        """The second time it is found."""
        routes = KeyRoutes(3)
        routes[b"user1"]
        self.assertEqual(routes.get(b"user1"), 2)

    def test_long_keys_are_not_remembered(self) -> None:
        """They would fill memory; they still have a partition."""
        routes = KeyRoutes(3)
        self.assertEqual(routes[b"x" * 257], fnv1a(b"x" * 257) % 3)
        self.assertEqual(len(routes), 0)

    def test_many_keys_take_bounded_memory(self) -> None:
        """However many there are, a number of them are remembered, and all are answered right."""
        routes = KeyRoutes(7)
        most = 0
        for number in range(70_000):
            routes[b"%d" % number]
            most = max(most, len(routes))
        self.assertEqual(most, 65536)
        self.assertLess(len(routes), most)
        self.assertEqual(routes[b"1"], fnv1a(b"1") % 7)

    def test_records_without_a_key_are_spread_evenly(self) -> None:
        """Round robin, each partition in its turn."""
        routes = KeyRoutes(3)
        self.assertEqual([routes.spread() for _ in range(7)], [0, 1, 2, 0, 1, 2, 0])
