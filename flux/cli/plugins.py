"""``flux plugins``: what the broker will find beside itself when it starts, and what it will not be able to use."""

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

import click

from flux.cli.shell.printing import Printer, Rows, printer_option


class Found(NamedTuple):
    """A plugin, or a drop-in that holds none because it cannot be imported."""

    kind: str
    name: str
    drop_in: str
    provided_by: str | None
    problem: str | None


@click.command("plugins")
@printer_option
def command(printer: Printer) -> None:
    """Say which plugins are installed.

    Command families, assignors and alert hooks, and those that cannot be used, with the reason. The exit status is 1 if there is one:
    the broker starts without it.
    """
    from twisted.logger import globalLogBeginner

    import flux.plugins

    # Or what twisted.plugin has to say of a drop-in comes with a traceback, and before the answer.
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    found = sorted(plugins_in(flux.plugins), key=lambda plugin: plugin[:3])
    columns = list(Found._fields)
    if not any(plugin.problem for plugin in found):
        columns.remove("problem")
    printer.report([plugin._asdict() for plugin in found], Rows(columns, [plugin[: len(columns)] for plugin in found]))
    raise SystemExit(1 if "problem" in columns else 0)


def plugins_in(package: ModuleType) -> Iterator[Found]:
    """Everything :mod:`twisted.plugin` finds in *package* that is a plugin of ours, and the drop-ins that it cannot import."""
    from twisted.plugin import getPlugins

    from flux.interfaces import IAlertHook, IAssignor, ICommandFamily
    from flux.server.families import broken_drop_ins, problem_with

    for module, reason in broken_drop_ins(package):
        yield Found("drop-in", "-", module, None, reason)
    homes = _homes(package)
    for kind, interface in (("commands", ICommandFamily), ("assignor", IAssignor), ("alerts", IAlertHook)):
        seen: list[object] = []
        for plugin in getPlugins(interface, package):
            if not any(plugin is other for other in seen):
                seen.append(plugin)
                where = f"{type(plugin).__module__}.{type(plugin).__qualname__}"
                name = str(getattr(plugin, "name", "-"))
                yield Found(kind, name, homes.get(id(plugin), "-"), where, problem_with(plugin, interface))


def _homes(package: ModuleType) -> Mapping[int, str]:
    """By an object's identity, the drop-in that has it. Those that can be imported are by now."""
    prefix = f"{package.__name__}."
    homes: dict[int, str] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(prefix):
            homes |= {id(value): name for value in vars(module).values()}
    return homes
