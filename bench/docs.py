"""What the documentation shows of a run: the table, the machine, the plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.plot import draw
from bench.report import table
from bench.scenes.scene import Result


def write_docs(directory: Path, machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """``results.txt`` and ``machine.txt``, and ``cost.svg`` where there is something to draw."""
    directory.mkdir(exist_ok=True)
    width = max(map(len, machine))
    about = "".join(f"{name.ljust(width)}  {value}\n" for name, value in machine.items())
    (directory / "machine.txt").write_text(about)
    (directory / "results.txt").write_text(table(results).lstrip("\n") + "\n")
    draw(results, directory / "cost.svg")
