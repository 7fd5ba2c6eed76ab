"""The ``settings`` directive: the settings of one table of the configuration, from the code that declares them."""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flux.settings import ALL, TABLES, Setting


class SettingsTable(SphinxDirective):
    """``.. settings:: storage``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A list-table, as if it stood in the page."""
        table = self.arguments[0]
        if table not in TABLES:
            raise self.error(f"there is no table {table!r}")
        return self.parse_text_to_nodes("\n".join(lines(table)))


def lines(table: str) -> Iterator[str]:
    """The table in reStructuredText."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 28 14 58", "")
    yield from ("   * - Setting and variable", "     - Default", "     - What it does, and what it may be")
    for setting in ALL:
        if setting.table == table:
            yield from _row(setting)


def _row(setting: Setting) -> Iterator[str]:
    default = setting.shown_default()
    yield f"   * - ``{setting.name}``"
    yield ""
    yield f"       ``{setting.variable}``"
    yield f"     - ``{default}``" if default else "     - (none)"
    yield f"     - {setting.help} It must be {setting.allowed}."


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("settings", SettingsTable)
    return {"parallel_read_safe": True}
