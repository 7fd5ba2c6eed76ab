"""Cost against size, as a drawing: what should be flat is flat, or is not."""

import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from bench.scenes.scene import Result
from bench.spread import summary

_PANELS = ("records", "partitions", "connections", "offsets")
_COLOURS = ("#1b6ca8", "#c8553d", "#5b8c5a", "#7d5ba6")


def draw(results: Sequence[Result], path: Path) -> None:
    """CPU of the broker for each request, as a multiple of what it is at the smallest size; nothing if nothing was measured."""
    panels = {section: _curves(results, section) for section in _PANELS}
    panels = {section: curves for section, curves in panels.items() if curves}
    if not panels:
        return
    import matplotlib  # here, for only whoever draws needs it

    matplotlib.use("svg")
    from matplotlib import pyplot

    # Same numbers, same file; and text stays text, which a reader can search and select.
    matplotlib.rcParams.update({"svg.hashsalt": "flux", "svg.fonttype": "none", "font.size": 9})
    figure, axes = pyplot.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.8), squeeze=False)
    for axis, (section, curves) in zip(axes[0], panels.items(), strict=True):
        for colour, (scene, points) in zip(cycle(_COLOURS), curves.items()):
            sizes = sorted(points)
            first = points[sizes[0]]
            label = f"{scene}: {first:.3g} µs"
            multiples = [points[size] / first for size in sizes]
            axis.plot(sizes, multiples, "o-", color=colour, label=label, markersize=4)
        axis.set_xscale("log")
        axis.set_ylim(0, max(2.0, 1.15 * axis.get_ylim()[1]))
        axis.axhline(1, color="#999999", linewidth=0.6, zorder=0)
        axis.set_xlabel(section)
        axis.legend(frameon=False, fontsize=6.5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("CPU of the broker a request, × the smallest")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _curves(results: Sequence[Result], section: str) -> Mapping[str, dict[int, float]]:
    """By scene, the cost at each size; a contender's name is the size and what it is a size of."""
    curves: dict[str, dict[int, float]] = {}
    for result in results:
        size = re.match(r"[\d,]+", result.contender)
        if result.section == section and size:
            cost = summary(result.runs)["server_cpu_us"].median
            curves.setdefault(result.scene, {})[int(size[0].replace(",", ""))] = cost
    return {scene: points for scene, points in curves.items() if all(points.values())}
