"""Where the values of :mod:`flux.config` come from: defaults < a TOML file < ``FLUX_*`` variables < options.

Everything given is read, even what a stronger source overrides: a bad value stops the start wherever it stands.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_type_hints

from flux.config import Config, host_and_port
from flux.settings import ALL, BY_NAME, BY_VARIABLE, PREFIX, TABLES, enumerated

_CLIENTS = ("FLUX_BROKERS",)  # where the flux command looks for brokers: no setting of one, and no mistake


class BadSetting(ValueError):
    """One sentence: the setting, where it came from, the value, and what is allowed."""


class Options(NamedTuple):
    """What a command line says: the few that have an option of their own, and ``name=value`` for the rest."""

    port: str | None = None
    endpoints: Sequence[str] = ()
    data_dir: str | None = None
    assignments: Sequence[str] = ()


class Loaded(NamedTuple):
    """The settings in force, and the ``FLUX_*`` variables that are none, for a warning."""

    config: Config
    unknown_variables: tuple[str, ...]


class Given(NamedTuple):
    """A value somebody gave: text, or what TOML made of it."""

    name: str
    value: Any
    source: str


def load(path: str | None, environment: Mapping[str, str], options: Options) -> Loaded:
    """All sources, the strongest last; *path* is the TOML file, if any.

    :raises BadSetting: the first value that will not do, in order of the sources.
    """
    given = [*(_from_file(path) if path else ()), *_from_environment(environment), *_from_options(options)]
    values = {each.name: _read(each) for each in given}
    values.update(_listening(values, options))
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in (*BY_VARIABLE, *_CLIENTS))
    return Loaded(_config(values), tuple(unknown))


def tcp_endpoint(address: str) -> str:
    """The Twisted endpoint string of a ``listen_addr``."""
    host, port = host_and_port(address)
    if ":" in host:
        return f"tcp6:{port}:interface=" + host.replace(":", "\\:")
    return f"tcp:{port}:interface={host}" if host else f"tcp:{port}"


def _from_file(path: str) -> list[Given]:
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (OSError, ValueError) as error:  # ValueError: neither UTF-8 nor TOML
        raise BadSetting(f"--config {path}: cannot be read: {error}.") from error
    given = []
    for table, content in document.items():
        if table not in TABLES or not isinstance(content, dict):
            raise BadSetting(f"{path}: [{table}] is not a table of settings; there are {enumerated(TABLES, 'and')}.")
        for name, value in content.items():
            if name not in BY_NAME or BY_NAME[name].table != table:
                raise BadSetting(f"{path}: [{table}] has no setting {name!r}; {_hint(name)}.")
            given.append(Given(name, value, f"[{table}] of {path}"))
    return given


def _from_environment(environment: Mapping[str, str]) -> Iterable[Given]:
    return [
        Given(setting.name, environment[setting.variable], setting.variable)
        for setting in ALL
        if setting.variable in environment
    ]


def _from_options(options: Options) -> list[Given]:
    given = []
    for assignment in options.assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip()
        if not equals:
            raise BadSetting(f"--set {assignment}: it must be name=value.")
        if name not in BY_NAME:
            raise BadSetting(f"--set {assignment}: there is no setting {name!r}; {_hint(name)}.")
        given.append(Given(name, value, "--set"))
    if options.data_dir is not None:
        given.append(Given("data_dir", options.data_dir, "--data-dir"))
    if options.endpoints:
        given.append(Given("endpoints", tuple(options.endpoints), "--endpoint"))
    return given


def _read(given: Given) -> Any:
    setting = BY_NAME[given.name]
    try:
        return setting.read(given.value)
    except ValueError as error:
        raise _will_not_do(f"{given.name} (from {given.source})", given.value, setting.allowed) from error


def _listening(values: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """What ``--port`` means: it replaces the endpoints of weaker sources and joins those of ``--endpoint``."""
    if options.port is None:
        return {}
    host, _ = host_and_port(values.get("listen_addr", BY_NAME["listen_addr"].default))
    address = f"[{host}]:{options.port}" if ":" in host else f"{host}:{options.port}"
    try:
        host_and_port(address)
    except ValueError as error:
        raise _will_not_do("--port", options.port, "a port from 0 (any free one) to 65535") from error
    endpoints = (tcp_endpoint(address), *options.endpoints) if options.endpoints else ()
    return {"listen_addr": address, "endpoints": endpoints}


def _config(values: Mapping[str, Any]) -> Config:
    rooms = {}
    for table, room in get_type_hints(Config).items():
        rooms[table] = room(**{s.name: values[s.name] for s in ALL if s.table == table and s.name in values})
    return Config(**rooms)


def _will_not_do(where: str, value: Any, allowed: str) -> BadSetting:
    shown = repr(value)
    return BadSetting(f"{where}: {shown if len(shown) <= 60 else shown[:60] + '…'} will not do; it must be {allowed}.")


def _hint(name: str) -> str:
    if name in BY_NAME:
        return f"it belongs to [{BY_NAME[name].table}]"
    close = get_close_matches(name, BY_NAME, n=1)
    return f"did you mean {close[0]}?" if close else "--help-settings lists them"
