"""Results as a table, a line each, and as JSON, every run of them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.scenes.scene import Result
from bench.spread import Spread, summary


class Column(NamedTuple):
    """A measure as the table shows it."""

    measure: str
    title: str
    shown: Callable[[float], str]
    with_spread: bool = False


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _fine(value: float) -> str:
    return f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value:.1%}" if value < 0.1 else f"{value:.0%}"


COLUMNS = (
    Column("per_second", "per second", _number, True),
    Column("seconds", "seconds", _fine, True),
    Column("gib_per_s", "GiB/s", _fine),
    Column("kib", "KiB", _short, True),
    Column("server_cpu", "server CPU", _percent),
    Column("p50_us", "p50 µs", _number),
    Column("p99_us", "p99 µs", _number),
    Column("p999_us", "p99.9 µs", _number),
    Column("server_cpu_us", "CPU µs each", _fine),
    Column("client_cpu", "client CPU", _percent),
    Column("rss_mib", "MiB", _number),
)


def ratios(result: Result) -> str:
    """Medians, with the least and the most there was."""
    return "; ".join(
        f"{name} {value.median:.2f} ({value.low:.2f} to {value.high:.2f})" for name, value in result.ratios.items()
    )


def cells(result: Result) -> list[str]:
    """What the table shows of *result*, after its scene; the median, with what there was least and most where it matters."""
    found = summary(result.runs)
    texts = [result.contender]
    for column in COLUMNS:
        value = found.get(column.measure)
        texts.append("" if value is None else _cell(column, value))
    return [*texts, "; ".join(filter(None, (ratios(result), *_troubles(result))))]


def _troubles(result: Result) -> Iterator[str]:
    """What must not be overlooked: numbers of runs in which requests failed, or found no answer in time, say little."""
    for name in ("errors", "unanswered"):
        count = sum(run.get(name, 0) for run in result.runs)
        if count:
            yield f"{count:,.0f} {name.upper()}"


def _cell(column: Column, value: Spread) -> str:
    shown = column.shown(value.median)
    if not column.with_spread or value.low == value.high:
        return shown
    return f"{shown} ({column.shown(value.low)} to {column.shown(value.high)})"


def table(results: Sequence[Result]) -> str:
    """One table; a scene's name stands above its lines, and a section has the columns it needs."""
    lines: list[str] = []
    for section in dict.fromkeys(result.section for result in results):
        lines += _section([result for result in results if result.section == section])
    return "\n".join(lines)


def _section(results: Sequence[Result]) -> list[str]:
    titles = ["", *(column.title for column in COLUMNS), "ratio"]
    rows = [cells(result) for result in results]
    used = [at for at in range(len(titles)) if at == 0 or any(row[at] for row in rows)]
    widths = {at: max(len(titles[at]), *(len(row[at]) for row in rows)) for at in used}

    def line(texts: Sequence[str]) -> str:
        last = len(texts) - 1
        parts = [texts[at].ljust(widths[at]) if at in (0, last) else texts[at].rjust(widths[at]) for at in used]
        return "  ".join(parts).rstrip()

    lines = ["", f"{results[0].section.upper()}", line(titles)]
    scene = None
    for result, row in zip(results, rows, strict=True):
        if result.scene != scene:
            scene = result.scene
            lines.append(scene)
        lines.append("  " + line(row))
    return lines


def write_json(path: Path, machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """Everything: the machine, each result's runs, their medians and spreads."""
    entries: list[dict[str, Any]] = []
    for result in results:
        entry = result._asdict()
        entry["ratios"] = {name: value._asdict() for name, value in result.ratios.items()}
        entry["summary"] = {name: value._asdict() for name, value in summary(result.runs).items()}
        entries.append(entry)
    path.write_text(json.dumps({"machine": machine, "results": entries}, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> tuple[dict[str, str], list[Result]]:
    """What :func:`write_json` wrote."""
    found = json.loads(path.read_text())
    results = [
        Result(
            entry["section"],
            entry["scene"],
            entry["contender"],
            entry["runs"],
            {name: Spread(**value) for name, value in entry["ratios"].items()},
        )
        for entry in found["results"]
    ]
    return found["machine"], results
