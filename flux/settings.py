"""Every setting of :mod:`flux.config` as its reader and its documentation see it: what it accepts, and in what words."""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, get_type_hints

from flux.config import Config

PREFIX = "FLUX_"
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LARGEST = (1 << 63) - 1  # a file position, a time in ms: past this the system calls refuse


class Setting(NamedTuple):
    """One field. ``table`` is its class's name in a TOML file and in :class:`~flux.config.Config`."""

    table: str
    name: str
    variable: str
    kind: Any
    default: Any
    help: str
    minimum: int | None
    maximum: int | None
    check: Callable[[str], object] | None
    allowed: str

    def read(self, value: Any) -> Any:
        """*value*, which is text or what TOML made of it, as the field's type. :raises ValueError: it is not :attr:`allowed`."""
        if self.kind is bool:
            return value if isinstance(value, bool) else _boolean(_text(value))
        if self.kind is int:
            return self._number(value)
        if self.kind == tuple[str, ...]:
            return tuple(_text(word) for word in _words(value))
        if _is_choice(self.kind):
            return self.kind(_text(value).lower())
        if self.check is not None:
            self.check(_text(value))
        return _text(value)

    def shown_default(self) -> str:
        """The default as one would write it in a variable."""
        if isinstance(self.default, enum.Enum):
            return str(self.default.value)
        if isinstance(self.default, tuple):
            return " ".join(self.default)
        return str(self.default).lower() if self.kind is bool else str(self.default)

    def _number(self, value: Any) -> int:
        number = int(value) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or abs(number) > _LARGEST:
            raise ValueError(value)
        if self.minimum is not None and number < self.minimum:
            raise ValueError(value)
        if self.maximum is not None and number > self.maximum:
            raise ValueError(value)
        return number


def _boolean(word: str) -> bool:
    if word.lower() not in _BOOLEANS:
        raise ValueError(word)
    return _BOOLEANS[word.lower()]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def _words(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list | tuple):
        raise ValueError(value)
    return value


def _is_choice(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def enumerated(words: Iterable[str], conjunction: str) -> str:
    """``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def _allowed(kind: Any, minimum: int | None, maximum: int | None) -> str:
    if kind is bool:
        return "true or false"
    if kind is int:
        low = "" if minimum is None else f" from {minimum}"
        high = "" if maximum is None else f" to {maximum}"
        return f"a whole number of 64 bits{low}{high or (' up' if low else '')}"
    if kind == tuple[str, ...]:
        return "a list of strings (as text: separated by blanks)"
    if _is_choice(kind):
        return enumerated([member.value for member in kind], "or")
    return "text"


def _declared() -> Iterator[Setting]:
    for table, room in get_type_hints(Config).items():
        kinds = get_type_hints(room)
        for field in dataclasses.fields(room):
            about, kind = field.metadata, kinds[field.name]
            yield Setting(
                table=table,
                name=field.name,
                variable=about["env"] or PREFIX + field.name.upper(),
                kind=kind,
                default=field.default,
                help=about["help"],
                minimum=about["minimum"],
                maximum=about["maximum"],
                check=about["check"],
                allowed=about["allowed"] or _allowed(kind, about["minimum"], about["maximum"]),
            )


ALL: tuple[Setting, ...] = tuple(_declared())
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in ALL}
BY_VARIABLE: dict[str, Setting] = {setting.variable: setting for setting in ALL}
TABLES: tuple[str, ...] = tuple(dict.fromkeys(setting.table for setting in ALL))


def listing() -> str:
    """All settings for a terminal: ``--help-settings``."""
    lines = []
    for table in TABLES:
        lines.append(f"[{table}]")
        for setting in ALL:
            if setting.table == table:
                lines.append(f"  {setting.name}={setting.shown_default()}  ({setting.variable})")
                lines.append(f"      {setting.help} It must be {setting.allowed}.")
    return "\n".join(lines)
