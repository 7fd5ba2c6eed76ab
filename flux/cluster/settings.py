"""A topic's settings under Kafka's names. Pure."""

import re
from collections.abc import Callable, Mapping

from flux.errors import BadRequest

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")


def _integer(minimum: int, unlimited: bool = False) -> Callable[[str], str]:
    least = f"at least {minimum}" + (", or -1 for no limit" if unlimited else "")

    def read(value: str) -> str:
        if not _INTEGER.match(value):
            raise ValueError(f"an integer, {least}")
        number = int(value)
        if (number < minimum and not (unlimited and number == -1)) or number >= 1 << 63:
            raise ValueError(least)
        return str(number)

    return read


def _boolean(value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return value.lower()


TOPIC_SETTINGS: Mapping[str, Callable[[str], str]] = {
    "max.message.bytes": _integer(1),
    "min.insync.replicas": _integer(1),
    "retention.bytes": _integer(0, unlimited=True),
    "retention.ms": _integer(0, unlimited=True),
    "segment.bytes": _integer(1024),
    "unclean.leader.election.enable": _boolean,
}
"""Name → how a value is read into the spelling that is stored; a ValueError says what would do."""


def check_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """*settings* as they are stored. :raises BadRequest: names the setting, the value and what would do."""
    checked = {}
    for name, value in sorted(settings.items()):
        read = TOPIC_SETTINGS.get(name)
        if read is None:
            raise BadRequest(f"setting: {name[:60]!r} is not a topic setting; there are {' '.join(TOPIC_SETTINGS)}")
        try:
            checked[name] = read(value)
        except ValueError as error:
            raise BadRequest(f"{name}: {value[:60]!r} will not do; it takes {error}") from None
    return checked
