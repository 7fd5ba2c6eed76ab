"""Command families: found in the plugin package, checked, and bound into one table of commands.

A drop-in's fault costs its own family only, and is logged; a command claimed twice stops the start, because either choice would
be somebody's surprise.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from twisted.logger import Logger
from twisted.plugin import getPlugins
from twisted.python.modules import getModule
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from flux.interfaces import IBroker, ICommandFamily

_log = Logger()


class DuplicateCommand(ValueError):
    """Two families claim one command; the message names both."""


class Binding(NamedTuple):
    """One command of this broker: who reads its arguments and who answers it."""

    family: str
    request: type[Any]  # what HELP asks for USAGE and HELP
    decode: Callable[..., Any]  # one request's arguments, or a run's
    handler: Callable[..., Any]
    is_run: bool  # the handler takes whole runs
    overlaps: bool  # its runs may start while earlier ones of it are still being answered


def load(package: ModuleType) -> list[ICommandFamily]:
    """The families found in *package* (``flux.plugins``), each object once; drop-ins that do not work are reported and left out."""
    for name, reason in broken_drop_ins(package):
        _log.error(
            "drop-in {name} cannot be imported; the broker starts without it: {reason}", name=name, reason=reason
        )
    return plugins(ICommandFamily, package)


def plugins(interface: type[Any], package: ModuleType) -> list[Any]:
    """The objects in *package* that keep the promise of *interface* and have a ``name``, each once; others are reported and left out."""
    found: list[Any] = []
    for plugin in getPlugins(interface, package):
        if not any(plugin is other for other in found) and _keeps_its_promise(plugin, interface):
            found.append(plugin)
    return found


def bind(families: Iterable[ICommandFamily], broker: IBroker) -> dict[str, Binding]:
    """Bind every family to *broker*; the table of its commands.

    A family whose ``bind`` raises, or returns what is no command, is reported and left out whole.

    :raises DuplicateCommand: two of the others claim the same command.
    """
    table: dict[str, Binding] = {}
    names: list[str] = []
    for family in families:
        try:
            bindings = _bindings(family.name, family.bind(broker))
        except Exception:
            _log.failure("family {name} cannot be bound; the broker starts without it", name=family.name)
            continue
        for command, binding in bindings.items():
            if command in table:
                raise DuplicateCommand(
                    f"command {command} is claimed by two families: {_where(table[command])} and {_where(binding)};"
                    " remove one of the two drop-ins"
                )
            table[command] = binding
        names.append(family.name)
    _log.info(
        "command families: {families}; commands: {commands}",
        families=", ".join(names),
        commands=" ".join(sorted(table)),
    )
    return table


def problem_with(plugin: Any, interface: type[Any]) -> str | None:
    """Why *plugin* does not keep the promise of *interface*, or has no ``name``; None if it does and has."""
    try:
        verifyObject(interface, plugin)
    except Invalid as error:
        return str(error).strip()
    return None if isinstance(plugin.name, str) and plugin.name else f"name is {plugin.name!r}, not a word"


def _keeps_its_promise(plugin: Any, interface: type[Any]) -> bool:
    problem = problem_with(plugin, interface)
    if problem is not None:
        _log.error(
            "plugin {plugin} is no {interface}; the broker starts without it: {reason}",
            plugin=f"{type(plugin).__module__}.{type(plugin).__qualname__}",
            interface=interface.__name__,
            reason=problem,
        )
    return problem is None


def _bindings(family: str, bound: Mapping[type[Any], Callable[..., Any]]) -> dict[str, Binding]:
    bindings: dict[str, Binding] = {}
    for request, handler in bound.items():
        command = request.COMMAND
        if not isinstance(command, str) or command != command.upper() or len(command.split()) != 1 or "|" in command:
            raise ValueError(f"{request.__qualname__}.COMMAND is {command!r}; it has to be one word in upper case")
        if not callable(handler):
            raise TypeError(f"what answers {command} is {handler!r}, which cannot be called")
        is_run = hasattr(request, "decode_run")
        decode = request.decode_run if is_run else request.decode
        binding = Binding(
            family, request, decode, handler, is_run, is_run and bool(getattr(request, "OVERLAPS", False))
        )
        if command in bindings:
            raise DuplicateCommand(
                f"command {command} is bound twice, to {_where(bindings[command])} and {_where(binding)}"
            )
        bindings[command] = binding
    return bindings


def _where(binding: Binding) -> str:
    return f"{binding.family} ({binding.request.__module__}.{binding.request.__qualname__})"


def broken_drop_ins(package: ModuleType) -> Iterator[tuple[str, str]]:
    """Modules of *package* that cannot be imported, and why: twisted.plugin leaves a traceback in the log and goes on."""
    for module in getModule(package.__name__).iterModules():
        try:
            importlib.import_module(module.name)
        except BaseException as error:  # twisted.plugin forgives SystemExit and the like too
            yield module.name, f"{type(error).__name__}: {error}"
