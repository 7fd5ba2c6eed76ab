"""Settings as they are declared."""

from twisted.trial.unittest import SynchronousTestCase

from flux.config import Config, host_and_port, web_address
from flux.model import FsyncMode


class AddressTests(SynchronousTestCase):
    def test_an_address_is_a_host_and_a_port(self) -> None:
        """``host:port``; IPv6 in brackets, as in a URL; no host at all means every address."""
        for text, expected in (
            ("127.0.0.1:9092", ("127.0.0.1", 9092)),
            ("localhost:0", ("localhost", 0)),
            ("[::1]:65535", ("::1", 65535)),
            (":9092", ("", 9092)),
        ):
            self.assertEqual(host_and_port(text), expected)

    def test_anything_else_is_refused(self) -> None:
        """No port, a port that is no number or too large, or an IPv6 address one cannot tell from its port."""
        for text in (
            "",
            "9092",
            "localhost",
            "localhost:",
            "localhost:-1",
            "localhost:65536",
            "localhost:²",
            "::1:9092",
        ):
            with self.assertRaises(ValueError, msg=text):
                host_and_port(text)


class WebAddressTests(SynchronousTestCase):
    def test_an_address_of_the_web_is_http_or_https(self) -> None:
        """With or without port, path and query; none at all switches off what it is for."""
        for text in ("", "http://h", "https://alerts.example:8443/flux?key=a%20b", "http://[::1]:80/"):
            self.assertEqual(web_address(text), text)

    def test_anything_else_is_refused(self) -> None:
        """Other schemes, no host, a port that is none, blanks, and a user name, which would not be sent."""
        for text in (
            "h",
            "ftp://h/",
            "http://",
            "http:///x",
            "http://h:x/",
            "http://h/a b",
            "http://h/ü",
            "http://u:p@h/",
        ):
            with self.assertRaises(ValueError, msg=text):
                web_address(text)


class DefaultsTests(SynchronousTestCase):
    def test_a_broker_without_settings_is_safe_and_usable(self) -> None:
        """Loopback only, every acknowledged record on disk, and one broker is enough for acks=all."""
        config = Config()
        self.assertEqual(host_and_port(config.server.listen_addr), ("127.0.0.1", 9092))
        self.assertIs(config.storage.fsync_mode, FsyncMode.ALWAYS)
        self.assertEqual((config.replication.min_isr, config.cluster.replication_factor), (1, 1))
        self.assertEqual((config.cluster.num_partitions, config.cluster.auto_create_topics), (3, True))
        self.assertEqual(config.storage.segment_max_bytes, 64 << 20)
        self.assertEqual((config.storage.retention_max_age_seconds, config.storage.retention_max_bytes), (604800, -1))
        self.assertEqual((config.group.session_timeout_ms, config.replication.ack_all_timeout_ms), (10000, 2000))
        self.assertEqual(config.server.max_line_bytes, 1 << 20)
