"""``flux serve``: ``twistd flux`` without a daemon's habits. No pid file, no log file, no fork; exit status 0 after SIGTERM."""

import signal
import sys
from typing import Any

import click
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from flux.loading import Options
from flux.logs import FORMATS, LEVELS, observer
from flux.settings import listing

_log = Logger()


def _print_settings(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(listing())
        ctx.exit()


@click.command("serve")
@click.option("--port", "-p", help="Listen on this TCP port of listen_addr's address (0: any free one).")
@click.option("--endpoint", "endpoints", multiple=True, help="Listen on this Twisted endpoint string. May be repeated.")
@click.option("--data-dir", "-d", help="Directory that holds everything.")
@click.option("--config", "-c", "path", metavar="FILE", help="TOML file of settings.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any setting. May be repeated.")
@click.option("--log-format", type=click.Choice(list(FORMATS)), default="text", show_default=True)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option("--reactor", "reactor_name", metavar="NAME", help="Twisted reactor to run on, such as epoll or uvloop.")
@click.option(
    "--help-settings",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_settings,
    help="List all settings, with their variables and defaults, and exit.",
)
def command(
    port: str | None,
    endpoints: tuple[str, ...],
    data_dir: str | None,
    path: str | None,
    assignments: tuple[str, ...],
    log_format: str,
    log_level: str,
    reactor_name: str | None,
) -> None:
    """Run a broker here.

    It logs on stderr, and writes FLUX READY port=<n> on stdout once it accepts. Settings come from options, FLUX_* variables and a
    TOML file. SIGTERM or SIGINT answers what is in flight, then exits 0.
    """
    _install(reactor_name)
    globalLogBeginner.beginLoggingTo([observer(sys.stderr, log_format, log_level)], redirectStandardIO=False)
    raise SystemExit(_run(path, Options(port, endpoints, data_dir, assignments)))


def _install(reactor_name: str | None) -> None:
    from twisted.application.reactors import NoSuchReactor, getReactorTypes, installReactor

    if reactor_name is None:
        return
    try:
        installReactor(reactor_name)
    except NoSuchReactor as error:
        known = ", ".join(sorted(kind.shortName for kind in getReactorTypes()))
        raise click.ClickException(f"--reactor: there is no {reactor_name!r}; there are {known}.") from error
    except ImportError as error:
        raise click.ClickException(f"--reactor: {reactor_name} cannot be used here: {error}.") from error


def _run(path: str | None, options: Options) -> int:
    """Start, serve until a signal, drain. The exit status: 0, or 1 after a failure that was logged."""
    from flux.tap import assemble, the_reactor

    reactor = the_reactor()
    process = assemble(path, options, reactor)
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        failures.append(failure)
        _log.failure("the broker cannot go on", failure)
        try:
            reactor.stop()
        except ReactorNotRunning:  # stopping already
            return

    def stop() -> "Deferred[None]":
        for number in (signal.SIGINT, signal.SIGTERM):  # whoever asks twice does not want to wait for the drain
            signal.signal(number, signal.SIG_DFL)
        return maybeDeferred(process.stopService).addErrback(failures.append)

    # The reactor minds SIGINT when it runs. A KeyboardInterrupt before would leave the broker's threads, and so the process, behind.
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: _stop_soon(reactor))
    process.privilegedStartService()
    process.startService()
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    ready = gatherResults([listener.bound for listener in process.listeners], consumeErrors=True)
    reactor.callWhenRunning(lambda: ready.addCallbacks(_announce, failed))
    reactor.run()
    return 1 if failures else 0


def _stop_soon(reactor: Any) -> None:
    """Stop, as soon as the start is over; whoever asks twice does not want to wait for that either."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    reactor.callFromThread(reactor.stop)


def _announce(addresses: list[IAddress]) -> None:
    """Tell whoever started us where we are: the first TCP port, or else the first address."""
    for address in addresses:
        port = getattr(address, "port", None)
        if isinstance(port, int):
            click.echo(f"FLUX READY port={port}")
            return
    click.echo(f"FLUX READY address={addresses[0]}")
