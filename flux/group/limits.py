"""How much may be asked of groups: names, sessions, and how many there may be. Pure."""

from flux.config import GroupConfig
from flux.errors import BadRequest, Throttled
from flux.group.table import GroupTable

MAX_NAME = 249  # characters of a group or a consumer id, as of a topic: generations are remembered for ever
MAX_SESSION_MS = 24 * 3600 * 1000  # who is silent for a day is not coming back


def check_name(field: str, name: str) -> None:
    """:raises BadRequest: *name* is empty or too long."""
    if not 1 <= len(name) <= MAX_NAME:
        raise BadRequest(f"{field}: {name[:40]!r} has {len(name)} characters; use 1 to {MAX_NAME}")


class Limits:
    """What the configuration allows."""

    def __init__(self, config: GroupConfig) -> None:
        self._config = config

    def session_ms(self, asked: int | None) -> int:
        """The session a member gets that asks for *asked*. :raises BadRequest: nobody gets that."""
        if asked is None:
            return self._config.session_timeout_ms
        if not 1 <= asked <= MAX_SESSION_MS:
            raise BadRequest(f"session_ms: {asked} is not between 1 and {MAX_SESSION_MS}")
        return asked

    def check_room(self, table: GroupTable, group: str, member: str) -> None:
        """:raises Throttled: there is no room for *member*, who is not yet in *group*."""
        config = self._config
        if group not in table.groups and len(table.groups) >= config.max_groups:
            raise Throttled(f"group: {group!r} would be one more than max_groups={config.max_groups}")
        if table.members(group) >= config.max_group_members:
            raise Throttled(
                f"consumer id: {member!r} would be one more in group {group!r} than"
                f" max_group_members={config.max_group_members}"
            )
