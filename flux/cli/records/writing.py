"""Records to stdout, and an honest account of how many."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flux.cli.records.layout import Layout
from flux.cli.records.stdout import Stdout
from flux.cli.shell.interrupting import Interruptions

if TYPE_CHECKING:
    from flux.client import Record


class Writer:
    """Writes records and counts them, and is not interrupted in between. ``last`` are the last offsets, by partition."""

    def __init__(self, layout: Layout, interruptions: Interruptions) -> None:
        self.stdout = Stdout()
        self.written = 0
        self.last: dict[int, int] = {}
        self._layout = layout
        self._interruptions = interruptions

    def write(self, records: Sequence["Record"], then: Callable[[], object] = lambda: None) -> None:
        """Out with them, and *then*. :raises BrokenPipeError: nobody reads any more."""
        data = b"".join([self._layout(record) for record in records])
        with self._interruptions.held():
            self.stdout.write(data)
            self.written += len(records)
            self.last.update((record.partition, record.offset) for record in records)
            then()

    def __str__(self) -> str:
        """As an account begins: ``3 records were written``."""
        return "1 record was written" if self.written == 1 else f"{self.written} records were written"
