"""``twistd flux``: settings in, a broker out. The only module, but for the command line, that names the reactor."""

import errno
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any, ClassVar, cast
from uuid import uuid4

from twisted.application.service import IService, MultiService
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.reflect import qual

from flux import __version__, records
from flux.broker import Broker
from flux.config import Config
from flux.cpu_quota import cpu_quota
from flux.disk.files import FilesDirectory
from flux.errors import FluxError
from flux.kernel_syncs import KernelThreads
from flux.listening import Listener
from flux.loading import BadSetting, load, tcp_endpoint
from flux.loading import Options as GivenOptions
from flux.model import FsyncMode
from flux.server.families import DuplicateCommand
from flux.settings import listing

_log = Logger()


class CannotRun(SystemExit, Exception):
    """One sentence on stderr and exit status 1, instead of a traceback.

    Both bases are needed: twistd tidies up (its pid file, the waiting parent of a daemon) after an Exception only, and the
    interpreter prints nothing but the sentence for a SystemExit only.
    """


class Process(MultiService):
    """The broker as its process sees it: what keeps it from starting is one sentence. :raises CannotRun: from both starts."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.broker = broker
        broker.setServiceParent(self)

    @property
    def listeners(self) -> list[Listener]:
        """What it listens with, in the order of the settings."""
        return [service for service in self.broker if isinstance(service, Listener)]

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        with _in_one_sentence():
            super().privilegedStartService()

    def startService(self) -> None:
        """Recover, then serve."""
        with _in_one_sentence():
            super().startService()


def the_reactor() -> Any:
    """The one of this process; if nobody has chosen one (``--reactor``) by now, the one that suits a broker best."""
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from flux._epoll import install

        install()
    from twisted.internet import reactor

    return reactor


def is_compiled() -> bool:
    """Whether this Flux was built with ``FLUX_COMPILE=1``."""
    return str(records.__file__).endswith(tuple(EXTENSION_SUFFIXES))


def assemble(path: str | None, options: GivenOptions, reactor: Any, *, root: str = "") -> Process:
    """The broker that *options*, the environment and the TOML file *path* ask for. *root* is where ``/proc`` and ``/sys`` are.

    :raises CannotRun: a setting will not do.
    """
    # Twisted's reactor reads the wall clock: a step back of a minute would stop every timer for a minute.
    reactor.seconds = time.monotonic
    with _in_one_sentence():
        loaded = load(path, os.environ, options)
        if loaded.unknown_variables:
            _log.warn(
                "no such setting, so not used: {variables}; --help-settings lists what there is",
                variables=", ".join(loaded.unknown_variables),
            )
        process = Process(build(loaded.config, reactor))
    if (busy_poll := getattr(reactor, "busy_poll", None)) is not None:  # it is ours
        # A sync of the disk's needs a CPU, and finds none where client and broker both stay awake (p99 at 20 k/s: 3 → 25 ms). And who
        # stays awake with a quota of one, or hardly more, has used it up when there is work, and stands still until the next period.
        sleeps = loaded.config.storage.fsync_mode is FsyncMode.ALWAYS or cpu_quota(root) < 2
        busy_poll(0 if sleeps else loaded.config.server.busy_poll_us / 1e6)
    kind = "compiled" if is_compiled() else "pure Python"
    _log.info("{kind}, runs on {reactor}", kind=kind, reactor=qual(type(reactor)))
    return process


def build(config: Config, reactor: Any) -> Broker:
    """A broker on the real disk, clock and threads, with its listeners; nothing is started.

    :raises BadSetting: an endpoint string is none. :raises DuplicateCommand: two plugins claim one command.
    """
    data_dir = os.path.abspath(config.storage.data_dir)  # a daemon changes its working directory
    broker = Broker(
        config,
        directory=FilesDirectory(data_dir),
        parent=FilesDirectory(os.path.dirname(data_dir)),
        clock=reactor,
        now=time.time,
        threads=KernelThreads(reactor),
        new_id=lambda: uuid4().hex,
    )
    for description in config.server.endpoints or (tcp_endpoint(config.server.listen_addr),):
        try:
            endpoint = serverFromString(reactor, description)
        except Exception as error:  # each kind of endpoint has a parser of its own, and some come with plugins
            raise BadSetting(f"endpoints: {description!r} is no endpoint string of Twisted's: {error}.") from error

        def listener(factory: IProtocolFactory, endpoint: Any = endpoint) -> IService:
            return Listener(endpoint, factory)

        broker.listen(listener)
    return broker


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    try:
        yield
    except (BadSetting, DuplicateCommand, FluxError) as error:
        raise CannotRun(f"flux: {error}") from error
    except CannotListenError as error:
        raise CannotRun(f"flux: {_cannot_listen(error)}") from error


def _cannot_listen(error: CannotListenError) -> str:
    where = (
        f"{error.interface or 'every address'} port {error.port}" if isinstance(error.port, int) else str(error.port)
    )
    sentence = f"cannot listen on {where}: {error.socketError}"
    if getattr(error.socketError, "errno", None) == errno.EADDRINUSE:
        sentence += "; another program does already: stop it, or choose another --port"
    return sentence


class Options(usage.Options):
    """The command line of ``twistd flux``."""

    synopsis = "[options]"
    longdesc = "Every other setting is given as --set name=value, as a FLUX_NAME variable, or in a TOML file."
    optParameters: ClassVar = [
        ["port", "p", None, "Listen on this TCP port of listen_addr's address (0: any free one)."],
        ["data-dir", "d", None, "Directory that holds everything."],
        ["config", "c", None, "TOML file with tables [server] [storage] [replication] [group] [cluster] [alerts]."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self._endpoints: list[str] = []
        self._assignments: list[str] = []

    def opt_endpoint(self, endpoint: str) -> None:
        """Listen on this endpoint, a string as Twisted reads it, such as tcp:9092 or unix:/run/flux. May be repeated."""
        self._endpoints.append(endpoint)

    def opt_set(self, assignment: str) -> None:
        """Any setting, as name=value. May be repeated."""
        self._assignments.append(assignment)

    def opt_help_settings(self) -> None:
        """List all settings, with their variables and defaults, and exit."""
        sys.stdout.write(listing() + "\n")
        raise SystemExit(0)

    def opt_version(self) -> None:
        """Print Flux's version and exit."""
        sys.stdout.write(f"flux {__version__}\n")
        raise SystemExit(0)

    def given(self) -> GivenOptions:
        """What was said about settings."""
        return GivenOptions(self["port"], tuple(self._endpoints), self["data-dir"], tuple(self._assignments))


def makeService(options: Options) -> IService:
    """What twistd runs. :raises CannotRun: a setting will not do."""
    return cast(IService, assemble(options["config"], options.given(), the_reactor()))
