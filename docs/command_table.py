"""The ``commands`` directive: every command of a broker as HELP explains it, from the broker itself."""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from twisted.internet.testing import MemoryReactorClock

from flux.config import Config
from flux.tap import build


class Commands(SphinxDirective):
    """``.. commands::``."""

    def run(self) -> list[nodes.Node]:
        """A definition list, as if it stood in the page."""
        return self.parse_text_to_nodes("\n".join(lines()))


def lines() -> Iterator[str]:
    """The commands in order of name, in reStructuredText."""
    broker = build(Config(), MemoryReactorClock())  # which is never started
    for command, request in sorted(broker.commands.items()):
        yield f"``{' '.join(filter(None, (command, request.USAGE)))}``"
        yield f"    {_literal(request.HELP)}"


def _literal(text: str) -> str:
    """*text*, none of which is markup."""
    return "".join("\\" + character if character in "*`|_\\" else character for character in text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
