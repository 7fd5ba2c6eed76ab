"""Where settings come from, and how a bad one is reported."""

from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase

from flux.config import Config
from flux.loading import BadSetting, Loaded, Options, load, tcp_endpoint
from flux.model import FsyncMode


class LoadingTests(SynchronousTestCase):
    def load(
        self,
        toml: str | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        port: str | None = None,
        endpoints: Sequence[str] = (),
        data_dir: str | None = None,
        assignments: Sequence[str] = (),
    ) -> Loaded:
        self.path = None
        if toml is not None:
            self.path = self.mktemp()
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(toml)
        return load(self.path, environment or {}, Options(port, endpoints, data_dir, assignments))

    def sentence(self, toml: str | None = None, environment: Mapping[str, str] | None = None, *assignments: str) -> str:
        return str(self.assertRaises(BadSetting, self.load, toml, environment, assignments=assignments))


class PrecedenceTests(LoadingTests):
    def test_nothing_given_is_the_defaults(self) -> None:
        """And no warning."""
        self.assertEqual(self.load(), (Config(), ()))

    def test_the_strongest_source_wins(self) -> None:
        """defaults < file < variables < --set, setting by setting."""
        toml = "[storage]\nflush_bytes = 1\nflush_interval_ms = 1\nsegment_max_bytes = 2048\n"
        environment = {"FLUX_FLUSH_BYTES": "2", "FLUX_FLUSH_INTERVAL_MS": "2"}
        storage = self.load(toml, environment, assignments=["flush_bytes=3"]).config.storage
        self.assertEqual((storage.flush_bytes, storage.flush_interval_ms, storage.segment_max_bytes), (3, 2, 2048))
        self.assertEqual(storage.index_interval_bytes, Config().storage.index_interval_bytes)

    def test_every_table_reaches_its_room(self) -> None:
        """One value in each."""
        config = self.load(
            "[server]\nmax_connections = 5\n[storage]\nfsync_mode = 'never'\n[replication]\nmin_isr = 2\n"
            "[group]\nmax_groups = 7\n[cluster]\nauto_create_topics = false\n"
        ).config
        self.assertEqual(config.server.max_connections, 5)
        self.assertIs(config.storage.fsync_mode, FsyncMode.NEVER)
        self.assertEqual(config.replication.min_isr, 2)
        self.assertEqual(config.group.max_groups, 7)
        self.assertIs(config.cluster.auto_create_topics, False)

    def test_an_option_of_its_own_beats_set(self) -> None:
        """``--data-dir`` is the more particular of the two."""
        config = self.load(data_dir="/a", assignments=["data_dir=/b"]).config
        self.assertEqual(config.storage.data_dir, "/a")

    def test_variables_nobody_knows_are_reported(self) -> None:
        """By name, sorted; other programs' variables are none of our business, nor is the client's."""
        others = {"PATH": "/bin", "FLUX_BROKERS": "127.0.0.1:9092"}
        loaded = self.load(environment={"FLUX_ZZ": "1", "FLUX_FSYNC": "never", "FLUX_MIN_ISR": "1"} | others)
        self.assertEqual(loaded.unknown_variables, ("FLUX_FSYNC", "FLUX_ZZ"))


class ListeningTests(LoadingTests):
    def listening(self, port: str | None = None, endpoints: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
        environment = {"FLUX_LISTEN_ADDR": "10.0.0.1:1", "FLUX_ENDPOINTS": "tcp:5"}
        server = self.load(environment=environment, port=port, endpoints=endpoints).config.server
        return server.listen_addr, server.endpoints

    def test_a_port_keeps_the_address_and_replaces_weaker_endpoints(self) -> None:
        """Who types ``--port`` wants to be found there."""
        self.assertEqual(self.listening(port="2"), ("10.0.0.1:2", ()))
        self.assertEqual(self.load(port="0", assignments=["listen_addr=[::1]:9"]).config.server.listen_addr, "[::1]:0")

    def test_endpoints_replace_those_of_weaker_sources(self) -> None:
        """All of them."""
        self.assertEqual(self.listening(endpoints=["tcp:3", "unix:/x"]), ("10.0.0.1:1", ("tcp:3", "unix:/x")))

    def test_a_port_beside_endpoints_is_one_more(self) -> None:
        """``--port`` is short for an endpoint."""
        self.assertEqual(
            self.listening(port="2", endpoints=["unix:/x"]), ("10.0.0.1:2", ("tcp:2:interface=10.0.0.1", "unix:/x"))
        )

    def test_an_address_becomes_an_endpoint_string(self) -> None:
        """Colons of an IPv6 address are quoted; no host is every address."""
        self.assertEqual(tcp_endpoint("127.0.0.1:9092"), "tcp:9092:interface=127.0.0.1")
        self.assertEqual(tcp_endpoint("[::1]:9092"), "tcp6:9092:interface=\\:\\:1")
        self.assertEqual(tcp_endpoint(":9092"), "tcp:9092")


class RefusalTests(LoadingTests):
    def test_a_bad_variable_is_named(self) -> None:
        """Setting, source, value, and what is allowed."""
        self.assertEqual(
            self.sentence(environment={"FLUX_FSYNC_MODE": "sometimes"}),
            "fsync_mode (from FLUX_FSYNC_MODE): 'sometimes' will not do; it must be always, interval or never.",
        )

    def test_a_bad_option_is_named(self) -> None:
        """``--set`` and the options of their own."""
        self.assertEqual(
            self.sentence(None, None, "min_isr=0"),
            "min_isr (from --set): '0' will not do; it must be a whole number of 64 bits from 1 up.",
        )
        self.assertEqual(
            str(self.assertRaises(BadSetting, self.load, port="65536")),
            "--port: '65536' will not do; it must be a port from 0 (any free one) to 65535.",
        )
        self.assertIn(
            "data_dir (from --data-dir): '' will not do", str(self.assertRaises(BadSetting, self.load, data_dir=""))
        )

    def test_a_bad_value_in_a_file_is_named(self) -> None:
        """With the table and the file, even if a stronger source would override it."""
        sentence = self.sentence("[cluster]\nnum_partitions = '3x'\n", {"FLUX_NUM_PARTITIONS": "3"})
        self.assertIn(f"num_partitions (from [cluster] of {self.path}): '3x' will not do", sentence)

    def test_a_long_value_is_cut_short(self) -> None:
        """The sentence stays one."""
        self.assertLess(len(self.sentence(environment={"FLUX_MIN_ISR": "9" * 5000})), 200)

    def test_an_unknown_name_in_a_file_is_refused(self) -> None:
        """With the nearest name, or the table it belongs to."""
        self.assertIn(
            "[storage] has no setting 'flush_byte'; did you mean flush_bytes?", self.sentence("[storage]\nflush_byte=1")
        )
        self.assertIn(
            "[server] has no setting 'flush_bytes'; it belongs to [storage].", self.sentence("[server]\nflush_bytes=1")
        )
        self.assertIn("--help-settings lists them", self.sentence("[server]\nqqqq=1"))

    def test_an_unknown_table_is_refused(self) -> None:
        """So is a value outside any table."""
        self.assertIn("[disk] is not a table of settings; there are server, storage", self.sentence("[disk]\nx=1"))
        self.assertIn("[port] is not a table of settings", self.sentence("port = 1"))
        self.assertIn("[server] is not a table of settings", self.sentence("server = 1"))

    def test_an_unknown_name_in_set_is_refused(self) -> None:
        """And one without a value."""
        self.assertIn(
            "--set min_irs=2: there is no setting 'min_irs'; did you mean min_isr?",
            self.sentence(None, None, "min_irs=2"),
        )
        self.assertEqual(self.sentence(None, None, "min_isr"), "--set min_isr: it must be name=value.")

    def test_a_file_that_cannot_be_read_is_named(self) -> None:
        """Missing, not TOML, not UTF-8."""
        missing = self.mktemp()
        self.assertIn(
            f"--config {missing}: cannot be read: ", str(self.assertRaises(BadSetting, load, missing, {}, Options()))
        )
        self.assertIn(": cannot be read: ", self.sentence("[server\n"))
        binary = self.mktemp()
        with open(binary, "wb") as file:
            file.write(b"\xff\xfe")
        self.assertIn(": cannot be read: ", str(self.assertRaises(BadSetting, load, binary, {}, Options())))
