"""The ``options`` directive: the fields of a class of options, their defaults and sentences, from the code that declares them."""

import ast
import enum
import inspect
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import flux.client


class OptionsTable(SphinxDirective):
    """``.. options:: ProducerOptions``, a class of ``flux.client``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A list-table, as if it stood in the page."""
        name = self.arguments[0]
        if name not in flux.client.__all__:
            raise self.error(f"flux.client has no {name!r}")
        return self.parse_text_to_nodes("\n".join(lines(getattr(flux.client, name))))


def lines(options: type[Any]) -> Iterator[str]:
    """The table in reStructuredText."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 28 14 58", "")
    yield from ("   * - Option", "     - Default", "     - What it does")
    defaults = options()
    for name, sentence in sentences(options):
        yield f"   * - ``{name}``"
        yield f"     - ``{shown(getattr(defaults, name))}``"
        yield f"     - {sentence}"


def sentences(options: type[Any]) -> Iterator[tuple[str, str]]:
    """Each field and the string below it, in order. :raises ValueError: a field has none."""
    (declaration,) = ast.parse(inspect.getsource(options)).body
    assert isinstance(declaration, ast.ClassDef)
    for field, below in zip(declaration.body, [*declaration.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    yield field.target.id, " ".join(text.split())
                case _:
                    raise ValueError(f"{options.__name__}.{field.target.id} has no sentence")


def shown(value: object) -> str:
    """As one would write it."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    return repr(value)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("options", OptionsTable)
    return {"parallel_read_safe": True}
