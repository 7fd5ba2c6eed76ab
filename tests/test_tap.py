"""``twistd flux``: what it understands, and how it says no."""

import errno
import os
import time
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.plugins import flux_plugin
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from flux.loading import Options as GivenOptions
from flux.tap import CannotRun, Options, assemble, makeService


class CrowdedReactor(MemoryReactorClock):
    """Every port of it is taken."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> NoReturn:
        raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "Address already in use"))


class OptionsTests(SynchronousTestCase):
    def parse(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(list(arguments))
        return options

    def test_nothing_said_is_nothing_given(self) -> None:
        """The defaults are the settings' own."""
        options = self.parse()
        self.assertEqual(options.given(), GivenOptions())
        self.assertIsNone(options["config"])

    def test_everything_can_be_said(self) -> None:
        """Endpoints and settings repeatedly."""
        options = self.parse(
            *("--port", "0", "--endpoint", "tcp:1", "--endpoint", "unix:/x", "--data-dir", "d"),
            *("--config", "f.toml", "--set", "min_isr=1", "--set", "fsync_mode=never"),
        )
        self.assertEqual(
            options.given(), GivenOptions("0", ("tcp:1", "unix:/x"), "d", ("min_isr=1", "fsync_mode=never"))
        )
        self.assertEqual(options["config"], "f.toml")

    def test_the_rest_is_refused(self) -> None:
        """An option nobody knows, and a stray word."""
        self.assertRaises(UsageError, self.parse, "--prot", "1")
        self.assertRaises(UsageError, self.parse, "9092")

    def test_twistd_finds_it(self) -> None:
        """By the name it is called by, and with these options."""
        self.assertEqual(flux_plugin.flux.tapname, "flux")
        self.assertIs(flux_plugin.flux.options, Options)
        self.assertIs(flux_plugin.flux.makeService, makeService)
        self.assertEqual(flux_plugin.uvloop.shortName, "uvloop")


class AssemblyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.environment = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("FLUX_")}
        self.addCleanup(os.environ.update, self.environment)

    def sentence(self, path: str | None = None, **options: Any) -> str:
        refusal = self.assertRaises(CannotRun, assemble, path, GivenOptions(**options), self.reactor)
        return str(refusal.code)

    def test_the_clock_never_steps(self) -> None:
        """Twisted's own would stop every timer while the wall clock is behind."""
        assemble(None, GivenOptions(data_dir=self.mktemp()), self.reactor)
        self.assertIs(self.reactor.seconds, time.monotonic)

    def test_a_reactor_that_can_stay_awake_is_told_how_long(self) -> None:
        """Not at all where every round waits for a disk, whose work needs a CPU too. Any other reactor never hears of it."""
        awake_s: list[float] = []
        vars(self.reactor)["busy_poll"] = awake_s.append
        for assignments in (("fsync_mode=interval",), ("fsync_mode=never", "busy_poll_us=0"), ("fsync_mode=always",)):
            options = GivenOptions(data_dir=self.mktemp(), assignments=assignments)
            assemble(None, options, self.reactor, root=self.mktemp())
        self.assertEqual(awake_s, [50e-6, 0, 0])

    def test_it_is_not_to_stay_awake_where_that_uses_up_a_quota(self) -> None:
        """Less than two CPUs are like one."""
        awake_s: list[float] = []
        vars(self.reactor)["busy_poll"] = awake_s.append
        for quota_us in ("200000", "199999", "max"):
            root = Path(self.mktemp())
            for name, text in (("proc/self/cgroup", "0::/"), ("sys/fs/cgroup/cpu.max", f"{quota_us} 100000")):
                (root / name).parent.mkdir(parents=True)
                (root / name).write_text(text)
            options = GivenOptions(data_dir=self.mktemp(), assignments=("fsync_mode=interval",))
            assemble(None, options, self.reactor, root=str(root))
        self.assertEqual(awake_s, [50e-6, 0, 50e-6])

    def test_nothing_happens_before_the_start(self) -> None:
        """No directory, no port."""
        data_dir = self.mktemp()
        process = assemble(None, GivenOptions(port="7", data_dir=data_dir), self.reactor)
        self.assertFalse(os.path.exists(data_dir))
        self.assertEqual(self.reactor.tcpServers, [])
        process.privilegedStartService()
        self.assertEqual([(port, interface) for port, _, _, interface in self.reactor.tcpServers], [(7, "127.0.0.1")])

    def test_every_endpoint_is_listened_on(self) -> None:
        """In the order given."""
        endpoints = ("tcp:1:interface=127.0.0.1", "tcp6:2:interface=\\:\\:1", "unix:/run/flux")
        process = assemble(None, GivenOptions(endpoints=endpoints, data_dir=self.mktemp()), self.reactor)
        process.privilegedStartService()
        self.assertEqual(len(process.listeners), 3)
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [1, 2])
        self.assertEqual([each[0] for each in self.reactor.unixServers], ["/run/flux"])

    def test_a_bad_setting_is_one_sentence(self) -> None:
        """For a person, with exit status 1: what SystemExit makes of a string."""
        self.assertEqual(
            self.sentence(assignments=("fsync_mode=maybe",)),
            "flux: fsync_mode (from --set): 'maybe' will not do; it must be always, interval or never.",
        )
        self.assertIn("flux: --config /does/not/exist: cannot be read", self.sentence("/does/not/exist"))

    def test_a_bad_endpoint_is_one_sentence(self) -> None:
        """An unknown kind, a missing port, a key file that is not there."""
        for endpoint in ("tpc:1", "tcp:", "tcp:x", "ssl:1:privateKey=/does/not/exist:certKey=/does/not/exist"):
            sentence = self.sentence(endpoints=(endpoint,), data_dir=self.mktemp())
            self.assertIn(f"flux: endpoints: '{endpoint}' is no endpoint string of Twisted's: ", sentence)

    def test_a_taken_port_is_one_sentence(self) -> None:
        """And says what to do about it."""
        process = assemble(None, GivenOptions(port="9", data_dir=self.mktemp()), CrowdedReactor())
        refusal = self.assertRaises(CannotRun, process.privilegedStartService)
        self.assertEqual(
            refusal.code,
            f"flux: cannot listen on 127.0.0.1 port 9: [Errno {errno.EADDRINUSE}] Address already in use;"
            " another program does already: stop it, or choose another --port",
        )

    def test_a_variable_nobody_knows_is_warned_of(self) -> None:
        """A typing error there would otherwise go unseen."""
        os.environ["FLUX_FSYNC"] = "never"
        self.addCleanup(os.environ.pop, "FLUX_FSYNC")
        with capturedLogs() as events:
            assemble(None, GivenOptions(data_dir=self.mktemp()), self.reactor)
        self.assertEqual([event["variables"] for event in events if "variables" in event], ["FLUX_FSYNC"])
