"""The ``error-codes`` directive: every code an ``ERR`` line may carry, from the code that raises it."""

from collections.abc import Iterator
from inspect import getdoc
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flux.errors import BY_CODE


class ErrorCodes(SphinxDirective):
    """``.. error-codes::``."""

    def run(self) -> list[nodes.Node]:
        """A list-table, as if it stood in the page."""
        return self.parse_text_to_nodes("\n".join(lines()))


def lines() -> Iterator[str]:
    """The table in reStructuredText."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 30 15 55", "")
    yield from ("   * - Code", "     - Try again?", "     - Meaning")
    for code, kind in BY_CODE.items():
        yield f"   * - ``{code}``"
        yield f"     - {'yes' if kind.retriable else 'no'}"
        yield f"     - {' '.join((getdoc(kind) or '').split())}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("error-codes", ErrorCodes)
    return {"parallel_read_safe": True}
