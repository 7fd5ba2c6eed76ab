"""Names of what is on a broker: they complete in a shell that was told to (``flux completion``), and a mistyped one finds its original."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from flux.cli.shell.connecting import BROKERS, client_of
from flux.cli.shell.progress import progress
from flux.errors import FluxError, UnknownTopic

if TYPE_CHECKING:
    from flux.client import BlockingClient

_PATIENCE_S = 1.0  # somebody has pressed Tab
_AT_ONCE = 100  # topics asked for without waiting: there may be thousands, and the broker has other clients


class Name(click.types.StringParamType):
    """The name of something a broker has; *names* asks for them all."""

    def __init__(self, names: "Callable[[BlockingClient, float], Sequence[str]]") -> None:
        self._names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Those that begin so; none if no broker answers soon."""
        try:
            client = client_of(ctx.params.get("brokers") or BROKERS, _PATIENCE_S)
        except click.BadParameter:
            return []
        try:
            names = self._names(client, _PATIENCE_S)
        except FluxError:
            return []
        finally:
            client.close()
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def topics(client: "BlockingClient", timeout_s: float | None = None) -> Sequence[str]:
    """All of them, but those the broker keeps for itself."""
    return [name for name in client.admin_get_metadata(timeout_s=timeout_s).topics if not name.startswith("__")]


def groups(client: "BlockingClient", timeout_s: float | None = None) -> Sequence[str]:
    """All of them."""
    return [group["group"] for group in client.group_list(timeout_s=timeout_s).groups]


TOPIC, GROUP = Name(topics), Name(groups)
"""For arguments: ``click.argument("topic", type=TOPIC)``."""


class Topic(NamedTuple):
    """A topic as its broker describes it, one mapping a partition."""

    name: str
    topic_id: str
    replication_factor: int
    config: Mapping[str, str]
    partitions: Sequence[Mapping[str, Any]]


def described(client: "BlockingClient", name: str) -> Topic:
    """What the topic is made of. Ask before anything that a broker would answer by creating it.

    :raises UnknownTopic: there is none; the message names the one that was meant, if one looks like it.
    """
    try:
        found = client.admin_describe_topic(name)
    except UnknownTopic as error:
        alike = get_close_matches(name, topics(client), 1)
        hint = f"; did you mean {alike[0]}?" if alike else ""
        raise UnknownTopic(f"topic: {name} does not exist{hint}") from error
    return _topic(found)


def all_described(client: "BlockingClient", names: Sequence[str]) -> list[Topic]:
    """The topics of those *names*, in order, but those that are deleted meanwhile."""
    from flux.client.cluster_calls import admin_describe_topic

    found = []
    with progress("asking", len(names), shown=len(names) > _AT_ONCE) as advance:
        for at in range(0, len(names), _AT_ONCE):
            some = names[at : at + _AT_ONCE]
            for outcome in client.send_all([admin_describe_topic(name) for name in some]):
                if not isinstance(outcome, FluxError):
                    found.append(_topic(outcome))
                elif not isinstance(outcome, UnknownTopic):
                    raise outcome
            advance(len(some))
    return found


def _topic(found: Any) -> Topic:
    about = found.description
    return Topic(found.topic, about["topic_id"], found.replication_factor, about["config"], about["partitions"])
